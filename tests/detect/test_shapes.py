"""The memory of shapes never loses a rule: against a walk over all rules without pattern."""

from detect_world import compiled, flow, packet
from hypothesis import given
from hypothesis import strategies as st

from appliance.detect.context import Context
from appliance.detect.shapes import MAX_SHAPES, Shapes

RULES = (
    'alert tcp any any -> any any (msg:"syn"; flags:S; sid:1;)',
    'alert tcp any any -> any any (msg:"fin without ack"; flags:F,12; sid:2;)',
    'alert tcp any any -> any any (msg:"any flag"; flags:*SR; sid:3;)',
    'alert tcp any any -> any any (msg:"not ack"; flags:!A; sid:4;)',
    'alert tcp any any -> any any (msg:"itself"; sameip; sid:5;)',
    'alert tcp any any -> any any (msg:"options"; ipopts:rr; sid:6;)',
    'alert tcp any 1000 -> any any (msg:"from a port"; ttl:64; sid:7;)',
    'alert tcp any any -> any [80,443] (msg:"to ports"; ttl:64; sid:8;)',
    'alert tcp any any -> any !80 (msg:"to other ports"; ttl:64; sid:9;)',
    'alert tcp-stream any any -> any 443 (msg:"stream"; content:"a"; sid:10;)',
    'alert ip6 any any -> any any (msg:"version"; ip_proto:6; sid:11;)',
    'alert tcp any any -> any any (msg:"size"; dsize:0; flags:S+; sid:12;)',
)
PORTS = st.sampled_from([0, 80, 443, 1000, 65535])


def matching(ctx, candidates):
    """Give the rules of which everything but the payload holds."""
    return {
        one.rule.sid
        for one in candidates
        if one.header.match(ctx) and all(m.match(ctx) for m in one.matchers)
    }


def given_packet(sport, dport, flags, *, same, options, fragment):
    one = packet(b"", 0, 6, sport, dport, tcp_flags=flags)
    if same:
        one.dst = one.src
    one.ip_opts = (7,) if options else ()
    one.more_frags = fragment
    one.ttl = 64
    return one


@given(st.lists(st.tuples(PORTS, PORTS, st.integers(0, 255), *[st.booleans()] * 5), max_size=30))
def test_every_rule_that_can_match_is_given_in_order(packets):
    ruleset = compiled(*RULES)
    group = ruleset.group(6, 0)
    shapes = Shapes(group, ruleset.signatures)
    for sport, dport, flags, same, options, fragment, own, stream in packets:
        one = given_packet(sport, dport, flags, same=same, options=options, fragment=fragment)
        ctx = Context()
        ctx.start(one, flow(6), 0, 0)
        places = set()
        if own:
            group.ports.lookup(sport, dport, places)
        if stream:
            group.stream_ports.lookup(sport, dport, places)
        found = shapes.find(ctx, one, own, stream)
        assert [s.rank for s in found] == sorted(s.rank for s in found)
        assert {s.index for s in found} <= places
        assert matching(ctx, found) == matching(ctx, [ruleset.signatures[place] for place in places])


def test_memory_is_bounded_whatever_flags_and_ports_come():
    ruleset = compiled(*RULES)
    shapes = Shapes(ruleset.group(6, 0), ruleset.signatures)
    ctx = Context()
    for number in range(3 * MAX_SHAPES):
        one = packet(b"", proto=6)
        one.tcp_flags, one.sport, one.dport = (
            number & 0xFF,
            1000 * (number >> 8 & 1),
            (80, 443, 9)[number % 3],
        )
        one.src = one.dst if number & 0x200 else one.src
        one.ip_opts = (7,) if number & 0x400 else ()
        ctx.start(one, None, 0, 0)
        assert len(shapes.find(ctx, one, True, True)) < len(ruleset.signatures)
