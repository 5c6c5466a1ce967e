"""ARP over Ethernet for IPv4 (RFC 826)."""

from __future__ import annotations

from appliance.decode.ethernet import u16
from appliance.model.packet import Packet

_SIZE = 28
_LONGEST = 50  # the least Ethernet payload (46) and a frame check sequence that was captured too
_OPERATIONS = frozenset({1, 2, 3, 4, 8, 9})  # ARP, RARP, InARP: request and reply


def arp(packet: Packet) -> int:
    """Read addresses and operation; what is not Ethernet and IPv4 is noted and left alone."""
    if packet.payload_len < _SIZE:
        packet.note("arp.pkt_too_small")
        return -1
    anomaly = _mismatch(packet)
    if anomaly is not None:
        packet.note(anomaly)
        return -1
    frame = packet.frame
    off = packet.payload_off
    packet.arp_op = u16(packet, 6)
    packet.arp_sha = frame[off + 8 : off + 14]
    packet.arp_spa = frame[off + 14 : off + 18]
    packet.arp_tha = frame[off + 18 : off + 24]
    packet.arp_tpa = frame[off + 24 : off + 28]
    packet.payload_off = off + _SIZE
    packet.payload_len = 0
    if packet.arp_op not in _OPERATIONS:
        packet.note("arp.unsupported_opcode")
    return -1


def _mismatch(packet: Packet) -> str | None:
    off = packet.payload_off
    if u16(packet, 0) != 1:
        return "arp.unsupported_hardware"
    if u16(packet, 2) != 0x0800:
        return "arp.unsupported_protocol"
    if packet.frame[off + 4] != 6:
        return "arp.invalid_hardware_size"
    if packet.frame[off + 5] != 4:
        return "arp.invalid_protocol_size"
    return "arp.unsupported_pkt" if packet.payload_len > _LONGEST else None
