"""IP reassembly: what comes out, what is noted, what is bounded."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import SECOND, DefragSettings
from appliance.flow.defrag import Defragmenter
from appliance.flow.networks import Networks
from appliance.model.packet import Packet

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"
A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"


def v4(start, data, more=True, *, ident=7, proto=17, options=b"", vlans=(), src=A, dst=B, number=1, pad=b""):
    """An IPv4 fragment behind an Ethernet header, decoded as the decoder leaves fragments."""
    hlen = 20 + len(options)
    flags = (0x2000 if more else 0) | start >> 3
    header = bytearray([0x40 | hlen >> 2, 0])
    header += (hlen + len(data)).to_bytes(2, "big") + ident.to_bytes(2, "big") + flags.to_bytes(2, "big")
    header += bytes([64, proto, 0, 0]) + src + dst + options
    packet = Packet(bytes(12) + b"\x08\0" + header + data + pad, 1, 0, number)
    packet.ip_version, packet.ip_off, packet.ip_hlen, packet.ip_len = 4, 14, hlen, hlen + len(data)
    packet.src, packet.dst, packet.proto, packet.ip_id = src, dst, proto, ident
    packet.frag_off, packet.more_frags, packet.vlans = start, more, vlans
    packet.payload_off = packet.l4_off = 14 + hlen
    packet.payload_len = len(data)
    return packet


def v6(start, data, more=True, *, ident=7, between=b"", number=1, following=17):
    """An IPv6 fragment in a raw frame; ``between`` is a destination options header or nothing."""
    fragment = bytes([following, 0]) + (start | more).to_bytes(2, "big") + ident.to_bytes(4, "big")
    body = between + fragment + data
    head = b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([60 if between else 44, 64]) + A6 + B6
    packet = Packet(head + body, 101, 0, number)
    packet.ip_version, packet.ip_hlen = 6, 40 + len(between) + 8
    packet.src, packet.dst, packet.proto, packet.ip_id = A6, B6, 44, ident
    packet.frag_off, packet.more_frags = start, more
    packet.frag_hdr, packet.frag_prev = 40 + len(between), 40 if between else 6
    packet.payload_off, packet.payload_len = packet.ip_hlen, len(data)
    return packet


DESTINATION_OPTIONS = bytes([44, 0, 1, 4, 0, 0, 0, 0])


def defragmenter(os="bsd", **changes):
    return Defragmenter(DefragSettings(**changes), lambda address: os)


def feed(defrag, packets, now=0):
    """Results other than None."""
    return [whole for packet in packets if (whole := defrag.add(packet, now)) is not None]


def checksum_is_right(header):
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def test_ipv4_header_is_that_of_a_whole_datagram():
    defrag = defragmenter()
    pieces = [
        v4(16, b"c" * 5, False, number=9),
        v4(0, b"a" * 8, options=b"\x94\x04\0\0", number=10, pad=b"padding"),
        v4(8, b"b" * 8, number=11),
    ]
    [whole] = feed(defrag, pieces)
    header, payload = whole.data[:24], whole.data[24:]
    assert payload == b"a" * 8 + b"b" * 8 + b"c" * 5
    assert header[0] == 0x46
    assert int.from_bytes(header[2:4], "big") == 45
    assert header[6:8] == b"\0\0"
    assert header[4:6] == b"\0\7"
    assert header[20:] == b"\x94\x04\0\0"
    assert checksum_is_right(header)
    assert (whole.ip_version, whole.fragments, whole.first_number) == (4, 3, 9)
    assert len(defrag) == 0
    assert defrag.bytes == 0
    assert all(piece.anomalies is None for piece in pieces)


@pytest.mark.parametrize(("between", "chain"), [(b"", 6), (DESTINATION_OPTIONS, 40)])
def test_ipv6_is_chained_past_the_fragment_header(between, chain):
    [whole] = feed(defragmenter(), [v6(8, b"tail", False, between=between), v6(0, b"x" * 8, between=between)])
    assert whole.data[40 + len(between) :] == b"x" * 8 + b"tail"
    assert int.from_bytes(whole.data[4:6], "big") == len(between) + 12
    assert whole.data[chain] == 17
    assert whole.data[8:40] == A6 + B6
    if between:
        assert whole.data[6] == 60
        assert whole.data[41:48] == between[1:]


def test_not_a_fragment_is_left_alone():
    defrag = defragmenter()
    assert defrag.add(v4(0, b"whole", False), 0) is None
    assert defrag.add(Packet(b"", 1, 0, 1), 0) is None
    assert len(defrag) == 0
    assert defrag.counters["fragments"] == 0


@pytest.mark.parametrize("make", [v4, v6])
@settings(max_examples=60, deadline=None)
@given(
    payload=st.binary(min_size=9, max_size=400), cuts=st.sets(st.integers(1, 49)), seed=st.integers(0, 999)
)
def test_any_order_gives_the_same(make, payload, cuts, seed):
    places = [0, *sorted(cut * 8 for cut in cuts if cut * 8 < len(payload)), len(payload)]
    if len(places) == 2:
        places.insert(1, 8)
    spans = list(itertools.pairwise(places))
    random.Random(seed).shuffle(spans)
    packets = [make(start, payload[start:end], end < len(payload)) for start, end in spans]
    whole = feed(defragmenter(), packets)
    assert [one.data[-len(payload) :] for one in whole] == [payload]
    assert whole[0].fragments == len(spans)
    assert all(packet.anomalies is None for packet in packets)


CASES = {
    "duplicate": ([(0, b"aaaaaaaa", True), (0, b"aaaaaaaa", True), (8, b"b", False)], b"aaaaaaaab", True),
    "duplicate last": ([(8, b"b", False), (8, b"b", False), (0, b"aaaaaaaa", True)], b"aaaaaaaab", True),
    "last is shorter than what came": (
        [(0, b"aaaaaaaa", True), (8, b"bbbbbbbb", True), (8, b"c", False)],
        b"aaaaaaaabbbbbbbb",
        True,
    ),
    "two lasts, the longer counts": (
        [(8, b"b", False), (8, b"bbbb", False), (0, b"aaaaaaaa", True)],
        b"aaaaaaaabbbb",
        True,
    ),
    "empty last": ([(0, b"aaaaaaaa", True), (8, b"", False)], b"aaaaaaaa", False),
    "empty last first": ([(8, b"", False), (0, b"aaaaaaaa", True)], b"aaaaaaaa", False),
    "empty in the middle": ([(0, b"aaaaaaaa", True), (8, b"", True), (8, b"b", False)], b"aaaaaaaab", False),
    "empty first": ([(0, b"", True), (0, b"aaaaaaaa", True), (8, b"b", False)], b"aaaaaaaab", False),
    "hole": ([(0, b"aaaaaaaa", True), (16, b"b", False)], None, False),
    "no beginning": ([(8, b"aaaaaaaa", True), (16, b"b", False)], None, False),
    "no end": ([(0, b"aaaaaaaa", True), (8, b"aaaaaaaa", True)], None, False),
    "data beyond the last with a hole": (
        [(24, b"cccccccc", True), (0, b"aaaaaaaa", True), (8, b"b", False)],
        None,
        False,
    ),
    "tiny overlap of the transport header": (
        [(0, b"aaaaaaaa", True), (8, b"bbbbbbbb", False), (0, b"xxxxxxxx", True)],
        b"aaaaaaaabbbbbbbb",
        False,
    ),
}


@pytest.mark.parametrize("make", [v4, v6])
@pytest.mark.parametrize(("fragments", "expected", "overlap"), CASES.values(), ids=CASES.keys())
def test_cases(make, fragments, expected, overlap):
    packets = [make(*fragment) for fragment in fragments]
    whole = feed(defragmenter(), packets)
    header = 20 if make is v4 else 40
    assert [one.data[header:] for one in whole] == ([] if expected is None else [expected])
    names = {name for packet in packets for name in packet.anomalies or ()}
    assert ("ipv4.frag_overlap" in names or "ipv6.frag_overlap" in names) == overlap


@pytest.mark.parametrize(
    ("os", "payload", "option"),
    [("linux", b"xxxxxxxxbbbb", 2), ("bsd", b"aaaaaaaabbbb", 1), ("last", b"xxxxxxxxbbbb", 2)],
)
def test_header_is_that_of_the_fragment_whose_first_byte_is_kept(os, payload, option):
    packets = [
        v4(0, b"a" * 8, options=b"\1\1\1\1"),
        v4(0, b"x" * 8, options=b"\2\2\2\2"),
        v4(8, b"bbbb", False),
    ]
    [whole] = feed(defragmenter(os), packets)
    assert whole.data[24:] == payload
    assert whole.data[20] == option


def test_policy_is_the_receivers():
    asked = []
    defrag = Defragmenter(DefragSettings(), lambda address: asked.append(address) or "last")
    feed(defrag, [v4(0, b"a" * 8), v4(0, b"b" * 8)])
    assert asked == [B]


KEYS = [
    ("id", {"ident": 8}),
    ("protocol", {"proto": 6}),
    ("vlan", {"vlans": (3,)}),
    ("source", {"src": b"\x0a\0\0\3"}),
    ("destination", {"dst": b"\x0a\0\0\3"}),
    ("direction", {"src": B, "dst": A}),
]


@pytest.mark.parametrize("changes", [k[1] for k in KEYS], ids=[k[0] for k in KEYS])
def test_datagrams_are_kept_apart(changes):
    defrag = defragmenter()
    assert feed(defrag, [v4(0, b"a" * 8), v4(8, b"b", False, **changes)]) == []
    assert len(defrag) == 2


def test_depth_and_tenant_keep_datagrams_apart():
    for name in ("depth", "tenant"):
        other = v4(8, b"b", False)
        setattr(other, name, 1)
        assert feed(defragmenter(), [v4(0, b"a" * 8), other]) == []


def test_vlans_can_be_ignored():
    assert len(feed(defragmenter(vlan_in_key=False), [v4(0, b"a" * 8), v4(8, b"b", False, vlans=(3,))])) == 1


def test_ipv6_datagrams_are_told_apart_by_id_alone():
    # RFC 8200: the next header of fragments other than the first does not matter.
    [whole] = feed(defragmenter(), [v6(8, b"b", False, following=6), v6(0, b"a" * 8, following=17)])
    assert whole.data[6] == 17


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (v4(65528, b"12345678", False), "ipv4.frag_pkt_too_large"),
        (v4(65512, b"1234", False), "ipv4.frag_pkt_too_large"),
        (v6(65528, b"12345678", False), "ipv6.frag_pkt_too_large"),
        (v6(0, b"1234567", True), "ipv6.frag_invalid_length"),
    ],
)
def test_anomalies_of_one_fragment(packet, name):
    assert defragmenter().add(packet, 0) is None
    assert packet.anomalies == [name]


def test_largest_datagram_and_one_byte_more():
    def pieces(size, options=b""):
        return [
            v4(start, bytes(min(1480, size - start)), start + 1480 < size, options=options)
            for start in range(0, size, 1480)
        ]

    [whole] = feed(defragmenter(), pieces(65515))
    assert len(whole.data) == 65535
    late = pieces(65515, options=b"\1\1\1\1")
    assert feed(defragmenter(), late) == []
    assert late[-1].anomalies == ["ipv4.frag_pkt_too_large"]


def test_timeout_counts_from_the_latest_fragment():
    defrag = defragmenter(timeout=10)
    assert defrag.add(v4(0, b"a" * 8), 0) is None
    assert defrag.add(v4(8, b"b" * 8), 9) is None
    assert defrag.add(v4(16, b"c", False), 18) is not None
    assert defrag.add(v4(0, b"a" * 8), 20) is None
    assert defrag.add(v4(8, b"c", False), 30) is None
    assert defrag.counters["timeout"] == 1
    assert defrag.expire(1000) == 1
    assert (len(defrag), defrag.bytes) == (0, 0)


def test_time_that_goes_back_breaks_nothing():
    defrag = defragmenter(timeout=10)
    assert defrag.add(v4(0, b"a" * 8), 1000) is None
    assert defrag.add(v4(8, b"b", False), 0) is not None


def test_timeouts_by_network():
    defrag = defragmenter(timeout=60, host_timeouts=(("10.0.0.0/8", 30), ("10.0.0.2/32", 5)))
    defrag.add(v4(0, b"a" * 8), 0)
    assert defrag.expire(4) == 0
    assert defrag.expire(5) == 1
    defrag.add(v4(0, b"a" * 8, dst=b"\x0a\0\0\3"), 100)
    assert defrag.expire(129) == 0
    assert defrag.expire(130) == 1


def test_networks():
    networks = Networks((("0.0.0.0/0", 1), ("10.0.0.0/8", 2), ("10.1.0.0/16", 3), ("2001:db8::/32", 4)), 9)
    cases = {"7f000001": 1, "0a020304": 2, "0a010304": 3, "20010db8" + "00" * 12: 4, "00" * 16: 9, "": 9}
    assert {text: networks.value(bytes.fromhex(text)) for text in cases} == cases


def test_datagrams_are_bounded_and_the_idlest_goes():
    defrag = defragmenter(max_datagrams=3)
    for ident in range(3):
        defrag.add(v4(0, b"a" * 8, ident=ident), ident)
    defrag.add(v4(8, b"a" * 8, ident=0), 5)
    defrag.add(v4(0, b"a" * 8, ident=3), 6)
    assert defrag.counters["evicted"] == 1
    assert defrag.add(v4(16, b"b", False, ident=0), 7) is not None
    assert defrag.add(v4(8, b"b", False, ident=1), 7) is None


def test_pieces_of_one_datagram_are_bounded():
    defrag = defragmenter(max_fragments=4)
    packets = [v4(8 * n, b"x" * 8) for n in range(6)]
    assert feed(defrag, packets) == []
    assert [packet.anomalies for packet in packets] == [None] * 4 + [["ipv4.frag_ignored"]] * 2
    assert defrag.counters["ignored"] == 2


def test_bytes_are_bounded():
    defrag = defragmenter(max_bytes=10_000)
    for ident in range(100):
        for start in (0, 1000):
            defrag.add(v4(start, bytes(1000), ident=ident), 0)
            assert defrag.bytes <= 10_000
            assert defrag.bytes == sum(d.weight for d in defrag.datagrams.values())
    assert defrag.counters["evicted"] > 90
    assert defrag.counters["ignored"] == 0


def test_fragment_larger_than_all_room_is_ignored():
    defrag = defragmenter(max_bytes=1000)
    packet = v6(0, bytes(2000))
    assert defrag.add(packet, 0) is None
    assert packet.anomalies == ["ipv6.frag_ignored"]
    assert (len(defrag), defrag.bytes) == (0, 0)


def test_counters():
    defrag = defragmenter()
    feed(defrag, [v4(0, b"a" * 8), v4(0, b"a" * 8), v4(8, b"b", False)])
    assert (defrag.counters["fragments"], defrag.counters["reassembled"], defrag.counters["overlap"]) == (
        3,
        1,
        1,
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_never_raises_and_keeps_its_books(data):
    os = data.draw(st.sampled_from(["bsd", "linux", "windows", "last", "solaris", "bsd-right", "first"]))
    defrag = defragmenter(os, max_datagrams=3, max_fragments=6, max_bytes=3000, timeout=5 * SECOND)
    steps = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from([v4, v6]),
                st.integers(0, 12),
                st.integers(0, 40),
                st.booleans(),
                st.integers(0, 4),
            ),
            max_size=30,
        )
    )
    now = 0
    for make, start, length, more, ident in steps:
        now += data.draw(st.integers(-2 * SECOND, 4 * SECOND))
        packet = make(start * 8, bytes(length), more, ident=ident)
        whole = defrag.add(packet, now)
        assert whole is None or len(whole.data) <= 65535 + 40
        assert len(defrag) <= 3
        assert defrag.bytes == sum(d.weight for d in defrag.datagrams.values()) <= 3000


@given(st.binary(max_size=80), st.integers(0, 90), st.integers(0, 90), st.integers(0, 65535), st.booleans())
def test_offsets_that_do_not_fit_the_frame_do_no_harm(frame, one, two, start, more):
    for version in (4, 6):
        packet = Packet(frame, 1, 0, 1)
        packet.ip_version, packet.ip_off, packet.ip_hlen = version, one, two
        packet.frag_hdr, packet.frag_prev, packet.frag_off, packet.more_frags = two, one, start, more
        packet.payload_off, packet.payload_len = one, two
        defrag = defragmenter()
        defrag.add(packet, 0)
        packet.frag_off, packet.more_frags = 0, True
        defrag.add(packet, 0)
