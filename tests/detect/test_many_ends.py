"""Rules on transactions that name many different addresses and ports: each is found where it fits."""

import pytest
from detect_world import NOW, ToyTx, compiled, detector, flow, packet, sids, tcp
from hypothesis import given
from hypothesis import strategies as st

from appliance.detect.context import Context
from appliance.detect.ends import LIMIT, MAX_ANSWERS, OTHERS, port_classes
from appliance.detect.txgroup import MAX_SCOPES

ENDS = (
    "any any -> any any",
    "any any -> any [80,8000:8100]",
    "any ![80,443] -> any any",
    "10.0.0.0/8 any -> any 80",
    "any any -> 10.0.0.0/24 1024:",
    "any any <> 192.168.0.2 443",
    "10.0.0.1 any => any 80",
    "!10.0.0.0/8 any -> [10.0.0.0/8,!10.0.0.1] any",
)
ADDRESSES = [b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02", b"\x0a\x01\x00\x01", b"\xc0\xa8\x00\x02", bytes(16)]
PORTS = st.sampled_from([-1, 0, 79, 80, 81, 443, 1023, 1024, 8000, 8050, 8101, 65535])


def port_rules(count, first=81):
    """Rules that differ in their destination port; one more is for the flow's, and comes last."""
    ports = [*range(first, first + count), 80]
    return [f'alert http any any -> any {port} (http.uri; content:"/download";)' for port in ports]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 40, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT])
def test_one_of_many_ports(count):
    engine = detector(*port_rules(count))
    stream = flow(app="http", txs=[ToyTx(http__uri=b"/download")])
    assert sids(engine.inspect(tcp(), stream, NOW)) == [count + 1]


@pytest.mark.parametrize("count", [0, 31, 32, 40, LIMIT, 3 * LIMIT])
def test_rules_that_no_pattern_finds(count):
    rules = [rule.replace('content:"/download"', "bsize:9") for rule in port_rules(count)]
    stream = flow(app="http", txs=[ToyTx(http__uri=b"/download")])
    assert sids(detector(*rules).inspect(tcp(), stream, NOW)) == [count + 1]


RULESET = compiled(*[f'alert http {ends} (http.uri; content:"/download";)' for ends in ENDS])


@given(
    st.sampled_from(ADDRESSES),
    st.sampled_from(ADDRESSES),
    PORTS,
    PORTS,
    st.sampled_from([6, 17, 1, 132, -1]),
    st.sampled_from([0, 4, 6]),
    st.sampled_from([0, 1]),
)
def test_remembered_ends_are_those_that_fit(src, dst, sport, dport, proto, version, direction):
    """The memory is asked with many connections in turn, and always says what the headers say."""
    made = packet(proto=proto, direction=direction, src=src, dst=dst, sport=sport, dport=dport)
    made.ip_version = version
    ctx = Context()
    ctx.start(made, flow(17), NOW, direction)
    expected = sum(bit for bit, header in RULESET.ends.headers if header.concerns(ctx))
    for _ in range(2):
        assert RULESET.ends.live(ctx) == expected | OTHERS


def test_memory_of_ends_is_bounded():
    ruleset = compiled(*port_rules(3))
    ctx = Context()
    engine = detector(*port_rules(3))
    for number in range(MAX_ANSWERS + 100):
        made = tcp(src=number.to_bytes(4, "big"))
        ctx.start(made, flow(), NOW, 0)
        ruleset.ends.live(ctx)
    stream = flow(app="http", txs=[ToyTx(http__uri=b"/download")])
    assert sids(engine.inspect(tcp(), stream, NOW)) == [4]
    # Still right after it has started anew.
    ctx.start(tcp(), flow(), NOW, 0)
    fitting = [header for bit, header in ruleset.ends.headers if bit & ruleset.ends.live(ctx)]
    assert [one.destination_ports.ranges for one in fitting] == [((80, 80),)]


def test_ports_of_one_class_are_alike():
    matchers = [header.destination_ports for _, header in RULESET.ends.headers]
    matchers += [header.source_ports for _, header in RULESET.ends.headers]
    table = port_classes(matchers)
    assert len(table) == 1 << 16
    seen = {}
    for port in range(1 << 16):
        answers = tuple(one.has(port) for one in matchers)
        assert seen.setdefault(table[port], answers) == answers


def test_too_many_classes_of_ports_are_not_remembered():
    rules = [
        f"alert http any any -> any [{n},{n + 300}:{n + 310}] (http.uri; bsize:9;)" for n in range(1, 60)
    ]
    every = [f"alert http any [{5 * n}] -> any any (http.uri; bsize:9;)" for n in range(200, 400)]
    ruleset = compiled(*rules, *every)
    ctx = Context()
    for port in (1, 60, 300, 360, 1000, 1995):
        made = tcp()
        made.sport = made.dport = port
        ctx.start(made, flow(), NOW, 0)
        expected = sum(bit for bit, header in ruleset.ends.headers if header.concerns(ctx))
        assert ruleset.ends.live(ctx) == expected | OTHERS
    assert port_classes([FakePorts(n) for n in range(9)]) == b""


class FakePorts:
    """Ports of which a bit of their number says whether they are in the set."""

    def __init__(self, bit):
        self.bit = bit
        self.ranges = tuple((port, port) for port in range(512) if port >> bit & 1)

    def has(self, port):
        return port < 512 and bool(port >> self.bit & 1)


def test_scopes_are_bounded_and_leave_out_what_does_not_concern():
    ruleset = compiled(*port_rules(LIMIT - 1), 'alert http any any -> any any (http.method; content:"GET";)')
    group = ruleset.tx_group("http", 0)
    bits = [bit for bit, _ in ruleset.ends.headers]
    for number in range(MAX_SCOPES + 50):
        live = sum(bit for place, bit in enumerate(bits) if number >> place & 1)
        scope = group.scope(live)
        assert scope is group.scope(live)
        assert [one.key.name for one in scope.tables] == [
            one.key.name for one in group.tables if one.ends & live
        ]
    assert not group.scope(0).tables


def test_connections_with_other_ends_take_turns():
    engine = detector(*port_rules(40))
    for _ in range(3):
        for place, port in enumerate([*range(81, 121), 80], 1):
            stream = flow(app="http", txs=[ToyTx(http__uri=b"/download")])
            stream.sport = port
            made = tcp()
            made.dport = port
            assert sids(engine.inspect(made, stream, NOW)) == [place]
