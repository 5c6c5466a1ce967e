"""When flows end, who makes room, and what the table costs."""

from __future__ import annotations

import pytest
from flow_tools import TIMES, B, C, open_flow, packet, table

from appliance.config.settings import SECOND
from appliance.daemon.memory import resident
from appliance.flow.table import FlowTable
from appliance.model.flow import F_EVICTED


@pytest.mark.parametrize("state", range(4))
@pytest.mark.parametrize(("proto", "base"), [(6, 1), (17, 5), (1, 9), (58, 9), (132, 13), (50, 13)])
def test_timeout_by_protocol_and_state(proto, base, state):
    flows = FlowTable(TIMES)
    flow = flows.create(packet(proto=proto, icmp_type=8), 100)
    flow.state = state
    flows.retime(flow)
    assert flow.timeout == base + state
    assert flows.expire(100 + base + state - 1, 10) == []
    assert flows.expire(100 + base + state, 10) == [flow]
    assert flow.end_reason == "timeout"
    assert len(flows) == 0
    assert (flow.newer, flow.older, flow.queue) == (None, None, -1)


def test_a_packet_puts_off_the_end():
    flows = table()
    flow = open_flow(flows, packet())
    open_flow(flows, packet(), 29 * SECOND)
    assert flows.expire(58 * SECOND, 10) == []
    assert flows.expire(59 * SECOND, 10) == [flow]


def test_lookup_after_the_timeout_opens_a_new_flow():
    flows = table()
    old = open_flow(flows, packet())
    new = open_flow(flows, packet(), 30 * SECOND)
    assert new is not old
    assert new.id != old.id
    assert flows.drain() == [old]
    assert old.end_reason == "timeout"
    assert flows.drain() == []


def test_expire_respects_the_limit_and_is_fair():
    flows = table()
    for number in range(20):
        open_flow(flows, packet(sport=number))
        open_flow(flows, packet(sport=number, proto=132))
    ended = []
    while batch := flows.expire(400 * SECOND, 7):
        assert len(batch) <= 7
        ended += batch
    assert len({flow.id for flow in ended}) == 40
    assert len(flows) == 0


def test_time_that_goes_back_holds_nothing_up():
    flows = table()
    future = open_flow(flows, packet(), 10**18)
    past = open_flow(flows, packet(sport=5), 0)
    assert flows.lookup(packet(), 3) is future
    flows.touch(future, packet(), 3)
    assert future.last == 10**18
    assert flows.expire(30 * SECOND, 10) == [past]
    assert flows.expire(10**18 + 30 * SECOND, 10) == [future]


def test_many_flows_from_the_future_cost_a_bounded_step():
    flows = table()
    for number in range(300):
        open_flow(flows, packet(sport=number), 10**18)
    late = open_flow(flows, packet(sport=999), 0)
    ended = []
    for _ in range(10):
        ended += flows.expire(60 * SECOND, 10)
    assert ended == [late]


# Flows that fill a table, as (name, protocol, state, time of last packet); who goes for a newcomer at 100 s.
EVICTION = [
    (
        "closed first",
        [("udp", 17, 0, 1), ("half", 6, 0, 0), ("closed", 6, 2, 99)],
        "closed",
        "evicted_closed",
    ),
    ("oldest closed", [("x", 17, 2, 50), ("old", 6, 2, 40), ("u", 17, 0, 1)], "old", "evicted_closed"),
    ("then half-open", [("udp", 17, 0, 1), ("half", 6, 0, 50), ("est", 6, 1, 0)], "half", "evicted_halfopen"),
    ("fresh handshake spared", [("udp", 17, 0, 80), ("half", 6, 0, 99.5)], "udp", "evicted_new"),
    ("unanswered", [("est", 17, 1, 70), ("new", 17, 0, 99), ("tcp", 6, 1, 0)], "new", "evicted_new"),
    (
        "idle pseudo",
        [("udp", 17, 1, 60), ("icmp", 1, 1, 50), ("tcp", 6, 1, 0)],
        "icmp",
        "evicted_established",
    ),
    ("idle tcp", [("udp", 17, 1, 95), ("tcp", 6, 1, 80), ("by", 6, 3, 85)], "tcp", "evicted_established"),
    ("all busy", [("udp", 17, 1, 95), ("tcp", 6, 1, 95), ("by", 6, 3, 99)], None, "full"),
]


@pytest.mark.parametrize(
    ("content", "victim", "counter"), [e[1:] for e in EVICTION], ids=[e[0] for e in EVICTION]
)
def test_who_makes_room(content, victim, counter):
    flows = table(max_flows=len(content))
    by_name = {}
    for number, (name, proto, state, last) in enumerate(content):
        flow = open_flow(flows, packet(sport=number + 1, proto=proto, icmp_type=8), int(last * SECOND))
        flow.state = state
        flows.retime(flow)
        by_name[name] = flow
    new = flows.create(packet(C, B), 100 * SECOND)
    assert flows.counters[counter] == 1
    if victim is None:
        assert new is None
        assert flows.drain() == []
    else:
        assert new is not None
        assert flows.drain() == [by_name[victim]]
        assert by_name[victim].end_reason == "forced"
        assert by_name[victim].flags & F_EVICTED
    assert len(flows) == len(content)


def test_expire_also_gives_what_was_evicted():
    flows = table(max_flows=1)
    old = open_flow(flows, packet())
    open_flow(flows, packet(sport=2), 1)
    assert flows.expire(2, 0) == [old]


def flood(count: int) -> int:
    """Bytes by which the second half of ``count`` distinct flows makes the process grow."""
    flows = table(max_flows=5000)
    half = 0
    for number in range(count):
        made = packet(number.to_bytes(4, "big"), B, number & 0xFFFF, 53, vlans=(number & 0xFFF,))
        made.eth_src = (number * 7).to_bytes(6, "big")
        flows.create(made, number * 1_000_000)
        if number % 1000 == 0:
            flows.expire(number * 1_000_000, 1000)
        if number == count // 2:
            half = resident()
    return resident() - half


def test_memory_is_flat_over_distinct_flows():
    # Kept, the second half would take some 60 MB.
    assert flood(200_000) < 8 << 20


@pytest.mark.slow
def test_memory_is_flat_over_a_million_distinct_flows():
    assert flood(1_000_000) < 8 << 20
