"""The header of a rule and its ``flow`` option: is this packet meant at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.addresses import AddressMatcher, PortMatcher
from appliance.model.flow import FlowState
from appliance.model.packet import (
    PROTO_AH,
    PROTO_ESP,
    PROTO_GRE,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_IGMP,
    PROTO_IPIP,
    PROTO_IPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
)
from appliance.model.tcp import TcpState
from appliance.rulelang.tree import IpProto

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.model.flow import Flow
    from appliance.model.packet import Packet
    from appliance.rulelang.tree import AddressSet, FlowOption, PortSet, Rule

# Rule protocol to (IP protocols or None for all, IP version or 0).
TRANSPORTS: dict[str, tuple[frozenset[int] | None, int]] = {
    "ip": (None, 0),
    "ipv4": (None, 4),
    "ip4": (None, 4),
    "ipv6": (None, 6),
    "ip6": (None, 6),
    "tcp": (frozenset((PROTO_TCP,)), 0),
    "tcp-pkt": (frozenset((PROTO_TCP,)), 0),
    "tcp-stream": (frozenset((PROTO_TCP,)), 0),
    "udp": (frozenset((PROTO_UDP,)), 0),
    "icmp": (frozenset((PROTO_ICMP, PROTO_ICMPV6)), 0),
    "icmpv4": (frozenset((PROTO_ICMP,)), 0),
    "icmpv6": (frozenset((PROTO_ICMPV6,)), 0),
    "sctp": (frozenset((PROTO_SCTP,)), 0),
    "igmp": (frozenset((PROTO_IGMP,)), 0),
    "ipip": (frozenset((PROTO_IPIP, PROTO_IPV6)), 0),
    "gre": (frozenset((PROTO_GRE,)), 0),
    "esp": (frozenset((PROTO_ESP,)), 0),
    "ah": (frozenset((PROTO_AH,)), 0),
    "vxlan": (frozenset((PROTO_UDP,)), 0),
    "geneve": (frozenset((PROTO_UDP,)), 0),
    "pkthdr": (None, 0),
    "ether": (None, 0),
    "arp": (None, 0),
}
# Rules that packets without an IP header concern as well.
BELOW_IP = frozenset(("pkthdr", "ether", "arp"))
_ESTABLISHED, _NEW = int(TcpState.ESTABLISHED), int(FlowState.NEW)
WITH_PORTS = frozenset((PROTO_TCP, PROTO_UDP, PROTO_SCTP))


class Interner:
    """Gives equal address and port sets one matcher."""

    def __init__(self) -> None:
        """Start empty."""
        self._addresses: dict[AddressSet, AddressMatcher] = {}
        self._ports: dict[PortSet, PortMatcher] = {}
        self._headers: dict[tuple[object, ...], Header] = {}

    def addresses(self, addresses: AddressSet) -> AddressMatcher:
        """Give the matcher of an address set."""
        found = self._addresses.get(addresses)
        if found is None:
            found = self._addresses[addresses] = AddressMatcher(addresses)
        return found

    def ports(self, ports: PortSet) -> PortMatcher:
        """Give the matcher of a port set."""
        found = self._ports.get(ports)
        if found is None:
            found = self._ports[ports] = PortMatcher(ports)
        return found

    def header(self, rule: Rule, flow_option: FlowOption | None) -> Header:
        """Give the header of a rule, one object for all rules that say the same."""
        made = Header(rule, flow_option, self)
        return self._headers.setdefault(made.content(), made)


def _named(rule: Rule) -> frozenset[int] | None:
    """Give the one IP protocol that an option of the rule asks for: others need not look at the rule."""
    for option in rule.options:
        if isinstance(option, IpProto) and option.operator == "=":
            return frozenset((option.number,))
    return None


class Header:
    """Protocol, addresses, ports and direction of one rule.

    ``transaction`` rules ("=>") name the client on the left, whichever way the packet goes. Rules that say
    the same share one header, which is asked once for each packet: ``_stamp`` is the inspection that
    ``_answer`` belongs to, in the context ``_asked``.
    """

    __slots__ = (
        "_answer",
        "_asked",
        "_stamp",
        "anything",
        "both_ways",
        "destination",
        "destination_ports",
        "established",
        "fragment",
        "non_ip",
        "only_direction",
        "protocols",
        "source",
        "source_ports",
        "transaction",
        "version",
        "with_ports",
    )

    def __init__(self, rule: Rule, flow_option: FlowOption | None, interner: Interner) -> None:
        """Take over the header; application protocols run over any transport."""
        self.protocols, self.version = TRANSPORTS.get(rule.protocol, (None, 0))
        if self.protocols is None:
            self.protocols = _named(rule)
        self.non_ip: bool = rule.protocol in BELOW_IP
        self.both_ways: bool = rule.direction == "<>"
        self.transaction: bool = rule.direction == "=>"
        self.source = interner.addresses(rule.source)
        self.destination = interner.addresses(rule.destination)
        self.source_ports = interner.ports(rule.source_ports)
        self.destination_ports = interner.ports(rule.destination_ports)
        self.with_ports: bool = not (self.source_ports.any and self.destination_ports.any)
        self.anything: bool = self.source.any and self.destination.any and not self.with_ports
        self.only_direction: int = -1
        self.established: int = -1
        self.fragment: int = -1
        self._asked: Context | None = None
        self._stamp: int = -1
        self._answer: bool = False
        if flow_option is not None:
            self._take(flow_option)

    def ends(self) -> tuple[object, ...]:
        """Give what :meth:`concerns` depends on, to compare."""
        ports = (self.source_ports, self.destination_ports)
        way = (self.both_ways, self.transaction)
        return (self.protocols, self.version, self.non_ip, self.source, self.destination, *ports, *way)

    def content(self) -> tuple[object, ...]:
        """Give all that the header says, to compare."""
        return (*self.ends(), self.only_direction, self.established, self.fragment)

    def _take(self, option: FlowOption) -> None:
        """Take over what ``flow`` says of packets; its stream words are the payload's business."""
        self.only_direction = {"to_server": 0, "to_client": 1}.get(option.direction, -1)
        if option.established is not None and not option.stateless:
            self.established = int(option.established)
        if option.only_frag is not None:
            self.fragment = int(option.only_frag)

    def match(self, ctx: Context) -> bool:
        """Tell whether packet and flow fit."""
        if self._stamp == ctx.stamp and self._asked is ctx:
            return self._answer
        self._answer = self._flow_fits(ctx, ctx.packet) and self.concerns(ctx)
        self._stamp = ctx.stamp
        self._asked = ctx
        return self._answer

    def concerns(self, ctx: Context) -> bool:
        """Tell whether protocol, addresses and ports fit: the same for one direction of a flow."""
        packet: Packet = ctx.packet
        if self.protocols is not None and packet.proto not in self.protocols:
            return False
        if self.version and packet.ip_version != self.version:
            return False
        if not packet.ip_version and not self.non_ip:
            return False
        return self.anything or self._ends_fit(ctx, packet)

    def _flow_fits(self, ctx: Context, packet: Packet) -> bool:
        """Check direction, state of the connection and fragmentation."""
        if self.only_direction >= 0 and (ctx.flow is None or ctx.direction != self.only_direction):
            return False
        if self.established >= 0 and ctx.established != bool(self.established):
            return False
        return self.fragment < 0 or packet.rebuilt == bool(self.fragment)

    def _ends_fit(self, ctx: Context, packet: Packet) -> bool:
        """Check addresses and ports, either way round where the rule allows it."""
        if self.with_ports and packet.proto not in WITH_PORTS:
            return False
        if self.transaction and ctx.direction == 1:
            return self._fits(packet.dst, packet.dport, packet.src, packet.sport)
        if self._fits(packet.src, packet.sport, packet.dst, packet.dport):
            return True
        return self.both_ways and self._fits(packet.dst, packet.dport, packet.src, packet.sport)

    def _fits(self, src: bytes, sport: int, dst: bytes, dport: int) -> bool:
        """Check one way round, the cheap and selective first."""
        return (
            self.destination_ports.has(dport)
            and self.source_ports.has(sport)
            and self.destination.has(dst)
            and self.source.has(src)
        )


def established(flow: Flow | None) -> bool:
    """Tell whether both ends have taken part in the flow."""
    if flow is None:
        return False
    if flow.proto == PROTO_TCP:
        tcp = flow.tcp
        if tcp is not None:
            return bool(tcp.state >= _ESTABLISHED)
    return flow.state != _NEW
