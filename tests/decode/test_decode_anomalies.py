"""Every anomaly name is raised by some input, and by nothing that is sound."""

from __future__ import annotations

from pathlib import Path

import pytest
from crafted_frames import SOUND_FRAMES, decode, eth, ip4, ip6, tcp, udp

from appliance.decode import ANOMALIES, INVALID, TABLE, is_invalid
from appliance.decode.anomalies import DECODE, as_markdown
from appliance.model.packet import Packet

ROOT = Path(__file__).resolve().parents[2]


def v4(proto: int, payload: bytes = b"", options: bytes = b"", **fields: int) -> bytes:
    return eth(0x800, ip4(proto, payload, options, **fields))


def v6(proto: int, payload: bytes = b"", **fields: int) -> bytes:
    return eth(0x86DD, ip6(proto, payload, **fields))


def h(text: str) -> bytes:
    return bytes.fromhex(text)


def icmp(kind: int, code: int = 0, rest: bytes = bytes(4)) -> bytes:
    return bytes([kind, code, 0, 0]) + rest


def gre(head: str) -> bytes:
    return v4(47, h(head))


SEG = tcp()
PAD6 = h("0502000000000000")[:6]  # router alert and two single pads fill an options header
OPTS = bytes(8)

# name, frame, link type, and (where they come with it) other names
CASES: list[tuple[str, bytes, int, set[str]]] = [
    ("ipv4.pkt_too_small", eth(0x800, ip4(6, b"")[:19]), 1, set()),
    ("ipv4.pkt_too_small", ip4(6, b"")[:19], 101, set()),
    ("ipv4.wrong_ip_version", v4(6, SEG, version=5), 1, set()),
    ("ipv4.hlen_too_small", v4(6, SEG, ihl=4), 1, set()),
    ("ipv4.iplen_smaller_than_hlen", v4(6, SEG, total=19), 1, set()),
    ("ipv4.iplen_smaller_than_hlen", v4(6, SEG, total=0), 1, set()),
    ("ipv4.trunc_pkt", v4(6, SEG, total=41), 1, set()),
    ("ipv4.opt_invalid", v4(6, SEG, h("9e04000001010101")), 1, set()),
    ("ipv4.opt_invalid_len", v4(6, SEG, h("0709040101010101")), 1, set()),
    ("ipv4.opt_invalid_len", v4(6, SEG, h("8801000001010101")), 1, set()),
    ("ipv4.opt_invalid_len", v4(6, SEG, h("8803000101010101")), 1, set()),
    ("ipv4.opt_invalid_len", v4(6, SEG, h("4404050000000000")), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("0707030000000001")), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("8307050000000001")), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("070710" + "00" * 5)), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("4408090100000000")), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("860a" + "00000001" + "00040000" + "000000000000")), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("860a" + "00000001" + "01050000" + "000000000000")), 1, set()),
    ("ipv4.opt_malformed", v4(6, SEG, h("860a" + "00000001" + "01040100" + "000000000000")), 1, set()),
    ("ipv4.opt_pad_required", v4(6, SEG, h("01010101")), 1, set()),
    ("ipv4.opt_eol_required", v4(6, SEG, h("0101010101010107")), 1, set()),
    ("ipv4.opt_duplicate", v4(6, SEG, h("9404000094040000")), 1, set()),
    ("ipv4.icmpv6", v4(58, icmp(128)), 1, set()),
    ("icmpv4.pkt_too_small", v4(1, icmp(8)[:7]), 1, set()),
    ("icmpv4.pkt_too_small", v4(1, icmp(13, rest=bytes(15))), 1, set()),
    ("icmpv4.unknown_type", v4(1, icmp(41)), 1, set()),
    ("icmpv4.unknown_code", v4(1, icmp(8, 1)), 1, set()),
    ("icmpv4.unknown_code", v4(1, icmp(3, 16)), 1, set()),
    ("icmpv4.unknown_code", v4(1, icmp(9, 7)), 1, set()),
    ("icmpv4.ipv4_trunc_pkt", v4(1, icmp(3, 1) + ip4(6, b"")[:19]), 1, set()),
    ("icmpv4.ipv4_unknown_ver", v4(1, icmp(3, 1) + ip4(6, b"", version=6)), 1, set()),
    ("icmpv6.pkt_too_small", v6(58, icmp(128)[:7]), 1, set()),
    ("icmpv6.unknown_type", v6(58, icmp(255)), 1, set()),
    ("icmpv6.unknown_code", v6(58, icmp(135, 1)), 1, set()),
    ("icmpv6.unknown_code", v6(58, icmp(138, 3)), 1, set()),
    ("icmpv6.ipv6_unknown_version", v6(58, icmp(1) + ip6(6, b"", version=4)), 1, set()),
    ("icmpv6.ipv6_trunc_pkt", v6(58, icmp(3) + ip6(6, b"")[:39]), 1, set()),
    ("icmpv6.mld_message_with_invalid_hl", v6(58, icmp(130)), 1, set()),
    ("icmpv6.mld_message_with_invalid_hl", v6(58, icmp(143), hops=2), 1, set()),
    ("icmpv6.unassigned_type", v6(58, icmp(99)), 1, set()),
    ("icmpv6.unassigned_type", v6(58, icmp(160)), 1, set()),
    ("icmpv6.experimentation_type", v6(58, icmp(200)), 1, set()),
    ("igmp.pkt_too_small", v4(2, bytes(7)), 1, set()),
    ("ipv6.pkt_too_small", eth(0x86DD, ip6(6, b"")[:39]), 1, set()),
    ("ipv6.trunc_pkt", v6(6, SEG, length=21), 1, set()),
    ("ipv6.wrong_ip_version", v6(6, SEG, version=4), 1, set()),
    ("ipv6.trunc_exthdr", v6(0, b"\6\1" + bytes(8)), 1, set()),
    ("ipv6.trunc_exthdr", v6(0, b"\6\0" + PAD6), 1, set()),
    ("ipv6.trunc_exthdr", v6(44, b"\6\0\0\1"), 1, set()),
    ("ipv6.exthdr_useless_fh", v6(44, b"\6\0\0\0" + bytes(4) + SEG), 1, set()),
    (
        "ipv6.exthdr_dupl_fh",
        v6(44, b"\x2c" + bytes(7) + b"\6" + bytes(7) + SEG),
        1,
        {"ipv6.exthdr_useless_fh"},
    ),
    ("ipv6.exthdr_dupl_rh", v6(43, b"\x2b\0\4\0" + OPTS[4:] + b"\6\0\4\0" + OPTS[4:] + SEG), 1, set()),
    ("ipv6.exthdr_dupl_hh", v6(0, b"\0\0" + PAD6 + b"\6\0" + PAD6 + SEG), 1, set()),
    ("ipv6.exthdr_dupl_dh", v6(60, b"\x3c\0" + PAD6 + b"\x3c\0" + PAD6 + b"\6\0" + PAD6 + SEG), 1, set()),
    ("ipv6.exthdr_dupl_ah", v6(51, b"\x33\1" + bytes(10) + b"\6\1" + bytes(10) + SEG), 1, set()),
    ("ipv6.exthdr_invalid_optlen", v6(0, b"\6\0\5\5\0\0\0\0" + SEG), 1, set()),
    ("ipv6.exthdr_invalid_optlen", v6(0, b"\6\0\5\1\0\0\0\0" + SEG), 1, set()),
    ("ipv6.exthdr_invalid_optlen", v6(60, b"\6\0\5\2\0\0\0\5" + SEG), 1, set()),
    ("ipv6.exthdr_ah_res_not_null", v6(51, b"\6\1\0\1" + bytes(8) + SEG), 1, set()),
    ("ipv6.hopopts_unknown_opt", v6(0, b"\6\0\x3e\4\0\0\0\0" + SEG), 1, set()),
    ("ipv6.hopopts_only_padding", v6(0, b"\6\0\1\4\0\0\0\0" + SEG), 1, set()),
    ("ipv6.dstopts_unknown_opt", v6(60, b"\6\0\x3e\4\0\0\0\0" + SEG), 1, set()),
    ("ipv6.dstopts_only_padding", v6(60, b"\6\0\0\0\0\0\0\0" + SEG), 1, set()),
    ("ipv6.rh_type_0", v6(43, b"\6\0\0\0" + bytes(4) + SEG), 1, set()),
    ("ipv6.zero_len_padn", v6(0, b"\6\0\5\2\0\0\1\0" + SEG), 1, set()),
    ("ipv6.fh_non_zero_reserved_field", v6(44, b"\6\1\0\1" + bytes(4) + SEG[:8]), 1, set()),
    ("ipv6.data_after_none_header", v6(59, b"x"), 1, set()),
    ("ipv6.unknown_next_header", v6(253, b"abcdef"), 1, set()),
    ("ipv6.unknown_next_header", v6(0, b"\xfd\0" + PAD6 + b"ab"), 1, set()),
    ("ipv6.icmpv4", v6(1, icmp(8)), 1, set()),
    ("ipv6.ipv4_in_ipv6_too_small", v6(4, ip4(6, b"")[:19]), 1, set()),
    ("ipv6.ipv4_in_ipv6_wrong_version", v6(4, ip4(6, b"", version=6)), 1, set()),
    ("ipv6.ipv6_in_ipv6_too_small", v6(41, ip6(6, b"")[:39]), 1, set()),
    ("ipv6.ipv6_in_ipv6_wrong_version", v6(41, ip6(6, b"", version=4)), 1, set()),
    ("tcp.pkt_too_small", v4(6, SEG[:19]), 1, set()),
    ("tcp.hlen_too_small", v4(6, tcp(hlen=24)), 1, set()),
    ("tcp.invalid_optlen", v4(6, tcp(hlen=16)), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("02050102"))), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("02010102"))), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("04030000"))), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("0509000000000000" + "00000000"))), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("22030000"))), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("13040000"))), 1, set()),
    ("tcp.opt_invalid_len", v4(6, tcp(h("1d020000"))), 1, set()),
    ("tcp.opt_duplicate", v4(6, tcp(h("0204010202040102"))), 1, set()),
    ("tcp.opt_duplicate", v4(6, tcp(h("0101080a0000000000000000" * 2))), 1, set()),
    ("udp.pkt_too_small", v4(17, udp(b"", length=9)), 1, set()),
    ("udp.hlen_too_small", v4(17, udp(b"")[:7]), 1, set()),
    ("udp.len_invalid", v4(17, udp(b"", length=7)), 1, set()),
    ("udp.len_invalid", v6(17, udp(b"", length=0)), 1, set()),
    ("sctp.pkt_too_small", v4(132, bytes(11)), 1, set()),
    ("esp.pkt_too_small", v4(50, bytes(7)), 1, set()),
    ("esp.pkt_too_small", v6(50, bytes(7)), 1, set()),
    ("arp.pkt_too_small", eth(0x806, bytes(27)), 1, set()),
    ("arp.unsupported_hardware", eth(0x806, h("0006080006040001") + bytes(20)), 1, set()),
    ("arp.unsupported_protocol", eth(0x806, h("000186dd06040001") + bytes(20)), 1, set()),
    ("arp.unsupported_pkt", eth(0x806, h("0001080006040001") + bytes(43)), 1, set()),
    ("arp.invalid_hardware_size", eth(0x806, h("0001080008040001") + bytes(20)), 1, set()),
    ("arp.invalid_protocol_size", eth(0x806, h("0001080006100001") + bytes(20)), 1, set()),
    ("arp.unsupported_opcode", eth(0x806, h("0001080006040063") + bytes(20)), 1, set()),
    ("sll.pkt_too_small", bytes(15), 113, set()),
    ("sll2.pkt_too_small", bytes(19), 276, set()),
    ("ethernet.pkt_too_small", bytes(13), 1, set()),
    ("ethernet.unknown_ethertype", eth(0x88CC, b"lldp"), 1, set()),
    ("chdlc.pkt_too_small", bytes(3), 104, set()),
    ("dce.pkt_too_small", eth(0x8903, bytes(15)), 1, set()),
    ("ppp.pkt_too_small", b"", 9, set()),
    ("ppp.pkt_too_small", b"\xff\3\0", 9, set()),
    ("ppp.vju_pkt_too_small", b"\xff\3\0\x2f" + bytes(19), 9, set()),
    ("ppp.ip4_pkt_too_small", b"\xff\3\0\x21" + bytes(19), 9, set()),
    ("ppp.ip6_pkt_too_small", b"\xff\3\0\x57" + bytes(39), 9, set()),
    ("ppp.ip4_pkt_too_small", eth(0x8864, h("11000001000a0021") + bytes(40)), 1, set()),
    ("ppp.wrong_type", b"\xff\3\0\x02", 9, set()),
    ("ppp.unsup_proto", b"\xff\3\0\x2d", 9, set()),
    ("pppoe.pkt_too_small", eth(0x8863, bytes(5)), 1, set()),
    ("pppoe.pkt_too_small", eth(0x8864, bytes(7)), 1, set()),
    ("pppoe.wrong_code", eth(0x8863, h("110100000000")), 1, set()),
    ("pppoe.malformed_tags", eth(0x8863, h("110900000005") + bytes(4)), 1, set()),
    ("pppoe.malformed_tags", eth(0x8863, h("110900000004" + "01010001")), 1, set()),
    ("pppoe.malformed_tags", eth(0x8863, h("110900000006" + "01010000" + "0101")), 1, set()),
    ("gre.pkt_too_small", v4(47, bytes(3)), 1, set()),
    ("gre.wrong_version", gre("00020800"), 1, set()),
    ("gre.version0_recur", gre("01000800"), 1, set()),
    ("gre.version0_flags", gre("00080800"), 1, set()),
    ("gre.version0_hdr_too_big", gre("b0000800" + "00" * 11), 1, set()),
    ("gre.version0_malformed_sre_hdr", gre("40000800" + "00" * 4 + "000100ff"), 1, set()),
    ("gre.version0_malformed_sre_hdr", gre("40000800" + "00" * 4 + "00010000"), 1, set()),
    ("gre.version1_chksum", gre("a001880b00000000"), 1, set()),
    ("gre.version1_route", gre("6001880b00000000"), 1, set()),
    ("gre.version1_ssr", gre("2801880b00000000"), 1, set()),
    ("gre.version1_recur", gre("2101880b00000000"), 1, set()),
    ("gre.version1_flags", gre("2009880b00000000"), 1, set()),
    ("gre.version1_no_key", gre("0001880b00000000"), 1, set()),
    ("gre.version1_wrong_protocol", gre("2001080000000000"), 1, set()),
    ("gre.version1_hdr_too_big", gre("3081880b" + "00" * 11), 1, set()),
    ("vlan.header_too_small", eth(0x8100, bytes(3)), 1, set()),
    ("vlan.unknown_type", eth(0x88A8, h("000588cc")), 1, {"ethernet.unknown_ethertype"}),
    ("vlan.too_many_layers", eth(0x8100, h("00018100000281000003810000040800")), 1, set()),
    ("ieee8021ah.header_too_small", eth(0x88E7, bytes(17)), 1, set()),
    ("vntag.header_too_small", eth(0x8926, bytes(5)), 1, set()),
    ("vntag.unknown_type", eth(0x8926, h("0000000088cc")), 1, {"ethernet.unknown_ethertype"}),
    ("etag.header_too_small", eth(0x893F, bytes(7)), 1, set()),
    ("etag.unknown_type", eth(0x893F, h("00000000000088cc")), 1, {"ethernet.unknown_ethertype"}),
    ("ipraw.invalid_ip_version", b"\x50" + bytes(40), 101, set()),
    ("ltnull.pkt_too_small", bytes(3), 0, set()),
    ("ltnull.unsupported_type", bytes(4), 0, set()),
    ("mpls.header_too_small", eth(0x8847, h("00014040")), 1, set()),
    ("mpls.pkt_too_small", eth(0x8847, h("00014140000000")), 1, set()),
    ("mpls.bad_label_router_alert", eth(0x8847, h("00001140")), 1, set()),
    ("mpls.bad_label_implicit_null", eth(0x8847, h("00003140")), 1, set()),
    ("mpls.bad_label_reserved", eth(0x8848, h("0000d140")), 1, set()),
    ("mpls.unknown_payload_type", eth(0x8847, h("0001414050000000")), 1, set()),
    (
        "vxlan.unknown_payload_type",
        v4(17, udp(h("0800000000000100") + eth(0x88CC, b""), dport=4789)),
        1,
        set(),
    ),
    ("geneve.unknown_payload_type", v4(17, udp(h("000088cc00000100"), dport=6081)), 1, set()),
    ("erspan.header_too_small", gre("100088be00000000" + "10000000000000"), 1, set()),
    ("erspan.header_too_small", gre("100022eb00000000" + "2000" + "00" * 9 + "01" + "00" * 7), 1, set()),
    ("erspan.unsupported_version", gre("100088be00000000" + "3000000000000000"), 1, set()),
    ("nsh.header_too_small", eth(0x894F, bytes(7)), 1, set()),
    ("nsh.unsupported_version", eth(0x894F, h("4002020100000000")), 1, set()),
    ("nsh.bad_header_length", eth(0x894F, h("0006010100000000")), 1, set()),
    ("nsh.bad_header_length", eth(0x894F, h("0002010100000000")), 1, set()),
    ("nsh.reserved_type", eth(0x894F, h("0002000100000000")), 1, set()),
    ("nsh.unsupported_type", eth(0x894F, h("0002030100000000")), 1, set()),
    ("nsh.unknown_payload", eth(0x894F, h("0002020900000000")), 1, set()),
    ("too_many_layers", eth(0x8847, h("00014040") * 17), 1, set()),
]


@pytest.mark.parametrize(("name", "frame", "linktype", "others"), CASES)
def test_each_anomaly_by_its_name(name: str, frame: bytes, linktype: int, others: set[str]) -> None:
    packet = decode(frame, linktype)
    assert set(packet.anomalies or ()) == {name} | others
    assert is_invalid(packet) == (not INVALID.isdisjoint({name} | others))


def test_vlans_of_erspan_count_towards_the_limit() -> None:
    tags = h("000181000002810000030800")
    frame = gre("100088be00000000" + "1064000000000000" + eth(0x8100, tags + ip4(17, udp(b""))).hex())
    inner = decode(frame).inner
    assert inner is not None
    assert inner.anomalies == ["vlan.too_many_layers"]


def test_no_name_goes_untested() -> None:
    assert {case[0] for case in CASES} == {entry.name for entry in TABLE.values() if entry.stage == DECODE}


@pytest.mark.parametrize("name", sorted(SOUND_FRAMES))
def test_sound_frames_have_none(name: str) -> None:
    linktype, frame = SOUND_FRAMES[name]
    packet: Packet | None = decode(frame, linktype)
    while packet is not None:
        assert packet.anomalies is None
        packet = packet.inner


@pytest.mark.parametrize(
    "payload",
    [
        h("11090000000c010100000103000400001761") + bytes(30),  # PADI, padded
        h("11a700010000"),
    ],
)
def test_sound_discovery_is_quiet(payload: bytes) -> None:
    assert decode(eth(0x8863, payload)).anomalies is None


@pytest.mark.parametrize("proto", ["c021", "c023", "c223", "8021", "8057"])
def test_ppp_control_is_quiet(proto: str) -> None:
    assert decode(eth(0x8864, h("110000010008" + proto) + bytes(40))).anomalies is None


@pytest.mark.parametrize(
    "options", ["22020101", "2206bb6eec9d0101", "fd04f9890101", "1d0401020101", "05020000"]
)
def test_odd_but_sound_tcp_options_are_quiet(options: str) -> None:
    assert decode(v4(6, tcp(h(options.ljust(-(-len(options) // 8) * 8, "0"))))).anomalies is None


def test_names_are_closed_and_documented() -> None:
    assert len(set(ANOMALIES)) == len(ANOMALIES)
    assert frozenset(ANOMALIES) >= INVALID
    assert all(entry.meaning for entry in TABLE.values())
    document = (ROOT / "docs" / "anomalies.md").read_text()
    assert document == as_markdown(), "write docs/anomalies.md anew from appliance.decode.anomalies"


@pytest.mark.shared
def test_names_that_rules_use_are_known(shared: Path) -> None:
    text = (shared / "suricata-verify" / "analysis" / "values.tsv").read_text()
    used = {line.split("\t")[1] for line in text.splitlines() if line.startswith("decode-event\t")}
    assert used
    assert used <= set(ANOMALIES)
