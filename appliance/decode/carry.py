"""The packet inside a packet."""

from __future__ import annotations

from appliance.decode.numbers import LINK_RAW
from appliance.model.packet import Packet


def carry(packet: Packet, name: str, off: int, length: int) -> Packet:
    """Make the packet that ``packet`` carries at ``frame[off:off + length]`` and hang it on ``packet.inner``.

    ``name`` says how it is carried: "ipv4" and "ipv6" straight in IP, or "gre", "erspan", "vxlan", "geneve",
    "teredo". It shares the frame; its cursor stands at its first byte.
    """
    inner = Packet(packet.frame, LINK_RAW, packet.now, packet.number)
    inner.start = off
    inner.payload_off = off
    inner.payload_len = length
    inner.wirelen = length
    inner.depth = packet.depth + 1
    inner.tenant = packet.tenant
    inner.place = packet.place
    inner.tunnel = name
    inner.outer = packet
    packet.inner = inner
    return inner
