"""Counters of the engine, by the dotted names of the ``stats`` record."""

from __future__ import annotations

from appliance.model.flow import Flow
from appliance.model.packet import (
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    Packet,
)
from appliance.model.verdict import Decision, Reason, Verdict, reason_words

_L4 = {PROTO_TCP: "tcp", PROTO_UDP: "udp", PROTO_ICMP: "icmpv4", PROTO_ICMPV6: "icmpv6", PROTO_SCTP: "sctp"}
_FLOW = {PROTO_TCP: "flow.tcp", PROTO_UDP: "flow.udp", PROTO_ICMP: "flow.icmpv4", PROTO_ICMPV6: "flow.icmpv6"}
_DECODER = {number: f"decoder.{name}" for number, name in _L4.items()}
_ETHERTYPE_ARP = 0x0806
_VERDICT = {
    Verdict.BYPASS: "ips.accepted",
    Verdict.ACCEPT: "ips.accepted",
    Verdict.DROP: "ips.blocked",
    Verdict.REJECT: "ips.rejected",
}
_REASON = {reason: "ips.drop_reason." + reason_words(reason).replace(" ", "_") for reason in Reason}


class Counters:
    """A dictionary of totals; a name that was never counted is not in it."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[str, int] = {"decoder.pkts": 0, "decoder.bytes": 0, "decoder.invalid": 0}

    def add(self, name: str, amount: int = 1) -> None:
        """Add to one counter."""
        self.values[name] = self.values.get(name, 0) + amount

    def frame(self, packet: Packet) -> None:
        """Count a frame as it came from the source."""
        values = self.values
        values["decoder.pkts"] += 1
        values["decoder.bytes"] += packet.wirelen

    def layers(self, packet: Packet) -> None:
        """Count what one packet, or one packet inside a tunnel, turned out to be."""
        if packet.eth_dst and packet.outer is None:
            self.add("decoder.ethernet")
        if packet.vlans and packet.outer is None:
            self.add("decoder.vlan" if len(packet.vlans) == 1 else "decoder.vlan_qinq")
        if packet.ip_version == 0:
            if packet.ethertype == _ETHERTYPE_ARP:
                self.add("decoder.arp")
            return
        self.add("decoder.ipv4" if packet.ip_version == 4 else "decoder.ipv6")
        name = _DECODER.get(packet.proto)
        if name is not None and packet.frag_off == 0:
            self.add(name)
        if packet.tunnel:
            self.add("decoder." + packet.tunnel)

    def new_flow(self, flow: Flow) -> None:
        """Count the start of a flow."""
        self.add("flow.total")
        name = _FLOW.get(flow.proto)
        if name is not None:
            self.add(name)

    def verdict(self, decision: Decision) -> None:
        """Count a verdict, and its reason when the packet was not let through."""
        self.add(_VERDICT[decision.verdict])
        if decision.verdict > Verdict.ACCEPT:
            self.add(_REASON[decision.reason])
