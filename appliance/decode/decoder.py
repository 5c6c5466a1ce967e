"""From a frame to a :class:`Packet`: link layer, network, transport, and the packets inside it.

Layers hand on the EtherType or IP protocol of what follows; a loop here picks the next reader, so
nothing recurses whatever the frame holds.
"""

from __future__ import annotations

from typing import Final

from appliance.config.settings import DecodeSettings
from appliance.decode.anomalies import is_invalid
from appliance.decode.arp import arp
from appliance.decode.ethernet import TAGS, UNKNOWN_AFTER, Shim, ethernet, llc
from appliance.decode.icmp import icmp, icmpv6
from appliance.decode.ipv4 import ipv4
from appliance.decode.ipv6 import ipv6
from appliance.decode.link import LINKS, ppp, pppoe_discovery, pppoe_session
from appliance.decode.numbers import ETH_BRIDGE, ETH_PPP, ETH_VNTAG, IPV4_OF_VJ, LINK_RAW, MAX_LAYERS
from appliance.decode.tcp import tcp
from appliance.decode.transport import esp, igmp, sctp, udp
from appliance.decode.tunnel import gre, ip_in_ip, ipv6_in_ip
from appliance.decode.udptunnel import GENEVE, TEREDO, VXLAN, udp_tunnel
from appliance.model.packet import Packet

# EtherTypes that a reader takes further; IP is not among them since every path ends there.
SHIMS: Final[dict[int, Shim]] = {**TAGS, 0x0806: arp, 0x8863: pppoe_discovery, 0x8864: pppoe_session}

# What stands at the front of a carried packet when it is not an EtherType of SHIMS or IP.
FRONTS: Final[dict[int, Shim]] = {ETH_BRIDGE: ethernet, ETH_PPP: ppp}

SUPPORTED_LINKTYPES: Final = frozenset(LINKS)


class Decoder:
    """Decodes frames; holds only settings and, while a frame is at hand, how deep it goes."""

    __slots__ = ("erspan1", "layers", "max_depth", "shims", "teredo_anywhere", "udp_ports")

    def __init__(self, settings: DecodeSettings) -> None:
        """Prepare tables of tunnel ports. With Teredo on and no port for it, every port is tried."""
        self.max_depth: int = settings.max_depth
        self.layers: int = 0
        self.teredo_anywhere: bool = settings.teredo and not settings.teredo_ports
        self.udp_ports: bytes = _port_table(settings)
        self.erspan1: bool = settings.erspan1
        self.shims: dict[int, Shim] = {k: v for k, v in SHIMS.items() if k != ETH_VNTAG or settings.vntag}

    def decode(self, frame: bytes, linktype: int, now: int, number: int, wirelen: int = -1) -> Packet:
        """Decode one frame.

        Args:
            frame: the bytes captured.
            linktype: number of the pcap link type registry; see ``SUPPORTED_LINKTYPES``.
            now: nanoseconds since the epoch.
            number: the frame's place in the capture, from 1.
            wirelen: length on the wire when the capture cut the frame short.

        Returns:
            The outermost packet; what is wrong is in ``anomalies``, what it carries in ``inner``.
        """
        packet = Packet.__new__(Packet)
        packet.begin(frame, linktype, now, number)
        packet.payload_len = packet.wirelen
        if wirelen >= 0:
            packet.wirelen = wirelen
        self.layers = 0
        if linktype == 1:
            kind = ethernet(packet)
        else:
            reader = LINKS.get(linktype)
            kind = reader(packet) if reader is not None else -1
        kind = self.network(packet, kind)
        if kind >= 0:
            self.carried(packet, kind)
        return packet

    def redecode(self, packet: Packet, datagram: bytes) -> Packet:
        """Decode the whole datagram that reassembly made of fragments.

        Args:
            packet: the first fragment; link header fields, number, time and place in tunnels are its.
            datagram: IP header and payload without any fragmentation.

        Returns:
            A packet of its own whose frame is ``datagram``, marked ``rebuilt``; ``link`` stood before it.
        """
        whole = Packet(datagram, LINK_RAW, packet.now, packet.number)
        whole.payload_len = whole.wirelen
        whole.eth_src = packet.eth_src
        whole.eth_dst = packet.eth_dst
        whole.vlans = packet.vlans
        whole.tenant = packet.tenant
        whole.place = packet.place
        whole.src_if = packet.src_if
        whole.dst_if = packet.dst_if
        whole.depth = packet.depth
        whole.tunnel = packet.tunnel
        whole.outer = packet.outer
        whole.rebuilt = True
        whole.link = packet.frame[packet.start : packet.ip_off]
        whole.linktype = packet.linktype
        self.layers = 0
        kind = self.network(whole, 0x86DD if packet.ip_version == 6 else 0x0800)
        if kind >= 0:
            self.carried(whole, kind)
        return whole

    def network(self, packet: Packet, kind: int) -> int:
        """Decode from EtherType ``kind`` on; give the EtherType of a carried packet, or -1."""
        after = -1
        while kind >= 0:
            if kind == 0x0800:
                packet.ethertype = kind
                return self.over_ipv4(packet, ipv4(packet))
            if kind == 0x86DD:
                packet.ethertype = kind
                return self.over_ipv6(packet, ipv6(packet))
            if kind == IPV4_OF_VJ:
                return self.over_vj(packet)
            self.layers += 1
            if self.layers > MAX_LAYERS:
                packet.note("too_many_layers")
                return -1
            packet.ethertype = kind
            shim = llc if kind <= 0x05FF else self.shims.get(kind)
            if shim is None:
                self.unknown(packet, after)
                return -1
            after = kind
            kind = shim(packet)
        return -1

    def unknown(self, packet: Packet, after: int) -> None:
        """Note an EtherType that nothing reads, and the tag that led to it."""
        packet.note("ethernet.unknown_ethertype")
        tag = UNKNOWN_AFTER.get(after)
        if tag is not None:
            packet.note(tag)

    def over_vj(self, packet: Packet) -> int:
        """Decode IPv4 whose protocol field is a connection number: it is TCP (RFC 1144 section 3.2.2)."""
        packet.ethertype = 0x0800
        if ipv4(packet) >= 0:
            packet.proto = 6
            tcp(packet)
        return -1

    def over_ipv4(self, packet: Packet, proto: int) -> int:
        """Decode what IPv4 holds."""
        if proto == 6:
            tcp(packet)
        elif proto == 17:
            return self.over_udp(packet)
        elif proto == 1:
            icmp(packet)
        elif proto == 2:
            igmp(packet)
        elif proto == 58:
            packet.note("ipv4.icmpv6")
        elif proto >= 0:
            return self.over_ip(packet, proto)
        return -1

    def over_ipv6(self, packet: Packet, proto: int) -> int:
        """Decode what IPv6 holds."""
        if proto == 6:
            tcp(packet)
        elif proto == 17:
            return self.over_udp(packet)
        elif proto == 58:
            icmpv6(packet)
        elif proto >= 0:
            return self.over_ip(packet, proto)
        return -1

    def over_ip(self, packet: Packet, proto: int) -> int:
        """Decode protocols that either version may hold."""
        if proto == 47:
            return gre(packet, self.erspan1)
        if proto == 4:
            return ip_in_ip(packet)
        if proto == 41:
            return ipv6_in_ip(packet)
        if proto == 50:
            esp(packet)
        elif proto == 132:
            sctp(packet)
        return -1

    def over_udp(self, packet: Packet) -> int:
        """Decode UDP and, on the ports for it, the tunnel over it."""
        udp(packet)
        if packet.payload_len < 8 or packet.payload_off == packet.l4_off:
            return -1
        wanted = self.udp_ports[packet.dport] | (self.udp_ports[packet.sport] & (GENEVE | TEREDO))
        if self.teredo_anywhere:
            wanted |= TEREDO
        return udp_tunnel(packet, wanted) if wanted else -1

    def carried(self, packet: Packet, kind: int) -> None:
        """Decode the packets inside ``packet``, down to ``max_depth``."""
        while kind >= 0 and packet.inner is not None:
            inner = packet.inner
            self.layers += 1
            if inner.depth > self.max_depth or self.layers > MAX_LAYERS:
                packet.inner = None
                packet.note("too_many_layers")
                return
            front = FRONTS.get(kind)
            if front is not None:
                kind = front(inner)
            kind = self.network(inner, kind)
            if inner.tunnel == "teredo" and (inner.ip_version != 6 or is_invalid(inner)):
                packet.inner = None  # it only looked like Teredo
                return
            packet = inner


def _port_table(settings: DecodeSettings) -> bytes:
    """Give, for each UDP port, which tunnels to try there."""
    table = bytearray(65536)
    for ports, tunnel in (
        (settings.vxlan_ports, VXLAN),
        (settings.geneve_ports, GENEVE),
        (settings.teredo_ports if settings.teredo else (), TEREDO),
    ):
        for port in ports:
            table[port] |= tunnel
    return bytes(table)
