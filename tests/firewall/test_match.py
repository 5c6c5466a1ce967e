"""A table must answer as a walk over its rules does."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.firewall import build
from appliance.firewall.build import build_table
from appliance.firewall.rule import (
    BOTH,
    IN,
    OUT,
    Action,
    Endpoint,
    FlagTest,
    Macs,
    Ports,
    Rule,
    Values,
)
from appliance.firewall.schedule import MINUTE, Schedule, week_windows
from appliance.firewall.subject import Subject
from appliance.model.identity import Prefix

MACS = [bytes([2, 0, 0, 0, 0, n]) for n in range(3)]
NIGHT = Schedule("night", week_windows([0, 6], 1320, 360), UTC)


def walk(rules, direction, subject, now):
    """The meaning of rules, written down as plainly as can be."""
    logged = []
    for rule in rules:
        if not rule.directions & direction or not holds(rule, subject, now):
            continue
        if rule.action is not Action.LOG:
            return rule, logged
        logged.append(rule.label)
    return None, logged


def holds(rule, s, now):
    conditions = [
        rule.frames is None or (s.frame in rule.frames.members) != rule.frames.negated,
        rule.protocols is None or (s.proto in rule.protocols.members) != rule.protocols.negated,
        end_holds(rule.source, s.src, s.src_index),
        end_holds(rule.destination, s.dst, s.dst_index),
        port_holds(rule.source_ports, s.sport),
        port_holds(rule.destination_ports, s.dport),
        rule.source_macs is None or (s.src_mac in rule.source_macs.members) != rule.source_macs.negated,
        rule.destination_macs is None
        or (s.dst_mac in rule.destination_macs.members) != rule.destination_macs.negated,
        rule.tcp_flags is None
        or (s.proto == 6 and s.tcp_flags & rule.tcp_flags.mask == rule.tcp_flags.value),
        rule.icmp is None
        or (
            s.proto in (1, 58)
            and any(s.icmp_type == t and a <= s.icmp_code <= b for t, a, b in rule.icmp) != rule.icmp_negated
        ),
        rule.schedule is None or rule.schedule.active(now),
    ]
    return all(conditions)


def end_holds(end, address, interface):
    if end is None:
        return True
    version = {4: 4, 16: 6}.get(len(address), 0)
    number = int.from_bytes(address, "big")
    inside = any(r.version == version and r.base <= number <= r.last for r in end.ranges)
    return (inside or interface in end.interfaces) != end.negated


def port_holds(ports, port):
    return ports is None or (port >= 0 and any(a <= port <= b for a, b in ports.ranges)) != ports.negated


def few(strategy, most=3):
    return st.lists(strategy, min_size=1, max_size=most)


edges = st.sampled_from([0, 1, 5, 6, 7, 20, 21, 255])
spans = st.tuples(edges, edges).map(sorted)


def prefix(version, span):
    if version == 6 and span[1] == 255:
        return Prefix(6, span[0], (1 << 128) - 1)
    if version == 4 and span[1] == 255:
        return Prefix(4, span[0], (1 << 32) - 1)
    return Prefix(version, span[0], span[1])


ends = st.builds(
    lambda r, i, n: Endpoint(tuple(r), frozenset(i), n),
    st.lists(st.builds(prefix, st.sampled_from([4, 6]), spans), max_size=3),
    st.lists(st.integers(0, 3), max_size=2),
    st.booleans(),
)
port_edges = st.sampled_from([0, 1, 22, 80, 81, 1024, 65534, 65535])
ports = st.builds(
    lambda r, n: Ports(tuple((min(p), max(p)) for p in r), n),
    few(st.tuples(port_edges, port_edges)),
    st.booleans(),
)


def values(*of):
    return st.builds(lambda m, n: Values(frozenset(m), n), few(st.sampled_from(of)), st.booleans())


macs = st.builds(lambda m, n: Macs(frozenset(m), n), few(st.sampled_from(MACS)), st.booleans())


def maybe(strategy):
    return st.none() | strategy


rules = st.builds(
    Rule,
    name=st.sampled_from("abcdef"),
    policy=st.just("p"),
    section=st.just("default"),
    action=st.sampled_from(Action),
    directions=st.sampled_from([IN, OUT, BOTH]),
    frames=maybe(values(0x0800, 0x86DD, 0x0806)),
    protocols=maybe(values(6, 17, 1, 58, -1)),
    source=maybe(ends),
    destination=maybe(ends),
    source_ports=maybe(ports),
    destination_ports=maybe(ports),
    source_macs=maybe(macs),
    destination_macs=maybe(macs),
    tcp_flags=maybe(st.sampled_from([FlagTest(0x12, 2), FlagTest(0xFF, 0)])),
    icmp=maybe(st.sampled_from([((8, 0, 255),), ((3, 1, 4), (0, 0, 0))])),
    icmp_negated=st.booleans(),
    schedule=maybe(st.just(NIGHT)),
)


def make(frame, proto, src, dst, sport, dport, index, mac, flags, icmp):
    s = Subject()
    s.frame, s.proto, s.src, s.dst, s.sport, s.dport = frame, proto, src, dst, sport, dport
    s.src_index, s.dst_index = index
    s.src_mac, s.dst_mac = mac
    s.tcp_flags = flags
    s.icmp_type, s.icmp_code = icmp
    return s


numbers = st.sampled_from([0, 1, 5, 6, 7, 8, 20, 21, 22, 255, 256])
addresses = st.one_of(
    numbers.map(lambda n: n.to_bytes(4, "big")), numbers.map(lambda n: n.to_bytes(16, "big")), st.just(b"")
)
some_port = st.sampled_from([-1, 0, 1, 22, 79, 80, 81, 82, 1024, 65535])
subjects = st.builds(
    make,
    st.sampled_from([0x0800, 0x86DD, 0x0806, 7]),
    st.sampled_from([6, 17, 1, 58, -1, 99]),
    addresses,
    addresses,
    some_port,
    some_port,
    st.tuples(st.integers(-1, 4), st.integers(-1, 4)),
    st.tuples(st.sampled_from([*MACS, b""]), st.sampled_from([*MACS, b""])),
    st.sampled_from([0, 2, 0x12, 0x10]),
    st.tuples(st.sampled_from([-1, 0, 3, 8]), st.integers(-1, 5)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(rules, max_size=9), st.lists(subjects, min_size=1, max_size=6), st.integers(0, 7 * 1440))
def test_table_answers_as_a_walk_does(some, packets, minute):
    before, build.BLOCK = build.BLOCK, 4
    try:
        tables = {way: build_table(some, way) for way in (IN, OUT)}
    finally:
        build.BLOCK = before
    for subject in packets:
        for way, table in tables.items():
            logged = []
            found = table.match(subject, minute * MINUTE, logged)
            expected, expected_log = walk(some, way, subject, minute * MINUTE)
            assert found is expected
            assert logged == expected_log


def test_a_large_table_answers_as_a_walk_does():
    rng = random.Random(7)
    some = []
    for n in range(1500):
        base = rng.randrange(1 << 16) << 8
        low = rng.randrange(60000)
        some.append(
            Rule(
                f"r{n}",
                "p",
                "default",
                Action.ALLOW,
                protocols=Values(frozenset({rng.choice([6, 17])})),
                source=Endpoint(
                    (Prefix(4, base, base + rng.randrange(1 << 20)),), negated=rng.random() < 0.01
                ),
                destination_ports=Ports(((low, low + rng.randrange(3000)),)),
            )
        )
    table = build_table(some, IN)
    hits = 0
    for _ in range(300):
        subject = make(
            0x0800,
            rng.choice([6, 17]),
            rng.randrange(1 << 24).to_bytes(4, "big"),
            b"\x0a\0\0\1",
            1024,
            rng.randrange(65536),
            (-1, -1),
            (b"", b""),
            2,
            (0, 0),
        )
        found = table.match(subject, 0, [])
        assert found is walk(some, IN, subject, 0)[0]
        hits += found is not None
    assert hits > 100


def test_log_records_are_bounded():
    rule = Rule("l", "p", "default", Action.LOG)
    last = replace(rule, name="x", action=Action.DENY)
    logged = []
    assert build_table([rule] * 100 + [last], OUT).match(Subject(), 0, logged) is last
    assert len(logged) == 16


@pytest.mark.parametrize(
    ("day", "time", "active"),
    [
        (0, "21:59", False),
        (0, "22:00", True),
        (1, "05:59", True),
        (1, "06:00", False),
        (1, "22:00", False),
        (6, "23:00", True),
        (0, "03:00", True),  # Sunday's night ends on Monday
    ],
)
def test_schedule(day, time, active):
    monday = 4 * 1440  # 1970-01-05
    hours, minutes = time.split(":")
    minute = monday + day * 1440 + int(hours) * 60 + int(minutes)
    assert NIGHT.active(minute * MINUTE) is active


@pytest.mark.parametrize("now", [-(1 << 63), -1, (1 << 63) - 1, 1 << 80])
def test_schedule_survives_any_clock(now):
    assert NIGHT.active(now) in (True, False)
