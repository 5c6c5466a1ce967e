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
from appliance.model.tcp import TcpPeer, TcpSession

WEB = VmInterface(0, Vm("11-22", "web"), "eth0", b"\2\0\0\0\0\1")
TEXT = st.text(max_size=20)
BIG = st.integers(0, (1 << 63) - 1)
SMALL = st.integers(0, 255)
UINT = st.integers(0, (1 << 32) - 1)

# Fields that stay behind, by class: they belong to this host or to other layers.
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
            "key",
            "newer",
            "older",
        ),
        *("parent", "queue", "tcp", "timeout"),
    },
    TcpPeer: {"buffer", "held", "kept", "segments"},
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


@st.composite
def peers(draw, peer):
    for name in ("isn", "base_seq", "next_seq", "last_ack", "window", "edge", "fin_seq"):
        setattr(peer, name, draw(UINT))
    for name in ("ts_seen", "delivered", "position"):
        setattr(peer, name, draw(BIG))
    peer.ts_last = draw(st.integers(-1, (1 << 32) - 1))
    peer.wscale, peer.tcp_flags, peer.flags = draw(st.integers(-1, 14)), draw(SMALL), draw(SMALL)
    peer.gaps, peer.synacks = draw(SMALL), draw(SMALL)
    peer.closed, peer.depth_reached = draw(st.booleans()), draw(st.booleans())
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
    ("v", 2),
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
