"""Tunnels over UDP: VXLAN (RFC 7348), Geneve (RFC 8926) and Teredo (RFC 4380).

What runs on their ports need not be a tunnel: a payload that does not look like one is left alone.
Each function returns the EtherType of the carried packet's first bytes, or -1, as in ``decode.tunnel``.
"""

from __future__ import annotations

from typing import Final

from appliance.decode.carry import carry
from appliance.decode.numbers import ETH_BRIDGE
from appliance.model.packet import Packet

VXLAN, GENEVE, TEREDO = 1, 2, 4

_CARRIES: Final = frozenset(
    {0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864, 0x894F}
)


def udp_tunnel(packet: Packet, wanted: int) -> int:
    """Try the tunnels in ``wanted`` (a sum of VXLAN, GENEVE, TEREDO) on ``packet``'s payload."""
    kind = -1
    if wanted & VXLAN:
        kind = vxlan(packet)
    if kind < 0 and wanted & GENEVE:
        kind = geneve(packet)
    if kind < 0 and wanted & TEREDO:
        kind = teredo(packet)
    return kind


def vxlan(packet: Packet) -> int:
    """Take the Ethernet frame after a VXLAN header."""
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 22:
        return -1
    if not frame[off] & 0x08 or frame[off + 7]:
        return -1
    if _type_at(frame, off + 20) not in _CARRIES:
        packet.note("vxlan.unknown_payload_type")
        return -1
    carry(packet, "vxlan", off + 8, packet.payload_len - 8)
    return ETH_BRIDGE


def geneve(packet: Packet) -> int:
    """Take the frame or IP packet after a Geneve header."""
    frame = packet.frame
    off = packet.payload_off
    if packet.payload_len < 8:
        return -1
    size = 8 + (frame[off] & 0x3F) * 4
    if frame[off] >> 6 or frame[off + 1] & 0x3F or frame[off + 7] or packet.payload_len < size:
        return -1
    if not _options_fit(frame, off + 8, off + size):
        return -1
    kind = _type_at(frame, off + 2)
    if kind not in _CARRIES and kind != ETH_BRIDGE:
        packet.note("geneve.unknown_payload_type")
        return -1
    carry(packet, "geneve", off + size, packet.payload_len - size)
    return kind


def _options_fit(frame: bytes, at: int, end: int) -> bool:
    """Tell whether Geneve options fill their space exactly; each takes 4 bytes or more."""
    while at < end:
        at += 4 + (frame[at + 3] & 0x1F) * 4
    return at == end


def teredo(packet: Packet) -> int:
    """Take the IPv6 packet of Teredo, after an origin indication if there is one.

    Nothing in it says that it is Teredo, so it must be IPv6 of exactly the right length.
    """
    frame = packet.frame
    off = packet.payload_off
    left = packet.payload_len
    if left < 40:
        return -1
    if frame[off] == 0:
        if frame[off + 1] != 0 or left < 48:
            return -1
        off += 8
        left -= 8
    length = frame[off + 4] << 8 | frame[off + 5]
    if frame[off] >> 4 != 6 or frame[off + 7] == 0 or left != 40 + length:
        return -1
    if frame[off + 6] == 0 and length < 8:
        return -1
    carry(packet, "teredo", off, left)
    return 0x86DD


def _type_at(frame: bytes, off: int) -> int:
    return frame[off] << 8 | frame[off + 1]
