"""What rules look at: one packet, or one flow as its first packet was."""

from __future__ import annotations

import cython

from appliance.model.flow import Flow
from appliance.model.packet import PROTO_SCTP, PROTO_TCP, PROTO_UDP, TH_SYN, Packet

_IPV4 = 0x0800
_IPV6 = 0x86DD


@cython.freelist(8)
@cython.cclass
class Subject:
    """The fields that rules compare. Interfaces are indexes, -1 for one that is not known.

    ``sport`` and ``dport`` are -1 where there are no ports, ``proto`` is -1 where there is no IP.
    """

    __slots__ = (
        "dport",
        "dst",
        "dst_index",
        "dst_mac",
        "frame",
        "icmp_code",
        "icmp_type",
        "proto",
        "sport",
        "src",
        "src_index",
        "src_mac",
        "tcp_flags",
    )

    def __init__(self) -> None:
        """Make a subject that is nothing yet."""
        self.begin()

    def begin(self) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.frame: int = 0
        self.proto: int = -1
        self.src: bytes = b""
        self.dst: bytes = b""
        self.sport: int = -1
        self.dport: int = -1
        self.src_index: int = -1
        self.dst_index: int = -1
        self.src_mac: bytes = b""
        self.dst_mac: bytes = b""
        self.tcp_flags: int = 0
        self.icmp_type: int = -1
        self.icmp_code: int = -1


def has_ports(proto: int) -> bool:
    """Tell whether packets of an IP protocol carry ports."""
    return proto in (PROTO_TCP, PROTO_UDP, PROTO_SCTP)


def of_packet(packet: Packet, src_index: int, dst_index: int) -> Subject:
    """Describe ``packet`` as it is; a fragment without the first bytes of its datagram has no ports."""
    subject = Subject.__new__(Subject)
    subject.begin()
    version = packet.ip_version
    subject.src_index = src_index
    subject.dst_index = dst_index
    subject.src_mac = packet.eth_src
    subject.dst_mac = packet.eth_dst
    if version == 0:
        subject.frame = packet.ethertype
        return subject
    subject.frame = _IPV4 if version == 4 else _IPV6
    subject.src = packet.src
    subject.dst = packet.dst
    subject.proto = packet.proto
    if packet.frag_off > 0:
        return subject
    subject.tcp_flags = packet.tcp_flags
    subject.icmp_type = packet.icmp_type
    subject.icmp_code = packet.icmp_code
    if has_ports(packet.proto):
        subject.sport = packet.sport
        subject.dport = packet.dport
    return subject


def of_flow(flow: Flow, src_index: int, dst_index: int) -> Subject:
    """Describe ``flow`` as its opening packet from client to server; TCP opens with SYN."""
    subject = Subject.__new__(Subject)
    subject.begin()
    subject.frame = _IPV4 if flow.ip_version == 4 else _IPV6
    subject.proto = flow.proto
    subject.src = flow.client
    subject.dst = flow.server
    subject.src_index = src_index
    subject.dst_index = dst_index
    subject.src_mac = flow.ether_client
    subject.dst_mac = flow.ether_server
    subject.tcp_flags = TH_SYN
    subject.icmp_type = flow.icmp_type
    subject.icmp_code = flow.icmp_code
    if has_ports(flow.proto):
        subject.sport = flow.cport
        subject.dport = flow.sport
    return subject
