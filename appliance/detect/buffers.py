"""Buffers that detection fills by itself: headers of the packet and properties of files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_IGMP, PROTO_TCP, PROTO_UDP

if TYPE_CHECKING:
    from appliance.model.app import BufferValue, Transaction
    from appliance.model.packet import Packet

PacketBuffer = Callable[["Packet"], bytes | None]


def _ip_header(version: int) -> PacketBuffer:
    """Header with options or extension headers."""

    def take(packet: Packet) -> bytes | None:
        if packet.ip_version != version:
            return None
        end = packet.ip_off + packet.ip_hlen
        if version == 6:
            end = max(packet.ip_off + 40, packet.l4_off)
        return packet.frame[packet.ip_off : end]

    return take


def _l4_header(protocol: int, size: int) -> PacketBuffer:
    """Header above IP; size 0 means as long as the packet says (TCP) or all of it (IGMP)."""

    def take(packet: Packet) -> bytes | None:
        if packet.proto != protocol or not packet.l4_off:
            return None
        length = size or packet.tcp_hlen or packet.ip_off + packet.ip_len - packet.l4_off
        return packet.frame[packet.l4_off : packet.l4_off + length]

    return take


def _source(packet: Packet) -> bytes | None:
    return packet.src or None


def _destination(packet: Packet) -> bytes | None:
    return packet.dst or None


def _icmp4_header(packet: Packet) -> bytes | None:
    """Header of ICMP with the fields that its type has behind the first eight bytes (RFC 792, 950, 1256)."""
    if packet.proto != PROTO_ICMP or not packet.l4_off:
        return None
    size = _ICMP4_SIZES.get(packet.icmp_type, 8)
    if packet.icmp_type == _ROUTER_ADVERTISEMENT:
        counts = packet.frame[packet.l4_off + 4 : packet.l4_off + 6]
        size += 4 * counts[0] * counts[1] if len(counts) == 2 else 0
    end = packet.ip_off + packet.ip_len
    return packet.frame[packet.l4_off : min(packet.l4_off + size, end)]


_ROUTER_ADVERTISEMENT = 9
# Bytes of the header by type: timestamps, address masks.
_ICMP4_SIZES = {13: 20, 14: 20, 17: 12, 18: 12}

PACKET_BUFFERS: dict[str, PacketBuffer] = {
    "ipv4.hdr": _ip_header(4),
    "ipv6.hdr": _ip_header(6),
    "tcp.hdr": _l4_header(PROTO_TCP, 0),
    "udp.hdr": _l4_header(PROTO_UDP, 8),
    "icmpv4.hdr": _icmp4_header,
    "icmpv6.hdr": _l4_header(PROTO_ICMPV6, 8),
    "igmp.hdr": _l4_header(PROTO_IGMP, 0),
    "ip.src": _source,
    "ip.dst": _destination,
}
# IP protocol that a header buffer needs, for grouping.
BUFFER_PROTOCOLS: dict[str, int] = {
    "tcp.hdr": PROTO_TCP,
    "udp.hdr": PROTO_UDP,
    "icmpv4.hdr": PROTO_ICMP,
    "icmpv6.hdr": PROTO_ICMPV6,
    "igmp.hdr": PROTO_IGMP,
}


def _file_names(tx: Transaction, direction: int) -> BufferValue:
    return [file.name for file in tx.files if file.direction == direction] or None


def _file_magic(tx: Transaction, direction: int) -> BufferValue:
    return [file.magic.encode() for file in tx.files if file.direction == direction and file.magic] or None


def _file_data(tx: Transaction, direction: int) -> BufferValue:
    return [bytes(file.data) for file in tx.files if file.direction == direction] or None


# Used for transactions whose protocol does not declare the buffer itself.
FILE_BUFFERS: dict[str, Callable[[Transaction, int], BufferValue]] = {
    "file.name": _file_names,
    "file.magic": _file_magic,
    "file.data": _file_data,
}
