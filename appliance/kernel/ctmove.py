"""Connections of the kernel that move to another host, as plain data, and messages that set them up there.

An entry says what the kernel's table knows of a connection: its ends, whether it was answered, TCP's state
and options, when it times out. Marks stay behind: they belong to the epoch of a host. So do NAT and helpers,
which bridged traffic has none of. What arrives is checked field by field, and the message is made of checked
fields, never of bytes that somebody has sent.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from appliance.kernel import ctmessage as ct

_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _TIMEOUT, _MARK, _ZONE = 1, 2, 3, 4, 7, 8, 18
_IP, _PROTO = 1, 2
_TCP, _UDP, _SCTP = 6, 17, 132
_PORTED = frozenset((_TCP, _UDP, _SCTP))
_ICMP, _ICMPV6 = 1, 58
_ANSWERS = {8: 0, 13: 14, 15: 16, 17: 18, 128: 129}  # echo, timestamp, information, mask; ICMPv6 echo
_NESTED = 0x8000
_CREATE, _EXCLUSIVE = 0x400, 0x200
_SEEN_REPLY, _ASSURED, _CONFIRMED = 0x2, 0x4, 0x8  # enum ip_conntrack_status
_CARRIED = _SEEN_REPLY | _ASSURED
_PROTOINFO_TCP = 1
_TCP_STATE, _SCALE_ORIG, _SCALE_REPLY, _FLAGS_ORIG, _FLAGS_REPLY = 1, 2, 3, 4, 5
_TCP_STATES = 9  # enum tcp_conntrack up to TCP_CONNTRACK_SYN_SENT2
_TIME_WAIT = 7  # TCP_CONNTRACK_TIME_WAIT
_LONGEST = 5 * 24 * 3600  # seconds; what the kernel gives an established connection


@dataclass(frozen=True, slots=True)
class Entry:
    """One connection in the direction of its first packet.

    ``ports`` are those of source and destination; for ICMP the identifier, and type and code in one number.
    ``timeout`` is in seconds, ``tcp`` its state, the window scales and the flags of both directions.
    """

    proto: int
    source: bytes
    destination: bytes
    ports: tuple[int, int]
    answered: bool
    assured: bool
    timeout: int
    tcp: tuple[int, int, int, int, int] | None = None

    @property
    def over(self) -> bool:
        """Tell whether both ends have closed it."""
        return self.tcp is not None and self.tcp[0] == _TIME_WAIT

    def pack(self) -> list[object]:
        """Give the entry as data that JSON can carry."""
        flags = self.answered | self.assured << 1
        ends = [self.source.hex(), self.destination.hex(), *self.ports]
        return [self.proto, *ends, flags, self.timeout, list(self.tcp) if self.tcp is not None else None]


def unpack(data: object) -> Entry | None:
    """Read what :meth:`Entry.pack` gave; None where anything is not as it should be."""
    if not isinstance(data, list) or len(data) != 8:
        return None
    proto, source, destination, sport, dport, flags, timeout, tcp = data
    ends = _address(source), _address(destination)
    if ends[0] is None or ends[1] is None or len(ends[0]) != len(ends[1]):
        return None
    numbers = ((proto, 255), (sport, 65_535), (dport, 65_535), (flags, 3), (timeout, _LONGEST))
    if not all(_within(value, most) for value, most in numbers):
        return None
    if (proto == _TCP) != (tcp is not None) or (tcp is not None and not _is_tcp(tcp)):
        return None
    options = (tcp[0], tcp[1], tcp[2], tcp[3], tcp[4]) if tcp is not None else None
    return Entry(
        proto, ends[0], ends[1], (sport, dport), flags & 1 == 1, flags & 2 == 2, max(1, timeout), options
    )


def _address(value: object) -> bytes | None:
    if not isinstance(value, str) or len(value) not in {8, 32}:
        return None
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def _within(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_tcp(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 5:
        return False
    return all(_within(one, most) for one, most in zip(value, (_TCP_STATES, 14, 14, 255, 255), strict=True))


def read(body: bytes) -> tuple[int, Entry] | None:
    """Read zone and entry from a message of the kernel; None for what cannot move, such as NAT."""
    found = dict(ct.attributes(body[4:]))
    ends, back = _ends(found.get(_TUPLE_ORIG, b"")), _ends(found.get(_TUPLE_REPLY, b""))
    if ends is None or back is None or (back[1], back[2]) != (ends[2], ends[1]):
        return None
    proto, source, destination, ports = ends
    if proto in _PORTED and back[3] != ports[::-1]:
        return None
    status, timeout = _number(found.get(_STATUS, b"")), min(_number(found.get(_TIMEOUT, b"")), _LONGEST)
    tcp = _tcp(found.get(_PROTOINFO, b"")) if proto == _TCP else None
    if proto == _TCP and tcp is None:
        return None
    entry = Entry(
        proto,
        source,
        destination,
        ports,
        status & _SEEN_REPLY != 0,
        status & _ASSURED != 0,
        max(1, timeout),
        tcp,
    )
    return _number(found.get(_ZONE, b"")), entry


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big") if len(value) <= 4 else 0


def _ends(raw: bytes) -> tuple[int, bytes, bytes, tuple[int, int]] | None:
    parts = dict(ct.attributes(raw))
    addresses = dict(ct.attributes(parts.get(_IP, b"")))
    numbers = dict(ct.attributes(parts.get(_PROTO, b"")))
    source = addresses.get(1) or addresses.get(3) or b""
    destination = addresses.get(2) or addresses.get(4) or b""
    if len(source) not in {4, 16} or len(source) != len(destination) or len(numbers.get(1, b"")) != 1:
        return None
    proto = numbers[1][0]
    if proto in {_ICMP, _ICMPV6}:
        ident, kind, code = (4, 5, 6) if proto == _ICMP else (7, 8, 9)
        both = _number(numbers.get(kind, b"")) << 8 | _number(numbers.get(code, b""))
        return proto, source, destination, (_number(numbers.get(ident, b"")), both & 0xFFFF)
    return proto, source, destination, (_number(numbers.get(2, b"")), _number(numbers.get(3, b"")))


def _tcp(info: bytes) -> tuple[int, int, int, int, int] | None:
    inner = dict(ct.attributes(dict(ct.attributes(info)).get(_PROTOINFO_TCP, b"")))
    try:
        values = [
            inner[kind][0] for kind in (_TCP_STATE, _SCALE_ORIG, _SCALE_REPLY, _FLAGS_ORIG, _FLAGS_REPLY)
        ]
    except (KeyError, IndexError):
        return None
    state, *scales_and_flags = values
    if state > _TCP_STATES:
        return None
    first, second, third, fourth = scales_and_flags
    return state, min(first, 14), min(second, 14), third, fourth


def create_request(entry: Entry, zone: int) -> bytes | None:
    """Make the message that sets a connection up in ``zone``; None for a protocol that cannot be set up."""
    ends = _tuple(entry, entry.source, entry.destination, entry.ports)
    back = _tuple(entry, entry.destination, entry.source, _returned(entry))
    if ends is None or back is None:
        return None
    status = _CONFIRMED | _SEEN_REPLY * entry.answered | _ASSURED * entry.assured
    body = _nested(_TUPLE_ORIG, ends) + _nested(_TUPLE_REPLY, back)
    body += _attribute(_STATUS, struct.pack(">I", status)) + _attribute(
        _TIMEOUT, struct.pack(">I", entry.timeout)
    )
    if entry.tcp is not None:
        body += _nested(_PROTOINFO, _nested(_PROTOINFO_TCP, _tcp_attributes(entry.tcp)))
    if zone:
        body += _attribute(_ZONE, struct.pack(">H", zone))
    family = 2 if len(entry.source) == 4 else 10
    return ct.message(ct.NEW, ct.REQUEST | ct.ACK | _CREATE | _EXCLUSIVE, family, body)


def _returned(entry: Entry) -> tuple[int, int]:
    """Give the ports of the answer; ICMP answers with another type."""
    if entry.proto not in {_ICMP, _ICMPV6}:
        return entry.ports[1], entry.ports[0]
    ident, both = entry.ports
    return ident, _ANSWERS.get(both >> 8, both >> 8) << 8 | both & 0xFF


def _tuple(entry: Entry, source: bytes, destination: bytes, ports: tuple[int, int]) -> bytes | None:
    first = 1 if len(source) == 4 else 3
    ip = _attribute(first, source) + _attribute(first + 1, destination)
    proto = _attribute(1, bytes((entry.proto,)))
    if entry.proto in _PORTED:
        proto += _attribute(2, struct.pack(">H", ports[0])) + _attribute(3, struct.pack(">H", ports[1]))
    elif entry.proto in {_ICMP, _ICMPV6}:
        if entry.ports[1] >> 8 not in _ANSWERS:
            return None
        start = 4 if entry.proto == _ICMP else 7
        proto += _attribute(start, struct.pack(">H", ports[0]))
        proto += _attribute(start + 1, bytes((ports[1] >> 8,))) + _attribute(
            start + 2, bytes((ports[1] & 0xFF,))
        )
    return _nested(_IP, ip) + _nested(_PROTO, proto)


def _tcp_attributes(tcp: tuple[int, int, int, int, int]) -> bytes:
    state, scale_out, scale_back, flags_out, flags_back = tcp
    kinds = (_TCP_STATE, _SCALE_ORIG, _SCALE_REPLY)
    plain = b"".join(
        _attribute(kind, bytes((value,)))
        for kind, value in zip(kinds, (state, scale_out, scale_back), strict=True)
    )
    masks = ((_FLAGS_ORIG, flags_out), (_FLAGS_REPLY, flags_back))  # struct nf_ct_tcp_flags: flags, mask
    return plain + b"".join(_attribute(kind, bytes((flags, 0xFF))) for kind, flags in masks)


def _attribute(kind: int, value: bytes) -> bytes:
    return ct.attribute(kind, value)


def _nested(kind: int, value: bytes) -> bytes:
    return ct.attribute(kind | _NESTED, value)
