"""IPv6 header and the walk along its extension headers (RFC 8200)."""

from __future__ import annotations

from typing import Final

from appliance.decode.ipv6options import check_options
from appliance.model.packet import Packet

# hop-by-hop, routing, fragment, AH, none, destination options, mobility, HIP, shim6
_EXTENSIONS: Final = frozenset({0, 43, 44, 51, 59, 60, 135, 139, 140})
_UPPER: Final = frozenset({4, 6, 17, 41, 47, 50, 58, 132})

# How often a header may stand in one packet, and what to note beyond.
_TWICE: Final[dict[int, tuple[int, str]]] = {
    0: (1, "ipv6.exthdr_dupl_hh"),
    43: (1, "ipv6.exthdr_dupl_rh"),
    44: (1, "ipv6.exthdr_dupl_fh"),
    51: (1, "ipv6.exthdr_dupl_ah"),
    60: (2, "ipv6.exthdr_dupl_dh"),
}


def ipv6(packet: Packet) -> int:
    """Read the header at the cursor, its extension headers, and trim the payload to its length.

    Returns:
        The protocol to decode next, or -1: malformed, a fragment (left to reassembly), or nothing to decode.
    """
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 40:
        packet.note("ipv6.pkt_too_small")
        return -1
    if frame[off] >> 4 != 6:
        packet.note("ipv6.wrong_ip_version")
        return -1
    length = frame[off + 4] << 8 | frame[off + 5]
    if packet.payload_len < 40 + length:
        packet.note("ipv6.trunc_pkt")
        return -1
    packet.ip_version = 6
    packet.ip_off = off
    packet.ip_hlen = 40
    packet.ip_len = 40 + length
    packet.tos = (frame[off] & 15) << 4 | frame[off + 1] >> 4
    packet.ttl = frame[off + 7]
    packet.src = frame[off + 8 : off + 24]
    packet.dst = frame[off + 24 : off + 40]
    packet.payload_off = off + 40
    packet.payload_len = length
    proto = frame[off + 6]
    packet.proto = proto
    if proto not in (6, 17):
        proto = _follow(packet, proto)
    packet.l4_off = packet.payload_off
    packet.ip_hlen = packet.payload_off - off
    return proto


def _follow(packet: Packet, proto: int) -> int:
    """Walk extension headers from ``proto`` on, up to a protocol that is none."""
    if proto in _EXTENSIONS:
        proto = _walk(packet, proto)
        if proto < 0:
            return -1
    packet.proto = proto
    if proto == 1:
        packet.note("ipv6.icmpv4")
        return -1
    if proto not in _UPPER:
        packet.note("ipv6.unknown_next_header")
        return -1
    return proto


def _walk(packet: Packet, proto: int) -> int:
    """Step over extension headers; each is at least 8 bytes, so their number is bounded."""
    seen: list[int] = []
    prev = packet.ip_off + 6  # where the byte stands that names the header at the cursor
    while True:
        packet.proto = proto
        if proto == 59:
            if packet.payload_len:
                packet.note("ipv6.data_after_none_header")
            break
        if packet.payload_len < 2:
            packet.note("ipv6.trunc_exthdr")
            break
        if proto not in _EXTENSIONS:
            packet.ext_headers = tuple(seen)
            return proto
        off = packet.payload_off
        size = _size(packet, proto)
        if size > packet.payload_len:
            packet.note("ipv6.trunc_exthdr")
            break
        repeated = _repeated(packet, proto, seen)
        seen.append(proto)
        if not repeated and _header(packet, proto, prev):
            packet.proto = packet.frame[off]
            break
        proto = packet.frame[off]
        prev = off
        packet.payload_off = off + size
        packet.payload_len -= size
    packet.ext_headers = tuple(seen)
    return -1


def _size(packet: Packet, proto: int) -> int:
    """Size in bytes of the extension header at the cursor, of which two are there."""
    if proto == 44:
        return 8
    units = packet.frame[packet.payload_off + 1]
    if proto == 51:  # counts 4-byte words after the second (RFC 4302)
        return 12 + (units - 1) * 4 if units else 12
    return 8 + units * 8


def _repeated(packet: Packet, proto: int, seen: list[int]) -> bool:
    """Note a header that stands more often than it may; it is stepped over unread."""
    limit = _TWICE.get(proto)
    if limit is None or proto not in seen or seen.count(proto) < limit[0]:
        return False
    packet.note(limit[1])
    return True


def _header(packet: Packet, proto: int, prev: int) -> bool:
    """Check one whole extension header at the cursor; True when it makes the packet a fragment."""
    frame = packet.frame
    off = packet.payload_off
    if proto == 44:
        return _fragment(packet, prev)
    if proto in (0, 60):
        check_options(packet, proto, off + 2, off + 8 + frame[off + 1] * 8)
    elif proto == 43:
        if frame[off + 2] == 0:
            packet.note("ipv6.rh_type_0")
    elif proto == 51 and (frame[off + 2] or frame[off + 3]):
        packet.note("ipv6.exthdr_ah_res_not_null")
    return False


def _fragment(packet: Packet, prev: int) -> bool:
    """Read a fragment header. One that neither starts nor continues a train is stepped over."""
    frame = packet.frame
    off = packet.payload_off
    if frame[off + 1]:
        packet.note("ipv6.fh_non_zero_reserved_field")
    word = frame[off + 2] << 8 | frame[off + 3]
    packet.ip_id = _u32(frame, off + 4)
    if word & 0xFFF9 == 0:
        packet.note("ipv6.exthdr_useless_fh")
        return False
    packet.frag_off = word & 0xFFF8
    packet.more_frags = word & 1 != 0
    packet.frag_hdr = off
    packet.frag_prev = prev
    packet.payload_off = off + 8
    packet.payload_len -= 8
    return True


def _u32(frame: bytes, off: int) -> int:
    return int.from_bytes(frame[off : off + 4], "big")
