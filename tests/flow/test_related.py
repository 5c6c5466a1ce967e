"""ICMP errors find the flow they are about; announced connections find who announced them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.settings import FlowSettings
from appliance.flow.related import Expectations, related_flow
from appliance.flow.table import FlowTable
from appliance.model.flow import F_DROPPED, Flow
from appliance.model.packet import TOCLIENT, TOSERVER, Packet

A, B, C, ROUTER = (bytes([10, 0, 0, n]) for n in (1, 2, 3, 254))
A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"


def packet(src, dst, sport=0, dport=0, proto=17, vlans=(), **fields):
    made = Packet(bytes(60), 1, 0, 1)
    made.ip_version = 4 if len(src) == 4 else 6
    made.src, made.dst, made.sport, made.dport, made.proto, made.vlans = src, dst, sport, dport, proto, vlans
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def error(src, dst, kind=3, proto=1, **fields):
    return packet(src, dst, proto=proto, icmp_type=kind, **fields)


def opened(made):
    table = FlowTable(FlowSettings())
    return table, table.create(made, 0)


UDP = packet(A, B, 1000, 53)
# Flow, error, what it quotes, direction (None: about no flow), whether the packet counts as the flow's.
ERRORS = [
    ("server answers", UDP, error(B, A), (17, A, B, 1000, 53), TOCLIENT, True),
    ("router answers", UDP, error(ROUTER, A), (17, A, B, 1000, 53), TOCLIENT, True),
    ("client answers", UDP, error(A, B), (17, B, A, 53, 1000), TOSERVER, True),
    ("time exceeded", UDP, error(ROUTER, A, 11), (17, A, B, 1000, 53), TOCLIENT, False),
    ("other port", UDP, error(B, A), (17, A, B, 1001, 53), None, False),
    ("sent elsewhere", UDP, error(ROUTER, C), (17, A, B, 1000, 53), None, False),
    ("other vlan", UDP, error(B, A, vlans=(5,)), (17, A, B, 1000, 53), None, False),
    ("nothing quoted", UDP, error(B, A), None, None, False),
    ("echo", error(A, B, 8), error(ROUTER, A), (1, A, B, 0x0800, 77), TOCLIENT, True),
    ("echo answer", error(A, B, 8), error(ROUTER, B, 11), (1, B, A, 0, 77), TOSERVER, False),
    ("ipv6", packet(A6, B6, 5, 6, 6), error(B6, A6, 1, 58), (6, A6, B6, 5, 6), TOCLIENT, False),
    ("to itself", packet(A, A, 5, 6), error(A, A), (17, A, A, 5, 6), TOCLIENT, True),
    ("to itself, answer", packet(A, A, 5, 6), error(A, A), (17, A, A, 6, 5), TOSERVER, True),
    ("ports cut off", packet(A, B, 0, 0, 47), error(B, A), (47, A, B, 0, 0), TOCLIENT, True),
]


@pytest.mark.parametrize(
    ("first", "about", "quoted", "direction", "counts"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS]
)
def test_errors(first, about, quoted, direction, counts):
    table, flow = opened(first)
    found = related_flow(table, about, quoted)
    assert (found is flow) == (direction is not None)
    if direction is not None:
        assert about.direction == direction
    assert (about.flow is flow) == counts


@given(
    st.tuples(
        st.integers(0, 255),
        st.binary(max_size=16),
        st.binary(max_size=16),
        st.integers(0, 65535),
        st.integers(0, 65535),
    )
)
def test_any_quotation_is_harmless(quoted):
    table, _ = opened(UDP)
    related_flow(table, error(B, quoted[1]), quoted)


def flow(client=A, server=B, cport=1000, sport=2000, proto=6, number=1, tenant=0):
    made = Flow(proto, client, server, cport, sport)
    made.id, made.tenant = number, tenant
    return made


def expectations(maximum=100):
    return Expectations(FlowSettings(max_expectations=maximum))


def test_announced_connection_is_met_once():
    table, parent = expectations(), flow(sport=21)
    assert table.expect(B, 2000, 6, parent, "ftp-data", "RETR", 0, 100)
    child = flow(number=2)
    met = table.match(child, 50)
    assert (met.kind, met.carried, met.parent) == ("ftp-data", "RETR", parent)
    assert child.parent is parent
    assert table.match(flow(number=3), 51) is None
    assert (len(table), table.parents) == (0, {})


# What differs from the announced (B, 2000, TCP, tenant 0, client A), and whether it is met.
MEETING = [
    ("as announced", {}, A, True),
    ("anybody", {"client": C}, None, True),
    ("other client", {"client": C}, A, False),
    ("other server", {"server": C}, None, False),
    ("other port", {"sport": 2001}, None, False),
    ("other protocol", {"proto": 132}, None, False),
    ("other tenant", {"tenant": 4}, None, False),
    ("reverse", {"client": B, "server": A, "cport": 2000, "sport": 7}, None, False),
]


@pytest.mark.parametrize(("changes", "client", "met"), [m[1:] for m in MEETING], ids=[m[0] for m in MEETING])
def test_who_meets_an_announcement(changes, client, met):
    table = expectations()
    table.expect(B, 2000, 6, flow(sport=21), "ftp-data", None, 0, 100, client)
    assert (table.match(flow(number=2, **changes), 1) is not None) == met


def test_either_end_of_udp_may_speak_first():
    table = expectations()
    table.expect(B, 2000, 17, flow(sport=5060, proto=17), "rtp", None, 0, 100)
    assert table.match(flow(B, A, 2000, 9, 17, 2), 1).kind == "rtp"


def test_time_is_over():
    table = expectations()
    table.expect(B, 2000, 6, flow(), "x", None, 0, 100)
    table.expect(B, 2001, 6, flow(), "x", None, 0, 100)
    assert table.match(flow(number=2), 100) is None
    assert len(table) == 1
    assert table.expire(99) == 0
    assert table.expire(100) == 1
    assert table.counters["timeout"] == 2


def test_a_dropped_parent_opens_nothing():
    table, parent = expectations(), flow(sport=21)
    table.expect(B, 2000, 6, parent, "x", None, 0, 100)
    parent.flags |= F_DROPPED
    child = flow(number=2)
    assert table.match(child, 1) is None
    assert child.parent is None


@pytest.mark.parametrize(("server", "port"), [(B, 0), (B, -1), (B, 65536), (b"", 5), (b"12345", 5)])
def test_what_is_no_address_or_port(server, port):
    table = expectations()
    assert not table.expect(server, port, 6, flow(), "x", None, 0, 100)
    assert len(table) == 0


def test_parents_do_not_chain():
    table, root = expectations(), flow()
    parent = root
    for number in range(2, 10):
        table.expect(B, 2000, 6, parent, "x", None, 0, 100)
        child = flow(number=number)
        assert table.match(child, 1).parent is root
        assert child.parent is root
        parent = child


def test_full_the_oldest_goes():
    table = expectations(3)
    for number in range(5):
        table.expect(B, 2000 + number, 6, flow(number=number), "x", None, 0, 100)
    assert [key[2] for key in table.entries] == [2002, 2003, 2004]
    assert set(table.parents) == {2, 3, 4}
    assert table.counters["evicted"] == 2


def test_one_flow_pushes_out_only_its_own():
    table = expectations(1000)
    table.expect(C, 1, 6, flow(number=1), "x", None, 0, 100)
    for port in range(2000, 3000):
        table.expect(B, port, 6, flow(number=2), "x", None, 0, 100)
    assert len(table) == 65
    assert (6, C, 1, b"", 0) in table.entries


def test_announcing_again_renews():
    table = expectations()
    table.expect(B, 2000, 6, flow(), "old", None, 0, 100)
    table.expect(B, 2000, 6, flow(number=2), "new", None, 50, 100)
    assert len(table) == 1
    assert table.match(flow(number=3), 120).kind == "new"
    assert table.parents == {}
