"""Flows as data: everything that goes along comes back, and nothing else gets in."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import FlowSettings
from appliance.flow import snapshot
from appliance.flow.table import FlowTable
from appliance.model.flow import Flow
from appliance.model.identity import Vm, VmInterface
from appliance.model.tcp import TcpPeer, TcpSegment, TcpSession

WEB = VmInterface(0, Vm("11-22", "web"), "eth0", b"\2\0\0\0\0\1")
TEXT = st.text(max_size=20)
BIG = st.integers(0, (1 << 63) - 1)
SMALL = st.integers(0, 255)
UINT = st.integers(0, (1 << 32) - 1)

# Fields that stay behind or are written apart from the tables.
LEFT = {
    Flow: {
        *(
            "app",
            "client_if",
            "server_if",
            "detect",
            "epoch",
            "ip_version",
            "judged",
            "generation",
            "kernel",
            "key",
            "newer",
            "older",
        ),
        *("parent", "queue", "tcp", "timeout", "vars"),
    },
    TcpPeer: {"buffer", "held", "kept", "segments"},  # lists and their sizes, each checked on its own
    TcpSession: {"client", "queue", "server"},
}


def fields(kind):
    """Names of the attributes of a model class, compiled or not."""
    return {name for name in dir(kind) if not name.startswith("_") and not callable(getattr(kind, name))}


@pytest.mark.parametrize(
    ("kind", "table"),
    [(Flow, snapshot._FLOW), (TcpPeer, snapshot._PEER), (TcpSession, snapshot._SESSION)],
)
def test_every_field_of_the_model_is_either_carried_or_left_on_purpose(kind, table):
    assert fields(kind) == set(table) | LEFT[kind]
    assert not set(table) & LEFT[kind]


def waiting_at(draw, place):
    """Segments within 100 bytes of ``place``, and how many bytes they hold."""
    sizes = draw(st.none() | st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10)), max_size=5))
    if sizes is None:
        return None, 0
    segments = []
    for hole, length in sizes:
        start = place + hole
        place = start + length
        data = draw(st.sampled_from([None, b"", bytes(range(30))]))
        segments.append(TcpSegment(start, place, data, start, place))
        segments[-1].skip = draw(st.integers(0, 9)) if data else 0
    return segments, sum(length for _, length in sizes)


def spans(segments):
    """What segments say, however their data is cut."""
    return segments and [
        (s.start, s.stop, s.first, s.last, s.data and s.data[s.skip : s.skip + s.stop - s.start])
        for s in segments
    ]


@st.composite
def peers(draw, peer):
    for name in ("isn", "base_seq", "next_seq", "last_ack", "window", "edge", "fin_seq"):
        setattr(peer, name, draw(UINT))
    for name in ("ts_seen", "delivered"):
        setattr(peer, name, draw(BIG))
    peer.ts_last = draw(st.integers(-1, (1 << 32) - 1))
    peer.wscale, peer.tcp_flags, peer.flags = draw(st.integers(-1, 14)), draw(SMALL), draw(SMALL)
    peer.gaps, peer.synacks = draw(SMALL), draw(SMALL)
    peer.closed, peer.depth_reached = draw(st.booleans()), draw(st.booleans())
    peer.position = draw(st.integers(100, 1 << 40))
    peer.segments, peer.held = waiting_at(draw, peer.position)
    peer.buffer, peer.kept = waiting_at(draw, peer.position - 100)
    peer.os_policy = draw(st.sampled_from(["", "linux"]))
    return peer


@st.composite
def flows(draw):
    length = draw(st.sampled_from([4, 16]))
    address = st.binary(min_size=length, max_size=length)
    port = st.integers(0, 65535)
    flow = Flow(draw(SMALL), draw(address), draw(address), draw(port), draw(port))
    flow.id = draw(st.integers(1, (1 << 53) - 1))
    for name in ("first", "last", "first_number", "pkts_ts", "pkts_tc", "bytes_ts", "bytes_tc", "tx_id"):
        setattr(flow, name, draw(BIG))
    for name in ("app_proto", "reason", "action_by", "exception", "end_reason"):
        setattr(flow, name, draw(TEXT))
    flow.icmp_type, flow.icmp_code, flow.depth = draw(SMALL), draw(SMALL), draw(SMALL)
    flow.spi, flow.tenant, flow.flags = draw(UINT), draw(UINT) >> 1, draw(UINT) >> 1
    flow.vlans = tuple(draw(st.lists(st.integers(0, 4095), max_size=3)))
    flow.state = draw(st.integers(0, 3))
    flow.ether_client = draw(st.sampled_from([b"", b"abcdef"]))
    flow.bits = draw(st.none() | st.sets(TEXT))
    flow.ints = draw(st.none() | st.dictionaries(TEXT, st.integers(-(1 << 32), 1 << 32)))
    if draw(st.booleans()):
        session = flow.tcp = TcpSession()
        session.state, session.flags, session.tcp_flags = draw(st.integers(0, 11)), draw(SMALL), draw(SMALL)
        draw(peers(session.client))
        draw(peers(session.server))
    return flow


@settings(max_examples=100, deadline=None)
@given(flows())
def test_round_trip(flow):
    data = snapshot.dump(flow)
    again = snapshot.restore(json.loads(json.dumps(data)))
    assert again is not None
    assert snapshot.dump(again) == data
    for name in snapshot._FLOW:
        assert getattr(again, name) == getattr(flow, name)
    assert again.ip_version == flow.ip_version
    assert (again.tcp is None) == (flow.tcp is None)
    if flow.tcp is not None:
        for name in snapshot._PEER:
            assert getattr(again.tcp.client, name) == getattr(flow.tcp.client, name)
            assert getattr(again.tcp.server, name) == getattr(flow.tcp.server, name)
        for side in ("client", "server"):
            here, there = getattr(flow.tcp, side), getattr(again.tcp, side)
            assert (spans(there.segments), there.held) == (spans(here.segments), here.held)
            assert (spans(there.buffer), there.kept) == (spans(here.buffer), here.kept)
    # Judged anew where it arrives.
    assert (again.epoch, again.judged, again.queue) == (-1, None, -1)
    assert FlowTable(FlowSettings()).insert(again)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_arbitrary_data_is_refused(data):
    assert snapshot.restore(data) is None
    assert snapshot.restore_all(data) == []


@settings(max_examples=300, deadline=None)
@given(flows(), st.data())
def test_one_wrong_field_is_refused_or_harmless(flow, draw):
    data = snapshot.dump(flow)
    target = data
    if data["tcp"] is not None and draw.draw(st.booleans()):
        target = draw.draw(st.sampled_from([data["tcp"], data["tcp"]["client"], data["tcp"]["server"]]))
    name = draw.draw(st.sampled_from(sorted(target)))
    target[name] = draw.draw(JSON | st.integers(-(1 << 70), 1 << 70) | st.binary(max_size=3))
    again = snapshot.restore(data)
    if again is not None:
        snapshot.dump(again)


def valid():
    flow = Flow(6, b"\1\2\3\4", b"\5\6\7\x08", 1, 2)
    flow.id, flow.tcp = 5, TcpSession()
    return snapshot.dump(flow)


BAD = [
    ("v", 1),
    ("v", None),
    ("id", 0),
    ("id", True),
    ("id", 1.0),
    ("proto", 256),
    ("proto", -1),
    ("client", "01020304 "),
    ("client", "0102030"),
    ("client", "0102030405"),
    ("client", "0102030G"),
    ("client", "00" * 16),
    ("cport", 65536),
    ("first", 1 << 63),
    ("vlans", [1] * 17),
    ("vlans", [70000]),
    ("state", 4),
    ("app_proto", "x" * 257),
    ("bits", "abc"),
    ("bits", ["x"] * 4097),
    ("bits", [1]),
    ("ints", {"x": "1"}),
    ("ints", {"x": 1 << 64}),
    ("client_if", None),
    ("client_if", ["x"]),
    ("client_if", ["x", 1]),
    ("tcp", 1),
    ("tcp", {}),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_fields(name, value):
    data = valid()
    assert snapshot.restore(data) is not None
    data[name] = value
    assert snapshot.restore(data) is None


@pytest.mark.parametrize("name", sorted(valid().keys() - {"tcp", "parent"}))
def test_missing_fields(name):
    data = valid()
    del data[name]
    assert snapshot.restore(data) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("isn", 1 << 32), ("closed", 1), ("os_policy", None), ("wscale", -2), ("ts_last", "1")],
)
def test_bad_peers(name, value):
    for side in ("client", "server"):
        data = valid()
        data["tcp"][side][name] = value
        assert snapshot.restore(data) is None
        del data["tcp"][side]
        assert snapshot.restore(data) is None


SEGMENT = [1000, 1008, 1000, 1008, "00" * 8]
# Segments of an end whose position is 1000, and whether they are taken.
SEGMENTS = [
    ([SEGMENT], True),
    ([], True),
    ([[1000, 1001, 1000, 1001, ""], [1001, 1005, 1001, 1005, None]], True),
    ([SEGMENT, SEGMENT], False),
    ([[999, 1007, 999, 1007, "00" * 8]], False),
    ([[1000, 1000, 1000, 1000, ""]], False),
    ([[1008, 1000, 1000, 1008, None]], False),
    ([[1000, 1008, 1008, 1000, None]], False),
    ([[1000, 1008, 1000, 1008, "00" * 7]], False),
    ([[1000, 1008, 1000, 1008, "zz" * 8]], False),
    ([[1000, 1 << 40, 1000, 1 << 40, None]], False),
    ([[1000, 1 << 63, 1000, 1008, None]], False),
    ([[1000.0, 1008, 1000, 1008, None]], False),
    ([SEGMENT[:4]], False),
    ([None], False),
    ({}, False),
    ([[1000 + 2 * n, 1001 + 2 * n, 0, 1, ""] for n in range(4097)], False),
    ([[1000 + (n << 16), 1000 + (n + 1 << 16), 0, 1, None] for n in range(65)], False),
]


@pytest.mark.parametrize(("segments", "taken"), SEGMENTS)
def test_segments(segments, taken):
    data = valid()
    data["tcp"]["client"]["position"] = 1000
    data["tcp"]["client"]["segments"] = segments
    assert (snapshot.restore(data) is not None) == taken


def test_bytes_kept_lie_before_the_position():
    data = valid()
    data["tcp"]["server"]["buffer"] = [SEGMENT]
    for position, taken in ((1007, False), (1008, True)):
        data["tcp"]["server"]["position"] = position
        assert (snapshot.restore(data) is not None) == taken


def test_large_segments_are_split_and_their_sum_is_bounded():
    flow = Flow(6, b"\1\2\3\4", b"\5\6\7\x08", 1, 2)
    flow.id, flow.tcp = 5, TcpSession()
    body = bytes(range(250)) * 1000
    flow.tcp.client.segments = [TcpSegment(0, len(body), body, 0, len(body))]
    again = snapshot.restore(snapshot.dump(flow)).tcp.client
    assert b"".join(segment.data for segment in again.segments) == body
    assert again.held == len(body)
    body *= 40
    flow.tcp.client.segments = [TcpSegment(0, len(body), body, 0, len(body))]
    assert 3 << 20 < snapshot.restore(snapshot.dump(flow)).tcp.client.held <= 4 << 20


def test_what_is_too_long_is_cut_and_still_readable():
    flow = Flow(6, b"\1\2\3\4", b"\5\6\7\x08", 1, 2)
    flow.id, flow.action_by, flow.bits = 5, "x" * 1000, {str(n) for n in range(5000)}
    again = snapshot.restore(snapshot.dump(flow))
    assert again.action_by == "x" * 256
    assert len(again.bits) == 4096


def test_interfaces_are_found_again():
    flow = Flow(6, b"\1\2\3\4", b"\5\6\7\x08", 1, 2)
    flow.id, flow.client_if = 5, WEB
    known = {("11-22", "eth0"): WEB}
    again = snapshot.restore(snapshot.dump(flow), lambda vm, name: known.get((vm, name)))
    assert (again.client_if, again.server_if) == (WEB, None)
    assert snapshot.restore(snapshot.dump(flow), lambda vm, name: None).client_if is None
    assert snapshot.restore(snapshot.dump(flow)).client_if is None


def family():
    control, data = Flow(6, b"\1\2\3\4", b"\5\6\7\x08", 1, 21), Flow(6, b"\1\2\3\4", b"\5\6\7\x08", 2, 20)
    control.id, data.id, data.parent = 1, 2, control
    return [data, control]


def test_parents_are_found_again():
    data, control = snapshot.restore_all(json.loads(json.dumps(snapshot.dump_all(family()))))
    assert (data.id, control.id) == (2, 1)
    assert data.parent is control
    assert control.parent is None


@pytest.mark.parametrize("parent", [2, 3, 1 << 80, "1", [1], True, None])
def test_parents_that_cannot_be(parent):
    dumped = snapshot.dump_all(family())
    dumped[1]["parent"] = parent
    for flow in snapshot.restore_all(dumped):
        assert flow.parent is None or flow.parent.parent is None


def test_the_same_flow_twice_is_one():
    dumped = snapshot.dump_all(family())
    assert len(snapshot.restore_all(dumped + copy.deepcopy(dumped))) == 2
