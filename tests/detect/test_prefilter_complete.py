"""The prefilter never loses a rule: candidates against evaluation of every rule on everything."""

import pytest
from detect_world import BUFFERS, NOW, SETTINGS, ToyTx, compiled, flow, packet, parse, rules_of, sids, tcp
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.detect.compiler import compile_rules
from appliance.detect.detector import Detector
from appliance.detect.hyperscan import build, escape
from appliance.model.app import COMPLETE
from appliance.model.chunk import Chunk

WORDS = ["GET", "abcd", "Abc", "x|00|y", "..", "evil", "a", "bc", "longer pattern", "%u", "$^.*"]
BYTES = [
    b"GET",
    b"abcd",
    b"Abc",
    b"x\0y",
    b"..",
    b"evil",
    b"a",
    b"bc",
    b"longer pattern",
    b"%u",
    b"$^.*",
    b"-",
]
PAYLOADS = st.lists(st.sampled_from(BYTES), max_size=8).map(b"".join)


@st.composite
def udp_bodies(draw):
    port = draw(st.sampled_from(["any", "53", "[50:60]", "!53"]))
    both = draw(st.sampled_from(["->", "<>"]))
    options = []
    for _ in range(draw(st.integers(0, 3))):
        nocase = draw(st.sampled_from(["", " nocase;"]))
        bang = draw(st.sampled_from(["", "", "!"]))
        options.append(f'content:{bang}"{draw(st.sampled_from(WORDS))}";{nocase}')
    options.append(draw(st.sampled_from(["", "dsize:>5;", "ttl:64;"])))
    return f"alert udp any any {both} any {port} ({' '.join(options)})"


@st.composite
def tcp_bodies(draw):
    protocol = draw(st.sampled_from(["tcp", "tcp-pkt", "tcp-stream"]))
    options = []
    for _ in range(draw(st.integers(1, 3))):
        nocase = draw(st.sampled_from(["", " nocase;"]))
        bang = draw(st.sampled_from(["", "", "!"]))
        options.append(f'content:{bang}"{draw(st.sampled_from(WORDS))}";{nocase}')
    options.append(draw(st.sampled_from(["", "dsize:>5;", "ttl:64;"])))
    return f"alert {protocol} any any -> any any ({' '.join(options)})"


def without_prefilter(ruleset):
    """Make every rule of a ruleset a candidate of everything."""
    for group in ruleset.groups.values():
        group.content = None
        group.buffers = []
        every = [s.index for s in ruleset.signatures if s.kind in {2, 3}]
        group.ports.always = list(every)
        group.stream_ports.always = list(every)
    for protocol in ("http", "dns"):
        for direction in (0, 1):
            group = ruleset.tx_group(protocol, direction)
            group.tables = []
            group.always = [(s.index, [], s.ends) for s in ruleset.signatures if s.kind == 4]
    return ruleset


@settings(max_examples=60, deadline=None)
@given(st.lists(udp_bodies(), min_size=1, max_size=6), st.lists(PAYLOADS, min_size=1, max_size=4))
def test_packets(bodies, payloads):
    fast = Detector(compiled(*bodies), SETTINGS)
    slow = Detector(without_prefilter(compiled(*bodies)), SETTINGS)
    for payload in payloads:
        for port in (53, 55, 99):
            one = packet(payload, dport=port, ttl=64 if len(payload) % 2 else 1)
            expected = sids(slow.inspect(one, flow(17), NOW))
            assert sids(fast.inspect(one, flow(17), NOW)) == expected


@st.composite
def http_bodies(draw):
    options = []
    for name in draw(st.lists(st.sampled_from(["http.uri", "http.method", "http.request_body"]), min_size=1)):
        bang = draw(st.sampled_from(["", "", "", "!"]))
        options.append(f'{name}; content:{bang}"{draw(st.sampled_from(WORDS))}";')
    return f"alert http any any -> any any ({' '.join(options)})"


# What a packet brings, and what of its stream is ready with it: the same, nothing, or more, less and other.
PACKETS = st.tuples(
    PAYLOADS, st.sampled_from(["same", "none", "only", "more", "less", "hole", "syn"]), PAYLOADS
)


@settings(max_examples=150, deadline=None)
@given(st.lists(tcp_bodies(), min_size=1, max_size=6), st.lists(PACKETS, min_size=1, max_size=5))
def test_streams(bodies, packets):
    """One search for payload and stream finds what evaluation of all rules finds, however they relate."""
    fast, slow = (
        Detector(compiled(*bodies), SETTINGS),
        Detector(without_prefilter(compiled(*bodies)), SETTINGS),
    )
    one, other = flow(), flow()
    offset = 0
    for payload, how, extra in packets:
        data = {"same": payload, "hole": payload, "syn": payload, "only": extra, "more": payload + extra}.get(
            how, b""
        )
        if how == "less":
            data = payload[len(payload) // 2 :]
        gap = 3 if how == "hole" else 0
        for engine, stream in ((fast, one), (slow, other)):
            if gap:
                engine.stream_data(stream, Chunk(0, offset, b"", gap))
            if data:
                engine.stream_data(stream, Chunk(0, offset + gap, data))
        offset += gap + len(data)
        made = tcp(b"" if how == "only" else payload, ttl=64, tcp_flags=2 if how == "syn" else 24)
        expected = sids(slow.inspect(made, other, NOW))
        assert sids(fast.inspect(made, one, NOW)) == expected


def test_payload_before_a_hole_is_searched():
    """Its bytes came to the stream, which has begun anew since, and then ended."""
    engine, stream = (
        Detector(compiled('alert tcp-pkt any any -> any any (content:"evil";)'), SETTINGS),
        flow(),
    )
    engine.stream_data(stream, Chunk(0, 0, b"evil"))
    engine.stream_data(stream, Chunk(0, 4, b"", 10))
    engine.stream_data(stream, Chunk(0, 14, b"", 0, True))
    assert sids(engine.inspect(tcp(b"evil"), stream, NOW)) == [1]
    engine.stream_data(stream, Chunk(0, 14, b"good"))
    assert sids(engine.inspect(tcp(b"evil"), stream, NOW)) == [1]
    engine.stream_data(stream, Chunk(0, 18, b"evil"))
    engine.stream_data(stream, Chunk(0, 22, b"", 0, True))
    assert sids(engine.inspect(tcp(b"evil"), stream, NOW)) == [1]


def test_payload_that_is_not_the_end_of_the_stream_is_searched():
    bodies = [
        'alert tcp-pkt any any -> any any (content:"evil";)',
        'alert tcp-stream any any -> any any (content:"good";)',
        'alert tcp any any -> any any (content:"both";)',
    ]
    engine, stream = Detector(compiled(*bodies), SETTINGS), flow()
    engine.stream_data(stream, Chunk(0, 0, b"a good one"))
    assert sids(engine.inspect(tcp(b"evil and both"), stream, NOW)) == [1, 2]
    engine.stream_data(stream, Chunk(0, 10, b"evil and both"))
    assert sids(engine.inspect(tcp(b"evil and both"), stream, NOW)) == [1, 3]
    # Across the border of two packets only the stream has it.
    engine.stream_data(stream, Chunk(0, 23, b"bo"))
    assert sids(engine.inspect(tcp(b"bo"), stream, NOW)) == []
    engine.stream_data(stream, Chunk(0, 25, b"th"))
    assert sids(engine.inspect(tcp(b"th"), stream, NOW)) == [3]


@settings(max_examples=60, deadline=None)
@given(st.lists(http_bodies(), min_size=1, max_size=5), PAYLOADS, PAYLOADS, st.lists(PAYLOADS, max_size=4))
def test_transactions(bodies, method, uri, pieces):
    """A body that grows piece by piece is matched as by brute force, each rule once."""
    results = []
    for change in (lambda ruleset: ruleset, without_prefilter):
        engine = Detector(change(compiled(*bodies)), SETTINGS)
        tx = ToyTx(0, (0, 0))
        stream = flow(6, "http", [tx])
        found = []
        body = b""
        for progress in (10, 30, 50):
            tx.buffers["http.method"] = method
            tx.buffers["http.uri"] = uri if progress >= 30 else None
            tx.progress[0] = progress
            found.append(sids(engine.inspect(tcp(), stream, NOW)))
        for piece in pieces:
            body += piece
            tx.buffers["http.request_body"] = body
            found.append(sids(engine.inspect(tcp(), stream, NOW)))
        tx.progress[0] = COMPLETE
        found.append(sids(engine.inspect(tcp(), stream, NOW)))
        flat = [sid for step in found for sid in step]
        assert len(flat) == len(set(flat))
        results.append(found)
    assert results[0] == results[1]


SHOWN = ["http.request_body", "file.data"]


@st.composite
def bodies_and_files(draw):
    name, word = draw(st.sampled_from(SHOWN)), draw(st.sampled_from(WORDS))
    return f'alert http any any -> any any ({name}; content:"{word}";)'


@settings(max_examples=100, deadline=None)
@given(
    st.lists(bodies_and_files(), min_size=2, max_size=8),
    st.lists(st.tuples(PAYLOADS, st.booleans()), min_size=1, max_size=4),
)
def test_bodies_and_their_files(bodies, pieces):
    """Both are searched in one database; a file need not have the bytes of the body, nor come with it."""
    results = []
    for ruleset in (compiled(*bodies), without_prefilter(compiled(*bodies))):
        engine = Detector(ruleset, SETTINGS)
        found = []
        for number in range(2):  # the second has the bytes of the first
            tx = ToyTx(number, (50, 0))
            stream = flow(6, "http", [tx])
            body = file = b""
            for piece, both in pieces:
                body += piece
                file += piece if both else piece[::-1]
                tx.buffers.update({"http.request_body": body, "file.data": [file] if both else []})
                found.append(sids(engine.inspect(tcp(), stream, NOW)))
            tx.progress[0] = COMPLETE
            found.append(sids(engine.inspect(tcp(), stream, NOW)))
        results.append(found)
    assert results[0] == results[1]


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=20), st.binary(max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_literal_is_found(literal, before, after):
    data = before + literal + after
    assert build([(7, literal, False)], None).scan(data) == [7]
    assert build([(7, literal.lower(), True)], None).scan(data.swapcase()) == [7]


def test_escape():
    assert escape(b"a\0.") == rb"\x61\x00\x2e"


@pytest.mark.parametrize("count", [50])
def test_candidates_do_not_grow_with_rules(count):
    """Rules whose pattern is not there are not evaluated at all."""
    bodies = [f'alert udp any any -> any any (content:"pattern-{n:04}-x";)' for n in range(count)]
    ticks = iter(range(1_000_000))
    rules = parse(rules_of(*bodies))
    ruleset, errors = compile_rules(rules, SETTINGS, BUFFERS, {}, None)
    assert not errors
    engine = Detector(ruleset, SETTINGS, None, lambda: next(ticks))
    assert sids(engine.inspect(packet(b"..pattern-0007-x.."), None, NOW)) == [8]
    assert engine.profile.rules == {7: [1, 1, 1]}
