"""Tunnels directly over IP: IP in IP, GRE (RFC 2784, 2890, 1701; version 1: RFC 2637) and ERSPAN.

Each function looks at ``packet``'s payload. When it carries another packet, that hangs on
``packet.inner`` afterwards and the function returns the EtherType its first bytes have; otherwise -1.
"""

from __future__ import annotations

from typing import Final

from appliance.decode.carry import carry
from appliance.decode.numbers import ETH_BRIDGE, ETH_PPP
from appliance.model.packet import Packet

# GRE protocols that are followed, as they stand in the header.
_GRE_CARRIES: Final = frozenset({0x0800, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x8848, 0x894F, ETH_BRIDGE, ETH_PPP})


def ip_in_ip(packet: Packet) -> int:
    """Take IPv4 carried straight in IP (RFC 2003, RFC 2473)."""
    return _ip(packet, 4, 20, 0x0800, "ipv6.ipv4_in_ipv6_too_small", "ipv6.ipv4_in_ipv6_wrong_version")


def ipv6_in_ip(packet: Packet) -> int:
    """Take IPv6 carried straight in IP (RFC 4213, RFC 2473)."""
    return _ip(packet, 6, 40, 0x86DD, "ipv6.ipv6_in_ipv6_too_small", "ipv6.ipv6_in_ipv6_wrong_version")


def _ip(packet: Packet, version: int, least: int, kind: int, small: str, wrong: str) -> int:
    """Check the carried header only inside IPv6: inside IPv4 the carried packet says it of itself."""
    if packet.ip_version == 6:
        if packet.payload_len < least:
            packet.note(small)
            return -1
        if packet.frame[packet.payload_off] >> 4 != version:
            packet.note(wrong)
            return -1
    carry(packet, "ipv4" if packet.ip_version == 4 else "ipv6", packet.payload_off, packet.payload_len)
    return kind


def gre(packet: Packet, erspan1: bool = True) -> int:
    """Take what GRE carries; ERSPAN type I only if ``erspan1``."""
    if packet.payload_len < 4:
        packet.note("gre.pkt_too_small")
        return -1
    version = packet.frame[packet.payload_off + 1] & 7
    if version == 0:
        size = _version0(packet)
    elif version == 1:
        size = _version1(packet)
    else:
        packet.note("gre.wrong_version")
        return -1
    if size < 0:
        return -1
    return _carried(packet, size, erspan1)


def _version0(packet: Packet) -> int:
    """Give the size of a version 0 header, or -1."""
    first = packet.frame[packet.payload_off]
    second = packet.frame[packet.payload_off + 1]
    anomaly = None
    if first & 0x07:
        anomaly = "gre.version0_recur"
    elif second & 0xF8:
        anomaly = "gre.version0_flags"
    size = 4
    if first & 0xC0:
        size += 4  # checksum and offset: both when either is there
    size += (4 if first & 0x20 else 0) + (4 if first & 0x10 else 0)  # key, sequence number
    if anomaly is None and size > packet.payload_len:
        anomaly = "gre.version0_hdr_too_big"
    if anomaly is not None:
        packet.note(anomaly)
        return -1
    return _source_routes(packet, size) if first & 0x40 else size


def _source_routes(packet: Packet, size: int) -> int:
    """Step over source route entries (RFC 1701); each takes 4 bytes or more."""
    frame = packet.frame
    off = packet.payload_off
    end = packet.payload_len
    while size + 4 <= end:
        family = frame[off + size] << 8 | frame[off + size + 1]
        length = frame[off + size + 3]
        size += 4
        if family == 0 and length == 0:
            return size
        size += length
    packet.note("gre.version0_malformed_sre_hdr")
    return -1


def _version1(packet: Packet) -> int:
    """Give the size of a version 1 header, or -1."""
    first = packet.frame[packet.payload_off]
    second = packet.frame[packet.payload_off + 1]
    size = 8 + (4 if first & 0x10 else 0) + (4 if second & 0x80 else 0)  # key; sequence number; ack
    anomaly = _version1_fault(first, second, _protocol(packet))
    if anomaly is None and size > packet.payload_len:
        anomaly = "gre.version1_hdr_too_big"
    if anomaly is not None:
        packet.note(anomaly)
        return -1
    return size


# Bits of the first byte that version 1 has no use for.
_VERSION1_FIRST: Final = (
    (0x80, "gre.version1_chksum"),
    (0x40, "gre.version1_route"),
    (0x08, "gre.version1_ssr"),
    (0x07, "gre.version1_recur"),
)


def _version1_fault(first: int, second: int, proto: int) -> str | None:
    for mask, anomaly in _VERSION1_FIRST:
        if first & mask:
            return anomaly
    if second & 0x78:
        return "gre.version1_flags"
    if proto != ETH_PPP:
        return "gre.version1_wrong_protocol"
    return None if first & 0x20 else "gre.version1_no_key"


def _protocol(packet: Packet) -> int:
    off = packet.payload_off
    return packet.frame[off + 2] << 8 | packet.frame[off + 3]


def _carried(packet: Packet, size: int, erspan1: bool) -> int:
    """Hand on what follows a GRE header of ``size`` bytes."""
    kind = _protocol(packet)
    off = packet.payload_off + size
    left = packet.payload_len - size
    if kind in _GRE_CARRIES:
        if left:
            carry(packet, "gre", off, left)
            return kind
    elif kind == 0x88BE:
        if packet.frame[packet.payload_off] & 0x10:
            return _erspan(packet, off, left, 1)
        if erspan1:  # no header of its own, and no sequence number to tell it by
            carry(packet, "erspan", off, left)
            return ETH_BRIDGE
    elif kind == 0x22EB:
        return _erspan(packet, off, left, 2)
    return -1


def _erspan(packet: Packet, off: int, left: int, version: int) -> int:
    """Step over an ERSPAN header, type II (version 1) or III (version 2); its VLAN is the carried frame's."""
    frame = packet.frame
    size = 8 if version == 1 else 12
    if left < size:
        packet.note("erspan.header_too_small")
        return -1
    if frame[off] >> 4 != version:
        packet.note("erspan.unsupported_version")
        return -1
    if version == 2 and frame[off + 11] & 1:
        size += 8  # platform specific subheader
        if left < size:
            packet.note("erspan.header_too_small")
            return -1
    inner = carry(packet, "erspan", off + size, left - size)
    vlan = (frame[off] & 0x0F) << 8 | frame[off + 1]
    if vlan:
        inner.vlans = (vlan,)
    return ETH_BRIDGE
