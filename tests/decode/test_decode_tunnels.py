"""Tunnels: what is carried hangs on its carrier, within bounds."""

from __future__ import annotations

import gc

import pytest
from crafted_frames import DECODER, SOUND_FRAMES, decode, eth, ip4, ip6, tcp, udp

from appliance.config.settings import DecodeSettings
from appliance.decode import Decoder, is_invalid
from appliance.model.packet import Packet

INNER4 = ip4(17, udp(b"inner"))
FRAME = bytes(12) + b"\x08\0" + INNER4


def only_inner(packet: Packet) -> Packet:
    assert packet.inner is not None
    return packet.inner


@pytest.mark.parametrize(
    ("name", "tunnel"),
    [
        ("gre", "gre"),
        ("gre_bridge", "gre"),
        ("4in4", "ipv4"),
        ("6in4", "ipv4"),
        ("4in6", "ipv6"),
        ("6in6", "ipv6"),
        ("vxlan", "vxlan"),
        ("geneve", "geneve"),
        ("teredo", "teredo"),
    ],
)
def test_carried_packets_know_their_place(name: str, tunnel: str) -> None:
    outer = decode(SOUND_FRAMES[name][1])
    inner = only_inner(outer)
    assert (inner.tunnel, inner.depth, inner.linktype, inner.number) == (tunnel, 1, 101, 7)
    assert inner.outer is outer
    assert inner.frame is outer.frame
    assert inner.start + inner.wirelen <= len(inner.frame)
    assert inner.ip_off >= inner.start > outer.ip_off
    assert inner.inner is None


@pytest.mark.parametrize(
    ("head", "body", "tunnel", "vlans"),
    [
        ("000088be", FRAME, "erspan", ()),
        ("100088be00000001" + "1064000000000000", FRAME, "erspan", (100,)),
        ("100022eb00000001" + "2007" + "00" * 10, FRAME, "erspan", (7,)),
        ("100022eb00000001" + "2000" + "00" * 9 + "01" + "00" * 8, FRAME, "erspan", ()),
        ("00008100", b"\0\x09\x08\0" + INNER4, "gre", (9,)),
        ("3001880b" + "00" * 8, b"\xff\3\0\x21" + INNER4, "gre", ()),
        ("3081880b" + "00" * 12, b"\x21" + INNER4, "gre", ()),
        ("b0000800" + "00" * 12, INNER4, "gre", ()),
        ("40000800" + "00" * 4 + "00010004deadbeef" + "00000000", INNER4, "gre", ()),
        ("00008847", b"\0\1\x41\x40" + INNER4, "gre", ()),
    ],
)
def test_gre_variants(head: str, body: bytes, tunnel: str, vlans: tuple[int, ...]) -> None:
    outer = decode(eth(0x800, ip4(47, bytes.fromhex(head) + body)))
    inner = only_inner(outer)
    assert (inner.tunnel, inner.vlans, inner.payload()) == (tunnel, vlans, b"inner")
    assert outer.anomalies is inner.anomalies is None


def test_macs_and_vlans_of_a_carried_frame_are_its_own() -> None:
    outer = decode(
        eth(0x8100, b"\0\x05\x08\0" + ip4(47, bytes.fromhex("00006558") + b"ABCDEFabcdef" + FRAME[12:]))
    )
    inner = only_inner(outer)
    assert (outer.vlans, inner.vlans) == ((5,), ())
    assert (inner.eth_dst, inner.eth_src) == (b"ABCDEF", b"abcdef")


@pytest.mark.parametrize("kind", [0x8847, 0x894F, 0x8903])
def test_macs_stay_those_of_the_wire_in_link_layer_tunnels(kind: int) -> None:
    heads = {0x8847: b"\0\1\x41\x40" + bytes(4), 0x894F: bytes.fromhex("0002020300000000"), 0x8903: b"\0\1"}
    packet = decode(eth(kind, heads[kind] + FRAME))
    assert packet.eth_src == bytes.fromhex("02000000000a")
    assert packet.payload() == b"inner"
    assert packet.inner is None


def nested(depth: int) -> bytes:
    packet = INNER4
    for _ in range(depth):
        packet = ip4(4, packet)
    return eth(0x800, packet)


def deepest(packet: Packet) -> Packet:
    while packet.inner is not None:
        packet = packet.inner
    return packet


def test_depth_is_bounded() -> None:
    assert deepest(decode(nested(8))).payload() == b"inner"
    last = deepest(decode(nested(9)))
    assert (last.depth, last.anomalies) == (8, ["too_many_layers"])
    shallow = Decoder(DecodeSettings(max_depth=1))
    assert deepest(shallow.decode(nested(5), 1, 0, 1)).depth == 1


def test_a_rebuilt_datagram_does_not_start_its_depth_anew() -> None:
    last = deepest(decode(nested(8)))
    whole = DECODER.redecode(last, ip4(4, INNER4))
    assert whole.inner is None
    assert whole.anomalies == ["too_many_layers"]


def test_redecode_keeps_what_the_link_layer_said() -> None:
    first = decode(eth(0x8100, b"\0\x05\x08\0" + ip4(17, udp(bytes(16))[:24], flags=0x2000)))
    first.tenant = 3
    whole = DECODER.redecode(first, ip4(17, udp(b"all of it")))
    assert whole.rebuilt
    assert (whole.eth_src, whole.eth_dst, whole.vlans) == (first.eth_src, first.eth_dst, (5,))
    assert (whole.number, whole.now, whole.tenant) == (7, first.now, 3)
    assert (whole.sport, whole.dport, whole.payload()) == (1111, 2222, b"all of it")
    six = decode(eth(0x86DD, ip6(44, b"\x11\0\0\1\0\0\0\1" + bytes(8))))
    assert DECODER.redecode(six, ip6(17, udp(b"six"))).payload() == b"six"


@pytest.mark.parametrize(
    ("port", "payload"),
    [
        (4789, b"\x08\0\0\0\0\0\x01\1" + FRAME),  # reserved byte set
        (4789, bytes(8) + FRAME),  # no VNI flag
        (4789, b"\x08\0\0\0\0\0\1\0" + FRAME[:13]),
        (6081, b"\x40\0\x65\x58\0\0\1\0" + FRAME),  # version 1
        (6081, b"\x02\0\x65\x58\0\0\1\0" + b"\0\0\0\x1f" + bytes(4) + FRAME),  # option too long
        (3544, ip6(17, udp(b""), length=9)),
        (3544, ip6(17, udp(b""), hops=0)),
        (3544, b"\0\1" + bytes(60)),
        (3544, ip6(6, b"123")),  # carried packet is malformed
    ],
)
def test_what_does_not_look_like_a_tunnel_is_left_alone(port: int, payload: bytes) -> None:
    packet = decode(eth(0x800, ip4(17, udp(payload, dport=port))))
    assert packet.inner is None
    assert packet.anomalies is None
    assert packet.payload() == payload


def test_teredo_after_an_origin_indication() -> None:
    payload = bytes(8) + ip6(17, udp(b"far"))
    assert only_inner(decode(eth(0x800, ip4(17, udp(payload, dport=3544))))).payload() == b"far"


def test_tunnel_ports_are_settings() -> None:
    frame = eth(0x800, ip4(17, udp(b"\x08\0\0\0\0\0\1\0" + FRAME, dport=8472)))
    assert decode(frame).inner is None
    assert Decoder(DecodeSettings(vxlan_ports=(8472,))).decode(frame, 1, 0, 1).inner is not None
    teredo = eth(0x800, ip4(17, udp(ip6(17, udp(b"x")), dport=9999)))
    assert decode(teredo).inner is None
    assert Decoder(DecodeSettings(teredo_ports=())).decode(teredo, 1, 0, 1).inner is not None
    off = DecodeSettings(teredo=False)
    assert Decoder(off).decode(SOUND_FRAMES["teredo"][1], 1, 0, 1).inner is None


def test_erspan_without_header_and_vn_tags_are_settings() -> None:
    erspan = eth(0x800, ip4(47, bytes.fromhex("000088be") + FRAME))
    assert Decoder(DecodeSettings(erspan1=False)).decode(erspan, 1, 0, 1).inner is None
    tagged = eth(0x8926, bytes(4) + b"\x08\0" + INNER4)
    assert decode(tagged).payload() == b"inner"
    plain = Decoder(DecodeSettings()).decode(tagged, 1, 0, 1)
    assert (plain.ip_version, plain.anomalies) == (0, ["ethernet.unknown_ethertype"])


def test_a_malformed_carried_packet_speaks_for_itself() -> None:
    outer = decode(eth(0x800, ip4(4, ip4(6, tcp()[:10]))))
    inner = only_inner(outer)
    assert not is_invalid(outer)
    assert is_invalid(inner)
    assert inner.anomalies == ["tcp.pkt_too_small"]


def test_carrier_and_carried_can_be_collected() -> None:
    gc.collect()
    decode(SOUND_FRAMES["vxlan"][1])
    assert gc.collect() >= 0
    assert not [o for o in gc.get_objects() if isinstance(o, Packet) and o.tunnel == "vxlan"]
