"""Packets that nobody sent: they carry the end of a flow through detection."""

from __future__ import annotations

from appliance.model.flow import Flow
from appliance.model.packet import PROTO_TCP, TH_ACK, TOCLIENT, TOSERVER, Packet

_LINKTYPE_RAW = 101


def pseudo_packet(flow: Flow, direction: int, now: int) -> Packet:
    """Make a packet without payload that belongs to ``flow`` and goes in ``direction``."""
    packet = Packet(b"", _LINKTYPE_RAW, now, 0)
    packet.pseudo = True
    packet.flow = flow
    packet.direction = direction
    packet.ip_version = flow.ip_version
    packet.proto = flow.proto
    packet.vlans = flow.vlans
    packet.depth = flow.depth
    packet.tcp_flags = TH_ACK if flow.proto == PROTO_TCP else 0
    if direction == TOSERVER:
        _ends(packet, flow.client, flow.server, flow.cport, flow.sport)
        packet.src_if, packet.dst_if = flow.client_if, flow.server_if
        packet.eth_src, packet.eth_dst = flow.ether_client, flow.ether_server
    else:
        _ends(packet, flow.server, flow.client, flow.sport, flow.cport)
        packet.src_if, packet.dst_if = flow.server_if, flow.client_if
        packet.eth_src, packet.eth_dst = flow.ether_server, flow.ether_client
    return packet


def _ends(packet: Packet, src: bytes, dst: bytes, sport: int, dport: int) -> None:
    packet.src, packet.dst = src, dst
    packet.sport, packet.dport = sport, dport


DIRECTIONS = (TOSERVER, TOCLIENT)
