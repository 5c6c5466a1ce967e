"""What MQTT packets that belong together tell rules and logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue
from appliance.protocols.mqtt import log
from appliance.protocols.mqtt.packet import TYPES, Packet
from appliance.protocols.reader import MessageTransaction

OPENED = 20  # step: the packet that opens the exchange has been read
MAX_PACKETS = 16  # kept of one exchange

_FIELDS = {
    "mqtt.connect.clientid": ("connect", "client_id"),
    "mqtt.connect.username": ("connect", "username"),
    "mqtt.connect.password": ("connect", "password"),
    "mqtt.connect.willtopic": ("connect", "will_topic"),
    "mqtt.connect.willmessage": ("connect", "will_message"),
    "mqtt.connect.protocol_string": ("connect", "protocol_string"),
    "mqtt.publish.topic": ("publish", "topic"),
    "mqtt.publish.message": ("publish", "message"),
}
SINGLE = tuple(_FIELDS)
MULTI = ("mqtt.subscribe.topic", "mqtt.unsubscribe.topic")


class MqttTransaction(MessageTransaction):
    """A packet with the answers to it; in the direction of the packet that opened it."""

    __slots__ = ("packets", "version", "weight")

    def __init__(self, tx_id: int, direction: int, version: int) -> None:
        """Open without packets; ``version`` is that of the connection."""
        super().__init__(tx_id, direction)
        self.packets: list[Packet] = []
        self.version = version
        self.weight = 0

    def wait(self) -> None:
        """Take note that an answer is to come."""
        self.progress[:] = [OPENED, OPENED]

    def complete(self) -> None:
        """Take note that nothing more will come."""
        self.progress[:] = [COMPLETE, COMPLETE]
        self.updated = True

    def add(self, packet: Packet) -> None:
        """Take a packet; those beyond the limit are not kept."""
        self.updated = True
        if len(self.packets) < MAX_PACKETS:
            self.packets.append(packet)
            self.weight += packet.weight

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if name in MULTI:
            topics = self._of(name.split(".")[1], "topics")
            return [topic for topic, _ in topics] if topics else None
        kind, field = _FIELDS.get(name, ("", ""))
        found = self._of(kind, field)
        return found if isinstance(found, bytes) else None

    def _of(self, kind: str, field: str) -> Any:
        """Give a field of the first packet of a kind that has it."""
        return next((p.fields[field] for p in self.packets if p.kind == kind and field in p.fields), None)

    @override
    def value(self, name: str) -> Any:
        read = _VALUES.get(name)
        return read(self) if read is not None else None

    def _reasons(self) -> list[int]:
        """Give all result codes."""
        out: list[int] = []
        for packet in self.packets:
            fields = packet.fields
            out += [fields[one] for one in ("return_code", "reason_code") if one in fields]
            out += fields.get("qos_granted", ()) or fields.get("reason_codes", ())
        return out

    @override
    def log(self) -> dict[str, Any]:
        return log.record(self.packets, {})

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the body that an output with ``options`` (passwords, string-log-limit) wants."""
        return [log.record(self.packets, options)] if self.packets else []


_VALUES: dict[str, Callable[[MqttTransaction], Any]] = {
    "mqtt.type": lambda tx: [TYPES.index(packet.kind) for packet in tx.packets],
    "mqtt.flags": lambda tx: [packet.flags for packet in tx.packets],
    "mqtt.qos": lambda tx: [packet.qos for packet in tx.packets],
    "mqtt.reason_code": lambda tx: tx._reasons(),
    "mqtt.protocol_version": lambda tx: tx.version or None,
    "mqtt.connect.protocol_version": lambda tx: tx._of("connect", "protocol_version"),
    "mqtt.connect.flags": lambda tx: tx._of("connect", "flags"),
    "mqtt.connack.session_present": lambda tx: tx._of("connack", "session_present"),
}
VALUES = tuple(_VALUES)
