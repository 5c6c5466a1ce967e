"""Transports of few fields: UDP, SCTP, ESP and IGMP. Each starts at the cursor and moves it."""

from __future__ import annotations

from appliance.model.packet import Packet


def udp(packet: Packet) -> None:
    """Read a UDP header (RFC 768); the payload is trimmed to its length."""
    frame = packet.frame
    off = packet.payload_off
    left = packet.payload_len
    if left < 8:
        packet.note("udp.hlen_too_small")
        return
    length = frame[off + 4] << 8 | frame[off + 5]
    if left < length or length < 8:
        packet.note("udp.pkt_too_small" if left < length else "udp.len_invalid")
        return
    packet.sport = frame[off] << 8 | frame[off + 1]
    packet.dport = frame[off + 2] << 8 | frame[off + 3]
    packet.payload_off = off + 8
    packet.payload_len = length - 8


def sctp(packet: Packet) -> None:
    """Read SCTP's common header (RFC 9260); the payload is its chunks."""
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 12:
        packet.note("sctp.pkt_too_small")
        return
    packet.sport = frame[off] << 8 | frame[off + 1]
    packet.dport = frame[off + 2] << 8 | frame[off + 3]
    packet.payload_off = off + 12
    packet.payload_len -= 12


def esp(packet: Packet) -> None:
    """Check that ESP has its SPI and sequence number (RFC 4303); they stay part of the payload."""
    if packet.payload_len < 8:
        packet.note("esp.pkt_too_small")


def igmp(packet: Packet) -> None:
    """Check that an IGMP message is whole (RFC 2236, RFC 3376); it stays the payload."""
    if packet.payload_len < 8:
        packet.note("igmp.pkt_too_small")
