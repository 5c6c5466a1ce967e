"""MQTT control packets (OASIS MQTT 3.1.1 and 5.0, chapters 2 and 3; IBM MQTT 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.protocols.mqtt.properties import binary, properties
from appliance.protocols.reader import Reader

TYPES = (
    "unassigned",
    "connect",
    "connack",
    "publish",
    "puback",
    "pubrec",
    "pubrel",
    "pubcomp",
    "subscribe",
    "suback",
    "unsubscribe",
    "unsuback",
    "pingreq",
    "pingresp",
    "disconnect",
    "auth",
)
MAX_TOPICS = 1024
_WILL, _USERNAME, _PASSWORD = 0x04, 0x80, 0x40
VERSION_5 = 5


class Packet:
    """One control packet: fixed header, and what its type has as ``fields``."""

    __slots__ = ("fields", "first", "length", "malformed", "skipped", "weight")

    def __init__(self, first: int, length: int) -> None:
        """Begin with the fixed header's first byte and the size of what follows the header."""
        self.first = first
        self.length = length
        self.fields: dict[str, Any] = {}
        self.malformed = False
        self.skipped = 0  # size of the whole packet when it was too big to be read
        self.weight = 64  # bytes held, about

    @property
    def kind(self) -> str:
        """Name of the packet type."""
        return TYPES[self.first >> 4]

    @property
    def qos(self) -> int:
        """Quality of service; 3 is not valid."""
        return (self.first >> 1) & 3

    @property
    def flags(self) -> int:
        """Bit 0: this is a duplicate, bit 1: retain; as rules number them."""
        return (self.first >> 3 & 1) | (self.first & 1) << 1

    @property
    def message_id(self) -> int:
        """The identifier by which packets belong together, -1 without."""
        return int(self.fields.get("message_id", -1))


def fixed_header(data: bytes | bytearray) -> tuple[int, int]:
    """Read the remaining length after the first byte.

    Returns:
        It, and the size of the header; size 0 when more bytes are needed, -1 when it is not valid.
    """
    value = 0
    for place in range(1, 5):
        if place >= len(data):
            return 0, 0
        value |= (data[place] & 0x7F) << 7 * (place - 1)
        if not data[place] & 0x80:
            return value, place + 1
    return 0, -1


def parse(first: int, body: bytes, version: int) -> Packet:
    """Read what follows the fixed header; ``version`` is that of the connection (0: not known)."""
    packet = Packet(first, len(body))
    packet.weight += len(body)
    reader = Reader(body)
    read = _READERS.get(packet.kind)
    if read is not None:
        read(reader, packet, version)
    packet.malformed = reader.failed
    return packet


def _connect(reader: Reader, packet: Packet, version: int) -> None:
    fields = packet.fields
    fields["protocol_string"] = binary(reader)
    version = fields["protocol_version"] = reader.uint(1)
    flags = fields["flags"] = reader.uint(1)
    fields["keepalive"] = reader.uint(2)
    if version >= VERSION_5:
        fields["properties"] = properties(reader)
    fields["client_id"] = binary(reader)
    if flags & _WILL:
        if version >= VERSION_5:
            fields["will_properties"] = properties(reader)
        fields["will_topic"] = binary(reader)
        fields["will_message"] = binary(reader)
    if flags & _USERNAME:
        fields["username"] = binary(reader)
    if flags & _PASSWORD:
        fields["password"] = binary(reader)


def _connack(reader: Reader, packet: Packet, version: int) -> None:
    packet.fields["session_present"] = bool(reader.uint(1) & 1)
    packet.fields["return_code"] = reader.uint(1)
    if version >= VERSION_5:
        packet.fields["properties"] = properties(reader)


def _publish(reader: Reader, packet: Packet, version: int) -> None:
    packet.fields["topic"] = binary(reader)
    if packet.qos in {1, 2}:
        # A packet that ends here lacks its identifier; that is an event of its own.
        if reader.left < 2 and not reader.failed:
            packet.fields["message"] = reader.rest()
            return
        packet.fields["message_id"] = reader.uint(2)
    if version >= VERSION_5:
        packet.fields["properties"] = properties(reader)
    packet.fields["message"] = reader.rest()


def _answer(reader: Reader, packet: Packet, version: int) -> None:
    """PUBACK, PUBREC, PUBREL, PUBCOMP: without a reason it is 0, success."""
    packet.fields["message_id"] = reader.uint(2)
    _reason(reader, packet, version)


def _reason(reader: Reader, packet: Packet, version: int) -> None:
    if version >= VERSION_5:
        packet.fields["reason_code"] = reader.uint(1) if reader.left else 0
        if reader.left:
            packet.fields["properties"] = properties(reader)


def _identified(reader: Reader, packet: Packet, version: int) -> None:
    packet.fields["message_id"] = reader.uint(2)
    if version >= VERSION_5:
        packet.fields["properties"] = properties(reader)


def _subscribe(reader: Reader, packet: Packet, version: int) -> None:
    _identified(reader, packet, version)
    topics: list[tuple[bytes, int]] = []
    while reader.left and len(topics) < MAX_TOPICS:
        topics.append((binary(reader), reader.uint(1) & 3))
    packet.fields["topics"] = topics


def _unsubscribe(reader: Reader, packet: Packet, version: int) -> None:
    _identified(reader, packet, version)
    topics: list[tuple[bytes, int]] = []
    while reader.left and len(topics) < MAX_TOPICS:
        topics.append((binary(reader), -1))
    packet.fields["topics"] = topics


def _suback(reader: Reader, packet: Packet, version: int) -> None:
    _identified(reader, packet, version)
    packet.fields["qos_granted"] = list(reader.rest()[:MAX_TOPICS])


def _unsuback(reader: Reader, packet: Packet, version: int) -> None:
    _identified(reader, packet, version)
    if version >= VERSION_5:
        packet.fields["reason_codes"] = list(reader.rest()[:MAX_TOPICS])


_READERS: dict[str, Callable[[Reader, Packet, int], None]] = {
    "connect": _connect,
    "connack": _connack,
    "publish": _publish,
    "puback": _answer,
    "pubrec": _answer,
    "pubrel": _answer,
    "pubcomp": _answer,
    "subscribe": _subscribe,
    "suback": _suback,
    "unsubscribe": _unsubscribe,
    "unsuback": _unsuback,
    "disconnect": _reason,
    "auth": _reason,
}
