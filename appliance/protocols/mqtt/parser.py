"""MQTT: framing, and which packet answers which."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import Parser
from appliance.protocols.marks import Marks
from appliance.protocols.mqtt.log import size
from appliance.protocols.mqtt.packet import Packet, fixed_header, parse
from appliance.protocols.mqtt.transaction import MqttTransaction
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES
from appliance.protocols.transports import HeldSide

MAX_PACKET = 1 << 20
MAX_OPEN = 1024  # exchanges that wait for an answer
MAX_HELD = 4 << 20  # bytes of packets in them

# Packet type -> (type that it answers, whether it comes from the end that opened the exchange, whether it
# is the last, event when there is nothing to answer).
_ANSWERS = {
    "connack": ("connect", False, True, "missing_connect"),
    "puback": ("publish", False, True, "missing_publish"),
    "pubrec": ("publish", False, False, "missing_publish"),
    "pubrel": ("publish", True, False, "missing_publish"),
    "pubcomp": ("publish", False, True, "missing_publish"),
    "suback": ("subscribe", False, True, "missing_subscribe"),
    "unsuback": ("unsubscribe", False, True, "missing_unsubscribe"),
}
_OPENERS = frozenset(("subscribe", "unsubscribe"))
_INVALID_QOS = 3
_Key = tuple[str, int, int]


class MqttParser(Parser):
    """Packets of one connection; ``max-msg-length`` and ``max-tx`` are its options."""

    name = "mqtt"
    log_type = "mqtt"

    def __init__(self, settings: Any = None) -> None:
        """Start unconnected."""
        super().__init__(settings)
        options = settings if isinstance(settings, dict) else {}
        self.max_packet = min(size(options.get("max-msg-length"), MAX_PACKET), MAX_PACKET)
        self.max_open = max(1, size(options.get("max-tx"), MAX_OPEN))
        self.version = 0
        self.connected = False
        self._sides = (HeldSide(), HeldSide())
        self._marks = Marks()
        self._open: dict[_Key, MqttTransaction] = {}
        self._weight = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        side = self._sides[direction]
        side.held += chunk
        while not self.failed and self._step(direction, side):
            pass

    @override
    def gap(self, direction: int, length: int) -> None:
        """Only a hole within what is not read anyway does no harm."""
        self.failed = self.failed or not self._sides[direction].passes(length)

    def _step(self, direction: int, side: HeldSide) -> bool:
        """Take one packet; False while it is not complete."""
        held = side.held
        if side.skip:
            step = min(side.skip, len(held))
            del held[:step]
            side.skip -= step
        if not held:
            return False
        length, header = fixed_header(held)
        if header < 0:
            self._malformed(direction)
        if header <= 0:
            return False
        pieces = ("pdu", 0, header + length), ("header", 0, header), ("data", header, length)
        self._marks.note(self, direction, len(held), *pieces)
        if length > self.max_packet:
            packet = Packet(held[0], length)
            packet.skipped = side.skip = header + length
            self._packet(direction, packet)
            return True
        if len(held) < header + length:
            return False
        packet = parse(held[0], bytes(held[header : header + length]), self.version)
        del held[: header + length]
        if packet.malformed:
            self._malformed(direction)
        else:
            self._packet(direction, packet)
        return True

    def _malformed(self, direction: int) -> None:
        """Nothing after this can be trusted to be a packet."""
        self._new(direction).note("malformed_traffic")
        self.failed = True
        for side in self._sides:
            side.held.clear()

    def _new(self, direction: int) -> MqttTransaction:
        tx = MqttTransaction(self.next_tx, direction, self.version)
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _packet(self, direction: int, packet: Packet) -> None:
        """Find the exchange that a packet belongs to, or open one."""
        kind = packet.kind
        if kind == "connect":
            self._connect(direction, packet)
        elif kind in _ANSWERS and not packet.skipped:
            self._answer(direction, packet)
        else:
            self._single(direction, packet)

    def _connect(self, direction: int, packet: Packet) -> None:
        self.version = packet.fields.get("protocol_version", self.version)
        tx = self._new(direction)
        tx.add(packet)
        if self.connected or ("connect", direction, -1) in self._open:
            tx.note("double_connect")
        if not packet.skipped:
            self._await(("connect", direction, -1), tx)

    def _single(self, direction: int, packet: Packet) -> None:
        """Take a packet that answers nothing; some wait for an answer to themselves."""
        tx = self._new(direction)
        tx.add(packet)
        if not self.connected:
            tx.note("unintroduced_message")
        if packet.kind == "unassigned":
            tx.note("unassigned_msg_type")
        if packet.skipped:
            return
        if packet.kind == "publish":
            self._publish(direction, packet, tx)
        elif packet.kind in _OPENERS:
            self._await((packet.kind, direction, packet.message_id), tx)

    def _publish(self, direction: int, packet: Packet, tx: MqttTransaction) -> None:
        if packet.qos == _INVALID_QOS:
            tx.note("invalid_qos_level")
        elif packet.qos and packet.message_id < 0:
            tx.note("missing_msg_id")
        elif packet.qos:
            self._await(("publish", direction, packet.message_id), tx)

    def _answer(self, direction: int, packet: Packet) -> None:
        """Add an answer to the exchange that waits for it."""
        kind, same_end, last, event = _ANSWERS[packet.kind]
        key = (kind, direction if same_end else 1 - direction, packet.message_id)
        tx = self._open.get(key)
        if tx is None:
            tx = self._new(direction)
            tx.add(packet)
            tx.note(event)
            if not self.connected and packet.kind != "connack":
                tx.note("unintroduced_message")
            return
        before = tx.weight
        tx.add(packet)
        self._weight += tx.weight - before
        if packet.kind == "connack":
            self.connected = True
        if last:
            self._close(key)

    def _await(self, key: _Key, tx: MqttTransaction) -> None:
        """Let an exchange wait; when too many do, the oldest is over."""
        if key in self._open:
            self._close(key)
        self._open[key] = tx
        self._weight += tx.weight
        tx.wait()
        while len(self._open) > self.max_open or self._weight > MAX_HELD:
            oldest = next(iter(self._open))
            self._open[oldest].note("too_many_transactions")
            self._close(oldest)

    def _close(self, key: _Key) -> None:
        tx = self._open.pop(key)
        self._weight -= tx.weight
        tx.complete()


def probe(data: bytes) -> int:
    """Tell whether bytes can be the beginning of a packet."""
    if not data:
        return PROBE_MAYBE
    if data[0] >> 4 == 0 or (data[0] >> 1) & 3 == _INVALID_QOS:
        return PROBE_NO
    _, header = fixed_header(data)
    return PROBE_NO if header < 0 else PROBE_YES if header else PROBE_MAYBE


def probe_connect(data: bytes) -> int:
    """Tell whether bytes begin with CONNECT, which names the protocol."""
    _, header = fixed_header(data)
    if data[:1] not in {b"", b"\x10"}:
        return PROBE_NO
    if header <= 0:
        return PROBE_NO if header else PROBE_MAYBE
    name = data[header : header + 8]
    if name.startswith((b"\0\4MQTT", b"\0\6MQIsdp")):
        return PROBE_YES
    later = b"\0\4MQTT".startswith(name) or b"\0\6MQIsdp".startswith(name)
    return PROBE_MAYBE if later else PROBE_NO
