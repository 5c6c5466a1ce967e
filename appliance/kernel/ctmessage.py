"""Messages about connections, as the kernel's conntrack sends them over netlink.

linux/netfilter/nfnetlink_conntrack.h; attributes are those of RFC 3549 netlink: length, type, value, padded
to four bytes. Read by hand, since one comes for each connection that ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NEW = 1 << 8 | 0  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_*
GET = 1 << 8 | 1
DELETE = 1 << 8 | 2
ERROR = 2
DONE = 3
REQUEST, ACK, DUMP, INTERRUPTED = 0x1, 0x4, 0x300, 0x10

_TUPLE, _MARK, _SENT, _ANSWERED, _ID, _ZONE = 1, 8, 9, 10, 12, 18
_IP, _PROTO = 1, 2
_NESTED = 0x8000
_KIND = 0x3FFF
_HEAD = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
# What nearly all connections look like (TCP, UDP and the like), and two counters: read in one step.
_BOTH = struct.Struct(">4xQ4xQ")
_PORTED = _ATTRIBUTE.pack(28, _PROTO | _NESTED)
_REST = "4s4xB3x4xH2x4xH2x"
_USUAL = {
    _ATTRIBUTE.pack(20, _IP | _NESTED) + _ATTRIBUTE.pack(8, 1): struct.Struct(f">8x4s4x4s{_REST}"),
    _ATTRIBUTE.pack(44, _IP | _NESTED) + _ATTRIBUTE.pack(20, 3): struct.Struct(
        ">8x16s4x16s4s4xB3x4xH2x4xH2x"
    ),
}
_ADDRESSES = {1: 0, 2: 1, 3: 0, 4: 1}  # CTA_IP_V4_SRC, _V4_DST, _V6_SRC, _V6_DST
_PORTS = {2: 0, 3: 1}

Key = tuple[int, int, bytes, int, bytes, int]


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of the kernel, in the direction of its first packet.

    ``source`` and ``destination`` are 4 or 16 bytes; ports are 0 where there are none. ``mark`` is as
    :mod:`appliance.model.mark` says. Packets and bytes (of IP, with headers) are those that the kernel
    counted for each direction, 0 without ``nf_conntrack_acct``.
    """

    zone: int
    proto: int
    source: bytes
    destination: bytes
    sport: int
    dport: int
    mark: int = 0
    sent: tuple[int, int] = (0, 0)  # packets, bytes
    answered: tuple[int, int] = (0, 0)
    ident: int = 0
    raw: bytes = b""  # the kernel's own description, by which it is found again

    @property
    def key(self) -> Key:
        """Zone, protocol, source, its port, destination, its port."""
        return self.zone, self.proto, self.source, self.sport, self.destination, self.dport


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Give type, flags and body of each message in what one read gave."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, _, _ = _HEAD.unpack_from(data, at)
        if length < 16 or at + length > len(data):
            return
        yield kind, flags, data[at + 16 : at + length]
        at += length + 3 & ~3


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give type and value of each attribute."""
    at = 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > len(data):
            return
        yield kind & _KIND, data[at + 4 : at + length]
        at += length + 3 & ~3


def read(body: bytes) -> Connection | None:
    """Read a connection; None for what is none, or not of IP."""
    zone, mark, ident, raw = 0, 0, 0, b""
    counts = {_SENT: (0, 0), _ANSWERED: (0, 0)}
    for kind, value in attributes(body[4:]):
        if kind == _TUPLE:
            raw = value
        elif kind in counts:
            counts[kind] = _counts(value)
        elif kind == _MARK and len(value) == 4:
            mark = int.from_bytes(value, "big")
        elif kind == _ID and len(value) == 4:
            ident = int.from_bytes(value, "big")
        elif kind == _ZONE and len(value) == 2:
            zone = int.from_bytes(value, "big")
    ends = _ends(raw)
    if ends is None:
        return None
    proto, (source, destination), (sport, dport) = ends
    sent, answered = counts[_SENT], counts[_ANSWERED]
    return Connection(zone, proto, source, destination, sport, dport, mark, sent, answered, ident, raw)


def _counts(value: bytes) -> tuple[int, int]:
    if len(value) == _BOTH.size:
        packets, size = _BOTH.unpack(value)
        return packets, size
    found = {kind: int.from_bytes(number, "big") for kind, number in attributes(value)}
    return found.get(1, 0), found.get(2, 0)


def _ends(raw: bytes) -> tuple[int, Sequence[bytes], Sequence[int]] | None:
    for shape, form in _USUAL.items():
        if len(raw) == form.size and raw.startswith(shape):
            source, destination, inner, proto, sport, dport = form.unpack(raw)
            if inner == _PORTED:
                return proto, (source, destination), (sport, dport)
    return _any_ends(raw)


def _any_ends(raw: bytes) -> tuple[int, Sequence[bytes], Sequence[int]] | None:
    """Read ends of any shape: ICMP, or attributes in an order of their own."""
    proto, addresses, ports = 0, [b"", b""], [0, 0]
    for kind, value in attributes(raw):
        if kind == _IP:
            for which, address in attributes(value):
                if which in _ADDRESSES:
                    addresses[_ADDRESSES[which]] = address
        elif kind == _PROTO:
            for which, number in attributes(value):
                if which == 1 and number:
                    proto = number[0]
                elif which in _PORTS:
                    ports[_PORTS[which]] = int.from_bytes(number, "big")
    sizes = {len(one) for one in addresses}
    return (proto, addresses, ports) if sizes in ({4}, {16}) else None


def dump_request() -> bytes:
    """Ask for all connections."""
    return message(GET, REQUEST | DUMP, 0, b"")


def delete_request(one: Connection) -> bytes:
    """Ask that exactly this connection be forgotten."""
    family = 2 if len(one.source) == 4 else 10
    body = attribute(_TUPLE | _NESTED, one.raw) + attribute(_ID, struct.pack(">I", one.ident))
    if one.zone:
        body += attribute(_ZONE, struct.pack(">H", one.zone))
    return message(DELETE, REQUEST | ACK, family, body)


def message(kind: int, flags: int, family: int, body: bytes) -> bytes:
    """Write one message; ``family`` is AF_INET or AF_INET6, 0 for both."""
    return _HEAD.pack(20 + len(body), kind, flags, 1, 0) + bytes((family, 0, 0, 0)) + body


def attribute(kind: int, value: bytes) -> bytes:
    """Write one attribute, padded."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)
