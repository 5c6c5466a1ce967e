"""One decoded packet: where its headers are and what their fields say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython

from appliance.model.cut import cut

if TYPE_CHECKING:
    from appliance.model.flow import Flow
    from appliance.model.identity import VmInterface

TOSERVER = 0
TOCLIENT = 1

CSUM_BAD_IP = 1
CSUM_BAD_L4 = 2

TH_FIN, TH_SYN, TH_RST, TH_PUSH, TH_ACK, TH_URG, TH_ECN, TH_CWR = 1, 2, 4, 8, 16, 32, 64, 128

PROTO_ICMP, PROTO_IGMP, PROTO_IPIP, PROTO_TCP, PROTO_UDP = 1, 2, 4, 6, 17
PROTO_IPV6, PROTO_GRE, PROTO_ESP, PROTO_AH, PROTO_ICMPV6, PROTO_SCTP = 41, 47, 50, 51, 58, 132


@cython.freelist(8)
@cython.cclass
class Packet:
    """Header fields of one packet and its place in the frame.

    ``now`` is nanoseconds since the epoch, ``number`` counts from 1 in a capture. Addresses
    are network-order bytes (4 or 16); offsets are into ``frame``. A field that the packet does
    not have keeps its neutral value: 0, ``b""`` or None; ``wscale`` and ``mss`` are -1. ``tcp_opts`` has the
    kind of each option.
    ``start`` is where the packet begins in ``frame``: not 0 when a tunnel carries it. ``frag_off`` is in
    bytes; ``frag_hdr`` is the offset of an IPv6 fragment header, ``frag_prev`` of the byte that names it
    as the next header, and ``ip_hlen`` then includes it.
    ``inner`` is the packet that a tunnel carries, ``outer`` the one that carries it. ``tenant`` tells
    networks apart whose addresses may overlap (0 to 2**31 - 1); it is part of every flow's key. So is
    ``place``: the network segment that the frame was in, in its upper half, and which copy of a frame it is.
    """

    __slots__ = (
        "ack",
        "anomalies",
        "arp_op",
        "arp_sha",
        "arp_spa",
        "arp_tha",
        "arp_tpa",
        "csum",
        "depth",
        "direction",
        "dont_frag",
        "dport",
        "dst",
        "dst_if",
        "eth_dst",
        "eth_src",
        "ethertype",
        "ext_headers",
        "flow",
        "frag_hdr",
        "frag_off",
        "frag_prev",
        "frame",
        "icmp_code",
        "icmp_id",
        "icmp_seq",
        "icmp_type",
        "inner",
        "ip_hlen",
        "ip_id",
        "ip_len",
        "ip_off",
        "ip_opts",
        "ip_reserved",
        "ip_version",
        "l4_off",
        "link",
        "linktype",
        "more_frags",
        "mss",
        "now",
        "number",
        "outer",
        "payload_len",
        "payload_off",
        "place",
        "proto",
        "pseudo",
        "rebuilt",
        "sack_ok",
        "sacks",
        "seq",
        "sport",
        "src",
        "src_if",
        "start",
        "tcp_flags",
        "tcp_hlen",
        "tcp_opts",
        "tenant",
        "tos",
        "ts_ecr",
        "ts_val",
        "ttl",
        "tunnel",
        "urgent",
        "vlans",
        "window",
        "wirelen",
        "wscale",
    )

    def __init__(self, frame: bytes, linktype: int, now: int, number: int) -> None:
        """Make an undecoded packet around ``frame``."""
        self.begin(frame, linktype, now, number)

    def begin(self, frame: bytes, linktype: int, now: int, number: int) -> None:  # noqa: PLR0915 - fields
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.frame: bytes = frame
        self.linktype: int = linktype
        self.now: int = now
        self.number: int = number
        self.wirelen: int = len(frame)
        self.start: int = 0
        self.eth_src: bytes = b""
        self.eth_dst: bytes = b""
        self.ethertype: int = 0
        self.vlans: tuple[int, ...] = ()
        self.ip_version: int = 0
        self.src: bytes = b""
        self.dst: bytes = b""
        self.proto: int = -1
        self.ttl: int = 0
        self.tos: int = 0
        self.ip_id: int = 0
        self.ip_off: int = 0
        self.ip_hlen: int = 0
        self.ip_len: int = 0
        self.ip_opts: tuple[int, ...] = ()
        self.ext_headers: tuple[int, ...] = ()
        self.frag_off: int = 0
        self.frag_hdr: int = 0
        self.frag_prev: int = 0
        self.more_frags: bool = False
        self.dont_frag: bool = False
        self.ip_reserved: bool = False
        self.l4_off: int = 0
        self.sport: int = 0
        self.dport: int = 0
        self.seq: int = 0
        self.ack: int = 0
        self.tcp_flags: int = 0
        self.tcp_hlen: int = 0
        self.window: int = 0
        self.urgent: int = 0
        self.tcp_opts: bytes = b""
        self.mss: int = -1
        self.wscale: int = -1
        self.sack_ok: bool = False
        self.sacks: int = 0
        self.ts_val: int = -1
        self.ts_ecr: int = -1
        self.icmp_type: int = 0
        self.icmp_code: int = 0
        self.icmp_id: int = -1
        self.icmp_seq: int = -1
        self.arp_op: int = 0
        self.arp_sha: bytes = b""
        self.arp_spa: bytes = b""
        self.arp_tha: bytes = b""
        self.arp_tpa: bytes = b""
        self.payload_off: int = 0
        self.payload_len: int = 0
        self.csum: int = 0
        self.anomalies: list[str] | None = None
        self.tunnel: str = ""
        self.depth: int = 0
        self.tenant: int = 0
        self.place: int = 0
        self.inner: Packet | None = None
        self.outer: Packet | None = None
        self.link: bytes = b""  # of a rebuilt packet: what stood before the IP header of its first fragment
        self.rebuilt: bool = False
        self.pseudo: bool = False
        self.src_if: VmInterface | None = None
        self.dst_if: VmInterface | None = None
        self.flow: Flow | None = None
        self.direction: int = TOSERVER

    def payload(self) -> bytes:
        """Bytes after the last decoded header, without link-layer padding."""
        return cut(self.frame, self.payload_off, self.payload_off + self.payload_len)

    def is_fragment(self) -> bool:
        """Tell whether this is a piece of a larger datagram."""
        return self.more_frags or self.frag_off > 0

    def note(self, anomaly: str) -> None:
        """Record a named anomaly, for instance ``ipv4.trunc_pkt``."""
        if self.anomalies is None:
            self.anomalies = [anomaly]
        elif anomaly not in self.anomalies:
            self.anomalies.append(anomaly)
