"""What tests of the decoder share: a decoder, shorthands, and one sound frame of each kind."""

from __future__ import annotations

from scapy.contrib.geneve import GENEVE
from scapy.contrib.mpls import MPLS
from scapy.contrib.nsh import NSH
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Pad1,
    RouterAlert,
)
from scapy.layers.l2 import ARP, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.layers.vxlan import VXLAN

from appliance.config.settings import DecodeSettings
from appliance.decode import Decoder
from appliance.model.packet import Packet

MAC_A, MAC_B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
DECODER = Decoder(DecodeSettings(vntag=True))


def decode(frame: bytes, linktype: int = 1) -> Packet:
    """Decode with default settings."""
    return DECODER.decode(bytes(frame), linktype, 1_700_000_000_000_000_000, 7)


def eth(kind: int, payload: bytes) -> bytes:
    """Frame with an Ethernet header in front of ``payload``."""
    return bytes.fromhex("02000000000b02000000000a") + kind.to_bytes(2, "big") + payload


def ip4(proto: int, payload: bytes, options: bytes = b"", **fields: int) -> bytes:
    """IPv4 packet; ``fields`` (``ihl``, ``total``, ``version``, ``flags``) override what is right."""
    hlen = 20 + len(options)
    first = fields.get("version", 4) << 4 | fields.get("ihl", hlen // 4)
    total = fields.get("total", hlen + len(payload))
    head = bytes([first, 0]) + total.to_bytes(2, "big") + b"\0\1" + fields.get("flags", 0).to_bytes(2, "big")
    return head + bytes([64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]) + options + payload


def ip6(proto: int, payload: bytes, version: int = 6, length: int = -1, hops: int = 64) -> bytes:
    """IPv6 packet; ``length`` overrides the payload length field."""
    size = length if length >= 0 else len(payload)
    ends = bytes.fromhex("20010db8" + "0" * 22 + "01" + "20010db8" + "0" * 22 + "02")
    return bytes([version << 4, 0, 0, 0]) + size.to_bytes(2, "big") + bytes([proto, hops]) + ends + payload


def udp(payload: bytes, sport: int = 1111, dport: int = 2222, length: int = -1) -> bytes:
    """UDP datagram without checksum."""
    size = length if length >= 0 else 8 + len(payload)
    return b"".join(n.to_bytes(2, "big") for n in (sport, dport, size, 0)) + payload


def tcp(options: bytes = b"", payload: bytes = b"", hlen: int = -1) -> bytes:
    """TCP segment; ``hlen`` overrides the header length in bytes."""
    size = hlen if hlen >= 0 else 20 + len(options)
    return bytes.fromhex("1f90005000000001000000020018ffff00000000")[:12] + (
        bytes([size // 4 << 4, 0x18]) + b"\xff\xff\0\0\0\0" + options + payload
    )


_E = Ether(src=MAC_A, dst=MAC_B)
_4 = IP(src="10.1.2.3", dst="10.4.5.6", ttl=61, tos=0x28, id=0xBEEF, flags="DF")
_6 = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=9, tc=0x2E)
_TCP = TCP(
    sport=40000,
    dport=443,
    seq=0xFFFFFFF0,
    ack=0x80000001,
    flags="PA",
    window=4321,
    urgptr=5,
    options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (0xFFFFFFFE, 77)), ("NOP", None), ("WScale", 7)],
)
_UDP = UDP(sport=5353, dport=53)
_INNER = (
    Ether(src="02:00:00:00:00:1a", dst="02:00:00:00:00:1b")
    / IP(src="192.0.2.1", dst="192.0.2.2")
    / _UDP
    / b"inner"
)

# name -> (link type, scapy packet)
SOUND = {
    "tcp4": (1, _E / _4 / _TCP / b"hello"),
    "tcp6": (1, _E / _6 / _TCP / b"hello"),
    "udp4": (1, _E / _4 / _UDP / b"query"),
    "udp6": (1, _E / _6 / _UDP / b"query"),
    "icmp4": (1, _E / _4 / ICMP(type=8, id=77, seq=3) / b"ping"),
    "icmp4_error": (
        1,
        _E / _4 / ICMP(type=3, code=3) / (IP(src="10.4.5.6", dst="10.1.2.3") / _UDP / b"query"),
    ),
    "icmp6": (1, _E / _6 / ICMPv6EchoRequest(id=9, seq=4, data=b"ping")),
    "icmp6_error": (
        1,
        _E / _6 / ICMPv6DestUnreach(code=4) / (IPv6(src="2001:db8::2", dst="2001:db8::1") / _TCP),
    ),
    "sctp": (1, _E / _4 / SCTP(sport=1, dport=2) / SCTPChunkData(data=b"abcd")),
    "options": (
        1,
        _E / IP(src="10.1.2.3", dst="10.4.5.6", options=[IPOption_RR(routers=["10.0.0.9"])]) / _UDP / b"x",
    ),
    "arp": (1, _E / ARP(op=2, hwsrc=MAC_A, psrc="10.1.2.3", hwdst=MAC_B, pdst="10.4.5.6")),
    "vlan": (1, _E / Dot1Q(vlan=100) / _4 / _TCP),
    "qinq": (1, _E / Dot1AD(vlan=4094) / Dot1Q(vlan=3) / Dot1Q(vlan=2) / _6 / _UDP / b"x"),
    "snap": (
        1,
        Dot3(src=MAC_A, dst=MAC_B) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800) / _4 / _UDP,
    ),
    "mpls": (1, _E / MPLS(label=20, s=0) / MPLS(label=30, s=1) / _4 / _TCP),
    "nsh": (1, _E / NSH(nextproto=1, mdtype=1, context_header=bytes(16)) / _4 / _UDP / b"x"),
    "pppoe": (1, _E / PPPoE(sessionid=1) / PPP(proto=0x21) / _4 / _TCP),
    "extensions": (
        1,
        _E
        / _6
        / IPv6ExtHdrHopByHop(options=[RouterAlert(), Pad1(), Pad1()], autopad=0)
        / IPv6ExtHdrRouting(addresses=["2001:db8::9"], type=4)
        / IPv6ExtHdrDestOpt(options=[RouterAlert(), Pad1(), Pad1()], autopad=0)
        / _UDP
        / b"x",
    ),
    "fragment4": (
        1,
        _E / IP(src="10.1.2.3", dst="10.4.5.6", id=99, flags="MF", frag=3, proto=17) / bytes(16),
    ),
    "fragment6": (1, _E / _6 / IPv6ExtHdrFragment(nh=17, offset=4, m=1, id=0xFEDCBA98) / bytes(16)),
    "gre": (1, _E / _4 / GRE(key_present=1, key=5) / _INNER[IP]),
    "gre_bridge": (1, _E / _4 / GRE(proto=0x6558) / _INNER),
    "4in4": (1, _E / _4 / _INNER[IP]),
    "6in4": (1, _E / _4 / _6 / _UDP / b"x"),
    "4in6": (1, _E / _6 / _INNER[IP]),
    "6in6": (1, _E / _6 / _6 / _TCP),
    "vxlan": (1, _E / _4 / UDP(sport=5, dport=4789) / VXLAN(vni=7) / _INNER),
    "geneve": (1, _E / _4 / UDP(sport=5, dport=6081) / GENEVE(proto=0x6558, vni=7) / _INNER),
    "teredo": (1, _E / _4 / UDP(sport=3544, dport=5) / _6 / _UDP / b"x"),
    "null": (0, b"\2\0\0\0" + bytes(_4 / _UDP / b"x")),
    "null_big": (0, b"\0\0\0\x1e" + bytes(_6 / _UDP / b"x")),
    "loop": (108, b"\0\0\0\2" + bytes(_4 / _UDP / b"x")),
    "ppp": (9, b"\xff\3\0\x57" + bytes(_6 / _TCP)),
    "ppp_short": (9, b"\x21" + bytes(_4 / _TCP)),
    "raw12": (12, _4 / _TCP),
    "raw14": (14, _6 / _TCP),
    "raw101": (101, _4 / _TCP),
    "raw228": (228, _4 / _TCP),
    "raw229": (229, _6 / _TCP),
    "chdlc": (104, b"\x0f\0\x08\0" + bytes(_4 / _TCP)),
    "sll": (113, CookedLinux(lladdrlen=6, src=bytes.fromhex("02000000000a")) / _4 / _TCP),
    "sll2": (276, CookedLinuxV2(lladdrlen=6, src=bytes.fromhex("02000000000a")) / _6 / _TCP),
}
SOUND_FRAMES = {name: (linktype, bytes(frame)) for name, (linktype, frame) in SOUND.items()}
