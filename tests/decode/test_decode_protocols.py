"""Every protocol's fields are what scapy says they are."""

from __future__ import annotations

import pytest
from crafted_frames import DECODER, MAC_A, MAC_B, SOUND, SOUND_FRAMES, decode, eth, ip4, ip6, tcp, udp
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet as Crafted
from scapy.utils import inet_aton

from appliance.decode import embedded
from appliance.model.packet import Packet


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def layers_of(crafted: Crafted, kind: type) -> list[Crafted]:
    return [layer for layer in crafted.iterpayloads() if isinstance(layer, kind)]


def chain(packet: Packet) -> list[Packet]:
    found = [packet]
    while found[-1].inner is not None:
        found.append(found[-1].inner)
    return found


def check_ip(packet: Packet, layer: Crafted) -> None:
    frame = packet.frame
    assert frame[packet.ip_off] >> 4 == packet.ip_version == layer.version
    if packet.ip_version == 4:
        assert (packet.src, packet.dst) == (inet_aton(layer.src), inet_aton(layer.dst))
        assert (packet.ttl, packet.tos, packet.ip_id) == (layer.ttl, layer.tos, layer.id)
        assert (packet.ip_len, packet.ip_hlen) == (layer.len, layer.ihl * 4)
        assert packet.dont_frag == layer.flags.DF
        assert packet.more_frags == layer.flags.MF
        assert packet.frag_off == layer.frag * 8
    else:
        assert packet.ip_len == 40 + layer.plen
        assert (packet.ttl, packet.tos) == (layer.hlim, layer.tc)


def check_tcp(packet: Packet, layer: Crafted) -> None:
    assert packet.proto == 6
    names = ("sport", "dport", "seq", "ack", "window")
    assert [getattr(packet, name) for name in names] == [getattr(layer, name) for name in names]
    assert packet.urgent == layer.urgptr
    assert packet.tcp_flags == int(layer.flags)
    assert packet.tcp_hlen == layer.dataofs * 4
    assert (packet.mss, packet.wscale, packet.sack_ok) == (1460, 7, True)
    assert (packet.ts_val, packet.ts_ecr) == (0xFFFFFFFE, 77)
    assert packet.tcp_opts == bytes((2, 4, 8, 1, 3))
    assert packet.payload() == bytes(layer.payload)


def check_udp(packet: Packet, layer: Crafted) -> None:
    assert packet.proto == 17
    assert (packet.sport, packet.dport) == (layer.sport, layer.dport)
    assert packet.payload() == bytes(layer.payload)


def whole(name: str) -> tuple[Packet, Crafted]:
    """Decode a sound frame, and have scapy dissect the same bytes."""
    linktype, frame = SOUND_FRAMES[name]
    crafted = SOUND[name][1]
    if isinstance(crafted, bytes):
        start = {0: 4, 108: 4, 104: 4}.get(linktype, 1 if name == "ppp_short" else 4)
        crafted = (IP if frame[start] >> 4 == 4 else IPv6)(frame[start:])
    else:
        crafted = type(crafted)(frame)
    return decode(frame, linktype), crafted


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"arp", "teredo"}))
def test_every_ip_layer_is_what_scapy_says(name: str) -> None:
    packet, crafted = whole(name)
    packets = [p for p in chain(packet) if p.ip_version]
    layers = [layer for layer in crafted.iterpayloads() if isinstance(layer, IP | IPv6)]
    layers = [layer for layer in layers if layer.name in ("IP", "IPv6")]  # not quotations
    for each, layer in zip(packets, layers, strict=True):
        check_ip(each, layer)
        assert each.anomalies is None


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"arp", "teredo", "icmp4_error", "icmp6_error"}))
def test_the_innermost_transport_is_what_scapy_says(name: str) -> None:
    packet, crafted = whole(name)
    last = chain(packet)[-1]
    for kind, check in ((TCP, check_tcp), (UDP, check_udp)):
        found = layers_of(crafted, kind)
        if found and not last.is_fragment():
            check(last, found[-1])


def test_ethernet_and_time() -> None:
    packet = decode(SOUND_FRAMES["tcp4"][1])
    assert (packet.eth_src, packet.eth_dst, packet.ethertype) == (mac(MAC_A), mac(MAC_B), 0x0800)
    assert (packet.now, packet.number, packet.linktype) == (1_700_000_000_000_000_000, 7, 1)
    assert packet.wirelen == len(packet.frame)


@pytest.mark.parametrize(("name", "vlans"), [("vlan", (100,)), ("qinq", (4094, 3, 2)), ("tcp4", ())])
def test_vlans_from_the_outside_in(name: str, vlans: tuple[int, ...]) -> None:
    assert decode(SOUND_FRAMES[name][1]).vlans == vlans


def test_arp() -> None:
    packet = decode(SOUND_FRAMES["arp"][1])
    assert (packet.ethertype, packet.arp_op, packet.ip_version, packet.proto) == (0x0806, 2, 0, -1)
    assert (packet.arp_sha, packet.arp_tha) == (mac(MAC_A), mac(MAC_B))
    assert (packet.arp_spa, packet.arp_tpa) == (inet_aton("10.1.2.3"), inet_aton("10.4.5.6"))
    assert packet.anomalies is None


def test_padded_arp_is_sound() -> None:
    assert decode(SOUND_FRAMES["arp"][1].ljust(60, b"\0")).anomalies is None


def test_icmp_identifiers() -> None:
    four, six = decode(SOUND_FRAMES["icmp4"][1]), decode(SOUND_FRAMES["icmp6"][1])
    assert (four.icmp_type, four.icmp_code, four.icmp_id, four.icmp_seq) == (8, 0, 77, 3)
    assert (six.icmp_type, six.icmp_code, six.icmp_id, six.icmp_seq) == (128, 0, 9, 4)
    assert four.payload() == six.payload() == b"ping"


def test_an_icmp_error_says_whose_flow_it_is_about() -> None:
    a, b = inet_aton("10.1.2.3"), inet_aton("10.4.5.6")
    assert embedded(decode(SOUND_FRAMES["icmp4_error"][1])) == (17, b, a, 5353, 53)
    six = embedded(decode(SOUND_FRAMES["icmp6_error"][1]))
    assert six is not None
    assert (six[0], six[1][-1], six[2][-1], six[3], six[4]) == (6, 2, 1, 40000, 443)
    assert embedded(decode(SOUND_FRAMES["icmp4"][1])) is None
    assert embedded(decode(SOUND_FRAMES["tcp4"][1])) is None


@pytest.mark.parametrize(
    ("quoted", "ports"),
    [
        (ip4(17, udp(b""))[:24], (1111, 2222)),
        (ip4(17, udp(b""))[:23], (0, 0)),
        (ip4(17, udp(b""), flags=1), (0, 0)),
        (ip4(1, b"\x08\0\0\0\0\x4d\0\1"), (0x0800, 77)),
        (ip4(50, bytes(8)), (0, 0)),
    ],
)
def test_ports_of_a_quotation(quoted: bytes, ports: tuple[int, int]) -> None:
    found = embedded(decode(eth(0x800, ip4(1, b"\3\1\0\0\0\0\0\0" + quoted))))
    assert found is not None
    assert found[3:] == ports


def test_a_quoted_ipv6_packet_behind_extension_headers() -> None:
    quoted = ip6(0, b"\x3c\0" + bytes(6) + b"\x2c\0" + bytes(6) + b"\x11\0\0\1" + bytes(4) + udp(b""))
    found = embedded(decode(eth(0x86DD, ip6(58, b"\1\0\0\0\0\0\0\0" + quoted))))
    assert found is not None
    assert (found[0], found[3], found[4]) == (17, 1111, 2222)


def test_payload_never_holds_link_padding() -> None:
    padded = decode(eth(0x800, ip4(6, tcp())).ljust(60, b"\0"))
    assert padded.payload() == b""
    assert padded.payload_off == 54
    short_udp = decode(eth(0x800, ip4(17, udp(b"abcdef", length=10))))
    assert short_udp.payload() == b"ab"


def test_fragments_stay_undecoded_but_placed() -> None:
    four, six = decode(SOUND_FRAMES["fragment4"][1]), decode(SOUND_FRAMES["fragment6"][1])
    assert (four.frag_off, four.more_frags, four.proto, four.payload_len, four.sport) == (24, True, 17, 16, 0)
    assert (six.frag_off, six.more_frags, six.proto, six.payload_len, six.ip_id) == (
        32,
        True,
        17,
        16,
        0xFEDCBA98,
    )
    assert (six.frag_hdr, six.frag_prev, six.ip_hlen) == (54, 20, 48)
    assert four.is_fragment()
    assert six.is_fragment()


def test_the_byte_that_names_a_fragment_header_is_found_behind_others() -> None:
    packet = decode(eth(0x86DD, ip6(60, b"\x2c\0\5\2\0\0\1\0" + b"\x06\0\0\1\0\0\0\5" + bytes(8))))
    assert packet.frame[packet.frag_prev] == 44
    assert (packet.frag_prev, packet.frag_hdr) == (54, 62)
    assert packet.ext_headers == (60, 44)
    assert (packet.ip_hlen, packet.payload_len, packet.proto) == (56, 8, 6)


def test_extension_headers_are_listed_in_order() -> None:
    packet = decode(SOUND_FRAMES["extensions"][1])
    assert packet.ext_headers == (0, 43, 60)
    assert packet.l4_off == packet.ip_off + packet.ip_hlen


def test_ip_options_are_listed() -> None:
    assert decode(SOUND_FRAMES["options"][1]).ip_opts == (7, 0)


def test_esp_keeps_its_whole_body() -> None:
    packet = decode(eth(0x86DD, ip6(0, b"\x32\0\5\2\0\0\0\0" + b"spi!seq!body")))
    assert (packet.proto, packet.payload()) == (50, b"spi!seq!body")
    assert packet.anomalies is None


def test_sctp_ports_and_chunks() -> None:
    packet = decode(SOUND_FRAMES["sctp"][1])
    assert (packet.proto, packet.sport, packet.dport) == (132, 1, 2)
    assert packet.payload_off == packet.l4_off + 12


def test_other_ethertypes_are_carried_as_they_are() -> None:
    packet = decode(eth(0x88CC, b"lldp"))
    assert (packet.ethertype, packet.ip_version, packet.payload()) == (0x88CC, 0, b"lldp")


def test_llc_without_snap_ends_quietly() -> None:
    packet = decode(eth(38, b"\x42\x42\x03" + bytes(43)))
    assert (packet.ethertype, packet.payload_len, packet.anomalies) == (4, 38, None)


def test_cooked_headers_give_the_sender() -> None:
    assert decode(*reversed(SOUND_FRAMES["sll"])).eth_src == mac(MAC_A)
    assert decode(*reversed(SOUND_FRAMES["sll2"])).eth_src == mac(MAC_A)


def test_a_window_scale_beyond_the_standard_counts_as_14() -> None:
    assert decode(eth(0x800, ip4(6, tcp(b"\3\3\xff\0")))).wscale == 14


def test_sack_blocks_are_counted() -> None:
    assert decode(eth(0x800, ip4(6, tcp(b"\1\1\5\x12" + bytes(16))))).sacks == 2


def test_van_jacobson_uncompressed_is_tcp() -> None:
    packet = decode(b"\xff\3\0\x2f" + ip4(9, tcp(payload=b"abc")), 9)
    assert (packet.proto, packet.sport, packet.payload()) == (6, 8080, b"abc")


def test_icmp_layer_of_scapy_agrees_on_code() -> None:
    packet, crafted = whole("icmp4_error")
    assert (packet.icmp_type, packet.icmp_code) == (crafted[ICMP].type, crafted[ICMP].code)


def test_a_cut_frame_keeps_its_length_on_the_wire() -> None:
    packet = DECODER.decode(SOUND_FRAMES["tcp4"][1][:60], 1, 0, 1, 1500)
    assert packet.wirelen == 1500
    assert packet.anomalies == ["ipv4.trunc_pkt"]
