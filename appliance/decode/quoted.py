"""The packet that an ICMP error quotes: whose flow the error is about."""

from __future__ import annotations

from typing import Final

from appliance.model.packet import Packet

Quoted = tuple[int, bytes, bytes, int, int]

_WITH_PORTS: Final = frozenset({6, 17, 33, 132, 136})
_SKIPPED6: Final = frozenset({0, 43, 60, 135})
_MOST_HEADERS: Final = 8


def embedded(packet: Packet) -> Quoted | None:
    """Give ``(proto, src, dst, sport, dport)`` of the packet quoted by an ICMP or ICMPv6 error.

    Ports are 0 where the quotation is too short, a later fragment, or of a protocol without them. For
    a quoted ICMP or ICMPv6 message, ``sport`` is ``type << 8 | code`` and ``dport`` its identifier.
    None when ``packet`` is no error message or quotes nothing usable.
    """
    if packet.proto == 1 and packet.ip_version == 4 and packet.icmp_type in (3, 4, 5, 11, 12):
        return _ipv4(packet.frame, packet.payload_off, packet.payload_off + packet.payload_len)
    if packet.proto == 58 and packet.ip_version == 6 and packet.icmp_type in (1, 2, 3, 4):
        return _ipv6(packet.frame, packet.payload_off, packet.payload_off + packet.payload_len)
    return None


def _ipv4(frame: bytes, off: int, end: int) -> Quoted | None:
    if end - off < 20 or frame[off] >> 4 != 4 or frame[off] & 15 < 5:
        return None
    fragment = (frame[off + 6] & 0x1F) << 8 | frame[off + 7]
    l4 = end if fragment else off + (frame[off] & 15) * 4
    return _with_ports(frame, frame[off + 9], frame[off + 12 : off + 16], frame[off + 16 : off + 20], l4, end)


def _ipv6(frame: bytes, off: int, end: int) -> Quoted | None:
    if end - off < 40 or frame[off] >> 4 != 6:
        return None
    proto = frame[off + 6]
    l4 = off + 40
    for _ in range(_MOST_HEADERS):
        if end - l4 < 8:
            break
        if proto == 44:
            later = frame[l4 + 2] or frame[l4 + 3] & 0xF8
            proto = frame[l4]
            l4 = end if later else l4 + 8
        elif proto in _SKIPPED6:
            proto, l4 = frame[l4], l4 + 8 + frame[l4 + 1] * 8
        else:
            break
    return _with_ports(frame, proto, frame[off + 8 : off + 24], frame[off + 24 : off + 40], l4, end)


def _with_ports(frame: bytes, proto: int, src: bytes, dst: bytes, l4: int, end: int) -> Quoted:
    if proto in _WITH_PORTS and end - l4 >= 4:
        return proto, src, dst, frame[l4] << 8 | frame[l4 + 1], frame[l4 + 2] << 8 | frame[l4 + 3]
    if proto in (1, 58) and end - l4 >= 8:
        return proto, src, dst, frame[l4] << 8 | frame[l4 + 1], frame[l4 + 4] << 8 | frame[l4 + 5]
    return proto, src, dst, 0, 0
