"""DHCP messages: the BOOTP header and options (RFC 2131, RFC 2132)."""

from __future__ import annotations

from dataclasses import dataclass, field

REQUEST, REPLY = 1, 2
HEADER = 236
COOKIE = b"\x63\x82\x53\x63"
_PAD, _END = 0, 255
_MAX_OPTIONS = 512

SUBNET_MASK, ROUTERS, DNS_SERVERS, HOSTNAME = 1, 3, 6, 12
REQUESTED_IP, LEASE_TIME, TYPE, PARAMETERS = 50, 51, 53, 55
RENEWAL_TIME, REBINDING_TIME, VENDOR_CLASS, CLIENT_ID = 58, 59, 60, 61
ACK = 5

TYPES = {
    1: "discover",
    2: "offer",
    3: "request",
    4: "decline",
    5: "ack",
    6: "nak",
    7: "release",
    8: "inform",
}
# Fewest bytes of the options that are read.
_LEAST = {
    SUBNET_MASK: 4,
    ROUTERS: 4,
    DNS_SERVERS: 4,
    REQUESTED_IP: 4,
    LEASE_TIME: 4,
    TYPE: 1,
    RENEWAL_TIME: 4,
    REBINDING_TIME: 4,
    CLIENT_ID: 1,
}


@dataclass(slots=True)
class Message:
    """``options`` are the first of each code, in the order of the message; addresses are four bytes."""

    operation: int
    id: int
    hardware: bytes
    client: bytes
    assigned: bytes
    server: bytes
    relay: bytes
    options: dict[int, bytes] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def seconds(self, code: int) -> int | None:
        """Give a time from an option."""
        value = self.options.get(code)
        return int.from_bytes(value[:4], "big") if value is not None else None

    @property
    def kind(self) -> int | None:
        """Give the message type, None for plain BOOTP."""
        value = self.options.get(TYPE)
        return value[0] if value else None


def parse(raw: bytes) -> Message | None:
    """Read a message, None without header or magic cookie."""
    if len(raw) < HEADER + len(COOKIE) or raw[HEADER : HEADER + 4] != COOKIE or raw[2] > 16:
        return None
    number = int.from_bytes(raw[4:8], "big")
    message = Message(raw[0], number, raw[28 : 28 + raw[2]], raw[12:16], raw[16:20], raw[20:24], raw[24:28])
    _options(message, raw)
    return message


def _options(message: Message, raw: bytes) -> None:
    at, count = HEADER + len(COOKIE), 0
    while at < len(raw) and count < _MAX_OPTIONS:
        code = raw[at]
        if code == _END:
            return
        if code == _PAD:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 256
        value = raw[at + 2 : at + 2 + length]
        if len(value) < length:
            message.events.append("truncated_options")
            return
        _keep(message, code, value)
        at += 2 + length
        count += 1


def _keep(message: Message, code: int, value: bytes) -> None:
    """Keep an option, unless it is too short for what it means."""
    if len(value) >= _LEAST.get(code, 0):
        message.options.setdefault(code, value)
    elif "malformed_options" not in message.events:
        message.events.append("malformed_options")
