"""Counters of the engine, by the dotted names of the ``stats`` record."""

from __future__ import annotations

from appliance.model.flow import Flow, FlowState
from appliance.model.packet import (
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    TH_ACK,
    TH_RST,
    TH_SYN,
    Packet,
)
from appliance.model.tcp import S_MIDSTREAM, TcpState
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict, reason_words

_DECODER = {PROTO_ICMP: "decoder.icmpv4", PROTO_ICMPV6: "decoder.icmpv6", PROTO_SCTP: "decoder.sctp"}
_FLOW = {PROTO_ICMP: "flow.icmpv4", PROTO_ICMPV6: "flow.icmpv6"}
_VLANS = ("decoder.vlan", "decoder.vlan_qinq", "decoder.vlan_qinqinq")
_ETHERTYPE_ARP, _ETHERTYPE_NSH = 0x0806, 0x894F
_LINKS = {
    0: "decoder.null",
    9: "decoder.ppp",
    12: "decoder.raw",
    101: "decoder.raw",
    104: "decoder.chdlc",
    113: "decoder.sll",
    276: "decoder.sll2",
}
_VERDICT = {
    Verdict.BYPASS: "ips.accepted",
    Verdict.ACCEPT: "ips.accepted",
    Verdict.DROP: "ips.blocked",
    Verdict.REJECT: "ips.rejected",
}
_REASON = {reason: "ips.drop_reason." + reason_words(reason).replace(" ", "_") for reason in Reason}


# By the numbers of the states: finding an enumeration's name costs as much as judging a packet.
_FLOW_ENDS = [f"flow.end.state.{state.name.lower()}" for state in FlowState]
_TCP_ENDS = [f"flow.end.tcp_state.{state.name.lower()}" for state in TcpState]
_STRAIGHT = ("ipv4", "ipv6")  # carried straight in IP of that version
_TCP_SIGNS = TH_SYN | TH_RST
# Names of tunnels whose counters are called otherwise, or are several.
_TUNNELS = {"erspan": ("decoder.gre", "decoder.erspan")}
# Counters that records show even when they are 0.
_SHOWN = (
    "decoder.invalid",
    "decoder.arp",
    "decoder.chdlc",
    "decoder.erspan",
    "decoder.geneve",
    "decoder.gre",
    "decoder.icmpv4",
    "decoder.icmpv6",
    "decoder.nsh",
    "decoder.null",
    "decoder.ppp",
    "decoder.raw",
    "decoder.sctp",
    "decoder.sll",
    "decoder.sll2",
    "decoder.teredo",
    "decoder.vlan",
    "decoder.vlan_qinq",
    "decoder.vlan_qinqinq",
    "decoder.vxlan",
    "decoder.ipv4_in_ipv4",
    "decoder.ipv6_in_ipv4",
    "decoder.ipv4_in_ipv6",
    "decoder.ipv6_in_ipv6",
    "tcp.sessions",
    "tcp.syn",
    "tcp.synack",
    "tcp.rst",
    "tcp.invalid_checksum",
    "tcp.midstream_pickups",
    "tcp.reassembly_gap",
    "flow.memcap",
    "flow.icmpv4",
    "flow.icmpv6",
    "flow.tcp_reuse",
    "defrag.ipv4.fragments",
    "defrag.ipv4.reassembled",
    "defrag.ipv6.fragments",
    "defrag.ipv6.reassembled",
    "detect.alert",
    "detect.alert_queue_overflow",
    "detect.alerts_suppressed",
    "ips.accepted",
    "ips.blocked",
    "ips.rejected",
    *(name for reason, name in _REASON.items() if reason is not Reason.NONE),
    *_FLOW_ENDS,
    *_TCP_ENDS,
)

# Counted with every packet or flow, so kept as numbers of their own: (attribute, name).
_PLAIN = (
    ("ethernet", "decoder.ethernet"),
    ("ipv4", "decoder.ipv4"),
    ("ipv6", "decoder.ipv6"),
    ("tcp", "decoder.tcp"),
    ("udp", "decoder.udp"),
    ("accepted", "ips.accepted"),
    ("flows", "flow.total"),
    ("flows_tcp", "flow.tcp"),
    ("flows_udp", "flow.udp"),
)
# The same of those that records show further down.
_LATER = (("sessions", "tcp.sessions"), ("syns", "tcp.syn"), ("synacks", "tcp.synack"))


class Counters:
    """Totals by name; the usual names are there from the beginning, the others once they are counted."""

    __slots__ = (
        "accepted",
        "ethernet",
        "flows",
        "flows_tcp",
        "flows_udp",
        "ipv4",
        "ipv6",
        "named",
        "octets",
        "pkts",
        "sessions",
        "synacks",
        "syns",
        "tcp",
        "udp",
    )

    def __init__(self) -> None:
        self.named: dict[str, int] = dict.fromkeys(_SHOWN, 0)
        self.pkts: int = 0
        self.octets: int = 0
        self.ethernet: int = 0
        self.ipv4: int = 0
        self.ipv6: int = 0
        self.tcp: int = 0
        self.udp: int = 0
        self.accepted: int = 0
        self.flows: int = 0
        self.flows_tcp: int = 0
        self.flows_udp: int = 0
        self.sessions: int = 0
        self.syns: int = 0
        self.synacks: int = 0

    @property
    def values(self) -> dict[str, int]:
        """All totals by dotted name."""
        found = {"decoder.pkts": self.pkts, "decoder.bytes": self.octets}
        for attribute, name in _PLAIN:
            found[name] = getattr(self, attribute)
        if self.pkts:
            found["decoder.avg_pkt_size"] = self.octets // self.pkts
        for name, count in self.named.items():
            found[name] = found.get(name, 0) + count
        for attribute, name in _LATER:
            found[name] += getattr(self, attribute)
        return found

    def add(self, name: str, amount: int = 1) -> None:
        """Add to one counter."""
        self.named[name] = self.named.get(name, 0) + amount

    def frame(self, packet: Packet) -> None:
        """Count a frame as it came from the source."""
        self.pkts += 1
        self.octets += packet.wirelen

    def layers(self, packet: Packet) -> None:
        """Count what one packet, or one packet inside a tunnel, turned out to be."""
        if packet.outer is None:
            if packet.eth_dst:
                self.ethernet += 1
            if packet.vlans:
                self.add(_VLANS[min(len(packet.vlans), len(_VLANS)) - 1])
        if packet.ip_version == 4:
            self.ipv4 += 1
        elif packet.ip_version != 0:
            self.ipv6 += 1
        else:
            if packet.ethertype == _ETHERTYPE_ARP:
                self.add("decoder.arp")
            return
        if packet.frag_off == 0:
            self._transport(packet)
        if packet.tunnel:
            self._tunnel(packet)

    def _tunnel(self, packet: Packet) -> None:
        outer = packet.outer
        if outer is not None and packet.tunnel in _STRAIGHT:
            self.add(f"decoder.ipv{packet.ip_version}_in_{packet.tunnel}")
            return
        for name in _TUNNELS.get(packet.tunnel, ("decoder." + packet.tunnel,)):
            self.add(name)

    def _transport(self, packet: Packet) -> None:
        if packet.proto == PROTO_TCP:
            self.tcp += 1
            if packet.tcp_flags & _TCP_SIGNS != 0:
                self._tcp_sign(packet.tcp_flags)
        elif packet.proto == PROTO_UDP:
            self.udp += 1
        elif packet.proto in _DECODER:
            self.add(_DECODER[packet.proto])

    def _tcp_sign(self, flags: int) -> None:
        if flags & TH_RST:
            self.add("tcp.rst")
        elif flags & TH_ACK:
            self.synacks += 1
        else:
            self.syns += 1

    def new_flow(self, flow: Flow) -> None:
        """Count the start of a flow."""
        self.flows += 1
        if flow.proto == PROTO_TCP:
            self.flows_tcp += 1
        elif flow.proto == PROTO_UDP:
            self.flows_udp += 1
        elif flow.proto in _FLOW:
            self.add(_FLOW[flow.proto])

    def verdict(self, decision: Decision) -> None:
        """Count a verdict, and its reason when the packet was not let through."""
        if decision is ACCEPTED:
            self.accepted += 1
            return
        self.add(_VERDICT[decision.verdict])
        if decision.verdict > Verdict.ACCEPT:
            self.add(_REASON[decision.reason])


def count_end(counters: Counters, flow: Flow) -> None:
    """Count the end of a flow by the state it was in."""
    counters.add(_FLOW_ENDS[flow.state])
    session = flow.tcp
    if session is not None:
        counters.add(_TCP_ENDS[session.state])


def count_link(counters: Counters, packet: Packet) -> None:
    """Count link layers other than Ethernet, and what tunnels carry."""
    name = _LINKS.get(packet.linktype)
    if name is not None:
        counters.add(name)
    if packet.ethertype == _ETHERTYPE_NSH:
        counters.add("decoder.nsh")


def count_session(counters: Counters, flow: Flow) -> None:
    """Count a TCP connection that is followed from now on."""
    counters.sessions += 1
    tcp = flow.tcp
    if tcp is not None and tcp.flags & S_MIDSTREAM:
        counters.add("tcp.midstream_pickups")
