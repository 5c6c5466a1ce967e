"""The part that all EVE records have: when, who, over what, in which packet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.config.settings import EveOutput
from appliance.model.flow import Flow
from appliance.model.identity import VmInterface
from appliance.model.packet import (
    PROTO_ESP,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    TOCLIENT,
    TOSERVER,
    Packet,
)
from appliance.sinks.community import community_id
from appliance.sinks.text import ip_text, mac_text, protocol_text, time_text

PACKET_ENDS = -1  # the ends as in the packet; TOSERVER and TOCLIENT take them from the flow
_WITH_PORTS = frozenset((PROTO_TCP, PROTO_UDP, PROTO_SCTP))
_ICMP = frozenset((PROTO_ICMP, PROTO_ICMPV6))
_SOURCES = {
    "vxlan": "vxlan encapsulation",
    "geneve": "geneve encapsulation",
    "ipip": "",
    "ip": "",
    "ipv4": "",
    "ipv6": "",
}
_OF_FLOWS = frozenset(("flow", "netflow"))
DIRECTIONS = {TOSERVER: "to_server", TOCLIENT: "to_client"}
_VERSION = "8.0.0"  # of the record format


@dataclass(slots=True)
class Context:
    """What records need besides the event: the output's options and what the appliance knows."""

    output: EveOutput
    capture_file: str = ""
    interface: str = ""
    policy_of: Callable[[VmInterface], str] | None = None


def header(
    context: Context, kind: str, now: int, packet: Packet | None, flow: Flow | None, ends: int
) -> dict[str, Any]:
    """Begin a record of event type ``kind``."""
    record: dict[str, Any] = {"timestamp": time_text(now)}
    if flow is not None:
        record["flow_id"] = flow.id & 0x1F_FFFF_FFFF_FFFF
        if flow.parent is not None:
            record["parent_id"] = flow.parent.id & 0x1F_FFFF_FFFF_FFFF
    if context.interface:
        record["in_iface"] = context.interface
    if packet is not None and not packet.pseudo and packet.number > 0:
        record["pcap_cnt"] = packet.number
    record["event_type"] = kind
    _add_network(record, packet, flow, ends)
    _add_options(context, record, flow)
    if context.output.ethernet:
        ether = _ether(kind, packet, flow, ends)
        if ether:
            record["ether"] = ether
    vm = _vm(context, packet, flow, ends)
    if vm:
        record["vm"] = vm
    return record


def _add_network(record: dict[str, Any], packet: Packet | None, flow: Flow | None, ends: int) -> None:
    vlans = packet.vlans if packet is not None else flow.vlans if flow is not None else ()
    if vlans:
        record["vlan"] = list(vlans)
    if flow is not None and (ends != PACKET_ENDS or packet is None or packet.ip_version == 0):
        _add_flow_ends(record, flow, ends)
    elif packet is not None and packet.ip_version:
        _add_packet_ends(record, packet)
    if packet is not None:
        record["pkt_src"] = packet_source(packet)


def _add_ends(record: dict[str, Any], src: tuple[bytes, int], dst: tuple[bytes, int], proto: int) -> None:
    record["src_ip"], record["dest_ip"] = ip_text(src[0]), ip_text(dst[0])
    if proto in _WITH_PORTS:
        record["src_port"], record["dest_port"] = src[1], dst[1]
    record["proto"] = protocol_text(proto)


def _add_flow_ends(record: dict[str, Any], flow: Flow, ends: int) -> None:
    client, server = (flow.client, flow.cport), (flow.server, flow.sport)
    if ends == TOCLIENT:
        client, server = server, client
    _add_ends(record, client, server, flow.proto)
    record["ip_v"] = flow.ip_version
    if flow.proto in _ICMP:
        record["icmp_type"], record["icmp_code"] = flow.icmp_type, flow.icmp_code
    elif flow.proto == PROTO_ESP:
        record["spi"] = flow.spi


def _add_packet_ends(record: dict[str, Any], packet: Packet) -> None:
    _add_ends(record, (packet.src, packet.sport), (packet.dst, packet.dport), packet.proto)
    record["ip_v"] = packet.ip_version
    if packet.proto in _ICMP:
        record["icmp_type"], record["icmp_code"] = packet.icmp_type, packet.icmp_code
    elif packet.proto == PROTO_ESP and packet.flow is not None:
        record["spi"] = packet.flow.spi


def packet_source(packet: Packet) -> str:
    """Say how a packet came about, in Suricata's words."""
    if packet.pseudo:
        return "stream (flow timeout)"
    if packet.tunnel:
        outer = packet.outer
        return _SOURCES.get(packet.tunnel, f"{packet.tunnel} tunnel") or (
            f"ipv{outer.ip_version} tunnel" if outer is not None else "ip tunnel"
        )
    return "defrag" if packet.rebuilt else "wire/pcap"


def _add_options(context: Context, record: dict[str, Any], flow: Flow | None) -> None:
    """Add what the output's own options ask for."""
    output = context.output
    if output.community_id and flow is not None:
        record["community_id"] = community_id(flow, output.community_seed)
    if output.pcap_file and context.capture_file:
        record["pcap_filename"] = context.capture_file
    if output.suricata_version:
        record["suricata_version"] = _VERSION


def _ether(kind: str, packet: Packet | None, flow: Flow | None, ends: int) -> dict[str, Any]:
    """Give the MAC addresses in the order of the record's ends; records of flows have lists."""
    outer = packet
    while outer is not None and outer.outer is not None:
        outer = outer.outer
    if packet is not None and outer is not None and outer.eth_src:
        pair = (outer.eth_src, outer.eth_dst)
        if flow is not None and ends not in {PACKET_ENDS, packet.direction}:
            pair = (outer.eth_dst, outer.eth_src)
        return {"ether_type": outer.ethertype, "src_mac": mac_text(pair[0]), "dest_mac": mac_text(pair[1])}
    if packet is not None or flow is None or not flow.ether_client:
        return {}
    pair = (flow.ether_client, flow.ether_server)
    source, target = (mac_text(mac) for mac in (pair[::-1] if ends == TOCLIENT else pair))
    if kind in _OF_FLOWS:
        return {"src_macs": [source], "dest_macs": [target]}
    return {"src_mac": source, "dest_mac": target}


def _vm(context: Context, packet: Packet | None, flow: Flow | None, ends: int) -> dict[str, Any]:
    """Say which machines the two ends are, as far as they are ours."""
    if packet is not None and (ends == PACKET_ENDS or flow is None):
        pair = (packet.src_if, packet.dst_if)
    elif flow is not None:
        pair = (flow.client_if, flow.server_if) if ends != TOCLIENT else (flow.server_if, flow.client_if)
    else:
        return {}
    named = zip(("src", "dest"), pair, strict=True)
    return {name: _machine(context, end) for name, end in named if end is not None}


def _machine(context: Context, end: VmInterface) -> dict[str, Any]:
    out = {"uuid": end.vm.uuid, "name": end.vm.name, "interface": end.name}
    if context.policy_of is not None:
        out["policy"] = context.policy_of(end)
    return out


def app_proto(flow: Flow) -> dict[str, Any]:
    """Name the flow's application, and where its two directions or its past differ."""
    out: dict[str, Any] = {}
    state = flow.app
    name = flow.app_proto or (state.proto if state is not None else "")
    if name:
        out["app_proto"] = name
    if state is not None:
        named = {"app_proto_ts": state.ts, "app_proto_tc": state.tc, "app_proto_orig": state.orig}
        out.update((key, value) for key, value in named.items() if value and value != name)
        if state.expected and state.expected != name:
            out["app_proto_expected"] = state.expected
    return out


def tunnel(packet: Packet) -> dict[str, Any]:
    """Describe the outermost packet around a tunnelled one."""
    outer = packet
    while outer.outer is not None:
        outer = outer.outer
    out: dict[str, Any] = {}
    if outer.ip_version:
        _add_ends(out, (outer.src, outer.sport), (outer.dst, outer.dport), outer.proto)
    out["depth"] = packet.depth
    out["pcap_cnt"] = outer.number
    out["pkt_src"] = packet_source(outer)
    return out


def flow_counters(flow: Flow) -> dict[str, Any]:
    """Give the counters of both directions."""
    return {
        "pkts_toserver": flow.pkts_ts,
        "pkts_toclient": flow.pkts_tc,
        "bytes_toserver": flow.bytes_ts,
        "bytes_toclient": flow.bytes_tc,
        "start": time_text(flow.first),
    }


_TRAFFIC = {"traffic/id/": "id", "traffic/label/": "label"}


def add_variables(record: dict[str, Any], flow: Flow | None, context: dict[str, Any]) -> None:
    """Add flowbits, flowints and variables of expressions; ``traffic/...`` bits have their own place."""
    metadata: dict[str, Any] = {}
    traffic: dict[str, list[str]] = {}
    for bit in sorted(flow.bits) if flow is not None and flow.bits else ():
        prefix = next((p for p in _TRAFFIC if bit.startswith(p)), "")
        if prefix:
            traffic.setdefault(_TRAFFIC[prefix], []).append(bit[len(prefix) :])
        else:
            metadata.setdefault("flowbits", []).append(bit)
    if flow is not None and flow.ints:
        metadata["flowints"] = dict(flow.ints)
    metadata.update((flow.vars if flow is not None else None) or {})
    if context.get("pktvars"):
        metadata["pktvars"] = context["pktvars"]
    if metadata:
        record["metadata"] = metadata
    if traffic:
        record["traffic"] = traffic
