"""IPv4 header and options (RFC 791)."""

from __future__ import annotations

from appliance.decode.ipoptions import walk
from appliance.model.cut import cut
from appliance.model.packet import Packet


def ipv4(packet: Packet) -> int:
    """Read the header at the cursor and trim the payload to its total length.

    Returns:
        The protocol to decode next, or -1: malformed, or a fragment (left to reassembly).
    """
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 20 or off < 0 or off + 20 > len(frame):
        packet.note("ipv4.pkt_too_small")
        return -1
    head = frame  # a pointer when compiled: bounds are checked above
    first = head[off]
    hlen = (first & 15) << 2
    total = head[off + 2] << 8 | head[off + 3]
    if first >> 4 != 4 or hlen < 20 or total < hlen or packet.payload_len < total:
        packet.note(_why(first >> 4, hlen, total))
        return -1
    packet.ip_version = 4
    packet.ip_off = off
    packet.ip_hlen = hlen
    packet.ip_len = total
    packet.tos = head[off + 1]
    packet.ip_id = head[off + 4] << 8 | head[off + 5]
    packet.ttl = head[off + 8]
    packet.proto = head[off + 9]
    packet.src = cut(frame, off + 12, off + 16)
    packet.dst = cut(frame, off + 16, off + 20)
    packet.l4_off = off + hlen
    packet.payload_off = off + hlen
    packet.payload_len = total - hlen
    if hlen > 20:
        walk(packet, off + 20, off + hlen)
    flags = head[off + 6] << 8 | head[off + 7]
    if flags:
        packet.dont_frag = flags & 0x4000 != 0
        packet.ip_reserved = flags & 0x8000 != 0
        packet.more_frags = flags & 0x2000 != 0
        packet.frag_off = (flags & 0x1FFF) << 3
        if flags & 0x3FFF:
            return -1
    return packet.proto


def _why(version: int, hlen: int, total: int) -> str:
    """Name the first thing wrong with a header that was refused."""
    if version != 4:
        return "ipv4.wrong_ip_version"
    if hlen < 20:
        return "ipv4.hlen_too_small"
    return "ipv4.iplen_smaller_than_hlen" if total < hlen else "ipv4.trunc_pkt"
