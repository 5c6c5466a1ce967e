"""The flow table: keys, directions, timeouts, eviction, bounds."""

from __future__ import annotations

import pytest
from flow_tools import TIMES, A, B, C, open_flow, packet, table
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import SECOND
from appliance.flow.key import flow_id
from appliance.flow.table import FlowTable
from appliance.model.flow import F_SWAPPED, Flow, FlowState
from appliance.model.packet import TH_ACK, TH_SYN, TOCLIENT, TOSERVER

A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"


def icmp(src, dst, kind, code=0, proto=1):
    return packet(src, dst, 0, 0, proto, icmp_type=kind, icmp_code=code)


def esp(src, dst, spi):
    made = packet(src, dst, 0, 0, 50, l4_off=34)
    made.frame = bytes(34) + spi.to_bytes(4, "big") + bytes(20)
    return made


SAME = [
    ("answer", packet(), packet(B, A, 80, 1000), TOCLIENT),
    ("again", packet(), packet(), TOSERVER),
    ("ipv6", packet(A6, B6), packet(B6, A6, 80, 1000), TOCLIENT),
    ("vlan", packet(vlans=(5,)), packet(B, A, 80, 1000, vlans=(5,)), TOCLIENT),
    ("tenant", packet(tenant=9), packet(B, A, 80, 1000, tenant=9), TOCLIENT),
    ("sctp", packet(proto=132), packet(B, A, 80, 1000, proto=132), TOCLIENT),
    ("gre", packet(proto=47), packet(B, A, 7, 9, proto=47), TOCLIENT),
    ("to itself", packet(A, A, 5, 6), packet(A, A, 6, 5), TOCLIENT),
    ("land", packet(A, A, 5, 5), packet(A, A, 5, 5), TOSERVER),
    ("echo", icmp(A, B, 8), icmp(B, A, 0), TOCLIENT),
    ("echo answered with another code", icmp(A, B, 8, 9), icmp(B, A, 0, 0), TOCLIENT),
    ("echo to itself", icmp(A, A, 8), icmp(A, A, 0), TOCLIENT),
    ("timestamp", icmp(A, B, 13), icmp(B, A, 14), TOCLIENT),
    ("echo v6", icmp(A6, B6, 128, 0, 58), icmp(B6, A6, 129, 0, 58), TOCLIENT),
    ("neighbour v6", icmp(A6, B6, 135, 0, 58), icmp(B6, A6, 136, 0, 58), TOCLIENT),
    ("esp", esp(A, B, 77), esp(A, B, 77), TOSERVER),
    ("igmp", packet(proto=2), packet(proto=2), TOSERVER),
]


DIFFERENT = [
    ("port", packet(), packet(sport=1001)),
    ("ports crossed", packet(), packet(A, B, 80, 1000)),
    ("protocol", packet(), packet(proto=6)),
    ("address", packet(), packet(dst=C)),
    ("vlan", packet(vlans=(5,)), packet(vlans=(6,))),
    ("tagged or not", packet(), packet(vlans=(6,))),
    ("one tag or two", packet(vlans=(6,)), packet(vlans=(6, 0))),
    ("depth", packet(), packet(depth=1)),
    ("tenant", packet(), packet(tenant=1)),
    ("two echoes", icmp(A, B, 8), icmp(B, A, 8)),
    ("echo and timestamp", icmp(A, B, 8), icmp(A, B, 13)),
    ("codes without answer", icmp(A6, B6, 1, 0, 58), icmp(A6, B6, 1, 1, 58)),
    ("spi", esp(A, B, 77), esp(A, B, 78)),
]


@pytest.mark.parametrize(("first", "second", "direction"), [s[1:] for s in SAME], ids=[s[0] for s in SAME])
def test_packets_of_one_flow(first, second, direction):
    flows = table()
    flow = open_flow(flows, first)
    assert first.flow is flow
    assert first.direction == TOSERVER
    assert flows.lookup(second, 1) is flow
    assert second.flow is flow
    assert second.direction == direction
    assert len(flows) == 1
    assert flows.keys.of_flow(flow) == flow.key


@pytest.mark.parametrize(("first", "second"), [d[1:] for d in DIFFERENT], ids=[d[0] for d in DIFFERENT])
def test_packets_of_two_flows(first, second):
    flows = table()
    open_flow(flows, first)
    assert flows.lookup(second, 1) is None
    assert second.flow is None


def test_vlan_and_depth_can_be_left_out_of_the_key():
    flows = table(vlan_in_key=False, depth_in_key=False)
    flow = open_flow(flows, packet(vlans=(5,), depth=2))
    assert flow.vlans == (5,)
    assert flow.depth == 2
    assert flows.lookup(packet(vlans=(6, 7)), 1) is flow


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_icmp_errors_and_non_ip_open_no_flow(kind):
    flows = table()
    assert flows.create(icmp(A, B, kind), 0) is None
    assert flows.create(packet(b"", b"", proto=-1), 0) is None
    assert flows.lookup(packet(b"", b"", proto=-1), 0) is None
    assert flows.counters["full"] == 0


def test_record_of_a_new_flow():
    flows = table()
    made = packet(vlans=(7, 8), number=42, eth_src=b"abcdef", eth_dst=b"ghijkl", tenant=3, depth=1)
    flow = flows.create(made, 99)
    assert (flow.client, flow.server, flow.cport, flow.sport) == (A, B, 1000, 80)
    assert (flow.vlans, flow.tenant, flow.depth, flow.first_number) == ((7, 8), 3, 1, 42)
    assert (flow.ether_client, flow.ether_server) == (b"abcdef", b"ghijkl")
    assert (flow.first, flow.last, flow.timeout) == (99, 99, 30 * SECOND)
    assert flow.pkts_ts == 0


def test_sender_of_a_syn_ack_is_the_server():
    flows = table()
    made = packet(B, A, 80, 1000, proto=6, tcp_flags=TH_SYN | TH_ACK, eth_src=b"server", eth_dst=b"client")
    flow = open_flow(flows, made)
    assert made.direction == TOCLIENT
    assert (flow.client, flow.cport, flow.server, flow.sport) == (A, 1000, B, 80)
    assert (flow.ether_client, flow.ether_server) == (b"client", b"server")
    assert flow.flags & F_SWAPPED
    assert (flow.pkts_ts, flow.pkts_tc) == (0, 1)
    assert flows.lookup(packet(A, B, 1000, 80, proto=6), 1) is flow


def test_swap_twice_changes_nothing():
    flows = table()
    flow = open_flow(flows, packet())
    flows.swap(flow)
    assert (flow.client, flow.bytes_tc, flow.bytes_ts) == (B, 60, 0)
    later = packet()
    assert flows.lookup(later, 0) is flow
    assert later.direction == TOCLIENT
    flows.swap(flow)
    assert (flow.client, flow.bytes_ts, flow.flags & F_SWAPPED) == (A, 60, 0)


@pytest.mark.parametrize("proto", [17, 47, 132, 1])
def test_both_ends_heard_is_established(proto):
    flows = table()
    there, back = packet(proto=proto, icmp_type=8), packet(B, A, 80, 1000, proto=proto, icmp_type=0)
    flow = open_flow(flows, there)
    assert flow.state == FlowState.NEW
    open_flow(flows, back, 5)
    assert flow.state == FlowState.ESTABLISHED
    assert flow.timeout == 300 * SECOND
    assert (flow.pkts_ts, flow.pkts_tc, flow.bytes_ts, flow.bytes_tc) == (1, 1, 60, 60)


def test_tcp_state_is_left_to_the_stream():
    flows = table()
    flow = open_flow(flows, packet(proto=6))
    open_flow(flows, packet(B, A, 80, 1000, proto=6))
    assert flow.state == FlowState.NEW
    flow.state = FlowState.ESTABLISHED
    flows.retime(flow)
    assert flow.timeout == 600 * SECOND


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({}, 60),
        ({"wirelen": 1500}, 1500),
        ({"start": 14, "payload_off": 50, "payload_len": 6}, 42),
        ({"start": 50, "payload_off": 0, "payload_len": 0}, 0),
        ({"rebuilt": True, "wirelen": 2000}, 2000),
    ],
)
def test_bytes_counted(fields, length):
    assert open_flow(table(), packet(**fields)).bytes_ts == length


def test_flush_gives_all_in_order_of_opening():
    flows = table()
    opened = [open_flow(flows, packet(sport=n, proto=6 if n % 2 else 17), 100 - n) for n in range(50)]
    open_flow(flows, packet(sport=3, proto=6), 200)
    assert flows.flush() == opened
    assert {flow.end_reason for flow in opened} == {"shutdown"}
    assert len(flows) == 0
    assert open_flow(flows, packet(sport=3), 300) is not None


def test_reopen_ends_the_old_connection():
    flows = table()
    old = open_flow(flows, packet(proto=6))
    again = packet(proto=6, number=9)
    new = flows.reopen(old, again, 7)
    assert again.flow is new
    assert new is not old
    assert flows.flows() == [new]
    assert flows.drain() == [old]


def test_create_over_a_live_flow_ends_it():
    flows = table()
    old = open_flow(flows, packet())
    new = flows.create(packet(), 1)
    assert flows.flows() == [new]
    assert flows.drain() == [old]


def test_removed_flow_stays_out():
    flows = table()
    flow = open_flow(flows, packet())
    assert flows.remove(flow)
    assert not flows.remove(flow)
    flows.touch(flow, packet(), 5)
    flows.retime(flow)
    assert flows.expire(10**18, 10) == []
    assert flows.drain() == []


def test_insert_takes_a_flow_from_elsewhere():
    flows, other = table(), table()
    flow = open_flow(other, packet(proto=6, vlans=(4,)))
    other.remove(flow)
    flow.state = FlowState.ESTABLISHED
    assert flows.insert(flow)
    assert not flows.insert(flow)
    assert flow.timeout == 600 * SECOND
    assert flows.lookup(packet(B, A, 80, 1000, proto=6, vlans=(4,)), 0) is flow


def test_find_by_tuple():
    flows = table()
    flow = open_flow(flows, packet(vlans=(4,)))
    ping = open_flow(flows, icmp(A, B, 8))
    assert flows.find(17, B, A, 80, 1000, packet(vlans=(4,))) is flow
    assert flows.find(17, B, A, 80, 1000, packet()) is None
    assert flows.find(1, A, B, 8, 0, packet()) is ping


def test_flow_ids_are_stable_distinct_and_small():
    first = [flow_id(b"key" + n.to_bytes(4, "big"), 5, 1) for n in range(20_000)]
    assert first == [flow_id(b"key" + n.to_bytes(4, "big"), 5, 1) for n in range(20_000)]
    assert len(set(first)) == len(first)
    assert all(0 < number < 1 << 53 for number in first)
    # Every bit is set about half of the time.
    for bit in range(53):
        assert 0.47 < sum(number >> bit & 1 for number in first) / len(first) < 0.53
    assert flow_id(b"key", 5, 1) != flow_id(b"key", 6, 1)
    assert flow_id(b"key", 5, 1) != flow_id(b"key", 5, 2)
    assert flow_id(b"key", 1_700_000_000_000_000_000, 3) == 7_753_777_677_498_971


ENDS = st.sampled_from([(A, 1), (A, 2), (B, 1), (B, 2), (C, 1)])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["packet", "packet", "packet", "expire", "close"]),
        ENDS,
        ENDS,
        st.sampled_from([6, 17]),
        st.integers(-3, 20),
    ),
    max_size=60,
)


class Model:
    """A table as one would write it without thinking of speed."""

    def __init__(self):
        self.flows = {}

    def key(self, one, other, proto):
        return proto, *sorted((one, other))

    def packet(self, one, other, proto, now):
        key = self.key(one, other, proto)
        flow = self.flows.get(key)
        if flow is not None and now > flow["last"] and now - flow["last"] >= self.timeout(key, flow):
            flow = None
        if flow is None:
            flow = self.flows[key] = {"client": one, "ts": 0, "tc": 0, "last": now, "state": 0}
        flow["ts" if flow["client"] == one else "tc"] += 1
        flow["last"] = max(flow["last"], now)
        if proto == 17 and flow["ts"] and flow["tc"] and flow["state"] == 0:
            flow["state"] = 1
        return flow

    def timeout(self, key, flow):
        return (TIMES.tcp, TIMES.udp)[key[0] == 17].__getattribute__(
            ("new", "established", "closed", "bypassed")[flow["state"]]
        )

    def expire(self, now):
        for key, flow in list(self.flows.items()):
            if now - flow["last"] >= self.timeout(key, flow):
                del self.flows[key]


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_table_does_as_a_naive_model(steps):
    flows, model = FlowTable(TIMES), Model()
    now = 1000
    monotonic = True
    for what, one, other, proto, delta in steps:
        now += delta
        monotonic &= delta >= 0
        if what == "expire":
            flows.expire(now, 1000)
            if not monotonic:
                # Late by as much as time went back, but nothing may go early.
                for flow in flows.flows():
                    assert flow.last + flow.timeout > now - 200
                continue
            model.expire(now)
            assert {f.key for f in flows.flows()} == {
                flows.keys.of_packet(packet(a[0], b[0], a[1], b[1], p)) for p, a, b in model.flows
            }
        elif what == "close" and monotonic:
            key = model.key(one, other, proto)
            flow = flows.find(proto, one[0], other[0], one[1], other[1], packet())
            assert (flow is None) == (key not in model.flows)
            if flow is not None:
                flow.state = model.flows[key]["state"] = 2
                flows.retime(flow)
        elif what == "packet":
            flow = open_flow(flows, packet(one[0], other[0], one[1], other[1], proto), now)
            wanted = model.packet(one, other, proto, now)
            if monotonic:
                assert (flow.pkts_ts, flow.pkts_tc, flow.last, flow.state) == (
                    *(wanted["ts"], wanted["tc"]),
                    *(wanted["last"], wanted["state"]),
                )
        check_links(flows)


def check_links(flows: FlowTable) -> None:
    """Every flow is in exactly one list, and the lists are whole in both directions."""
    seen: list[Flow] = []
    for queue, oldest in enumerate(flows.queues.oldest):
        flow, before = oldest, None
        while flow is not None:
            assert flow.older is before
            assert flow.queue == queue
            seen.append(flow)
            flow, before = flow.newer, flow
        assert flows.queues.newest[queue] is before
    assert sorted(f.id for f in seen) == sorted(f.id for f in flows.flows())
