"""Compiled content chains against a plain search through all choices of places."""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.config.settings import DetectSettings
from appliance.detect.chains import ChainBuilder
from appliance.detect.context import STEP_LIMIT, Context
from appliance.detect.datasets import Datasets
from appliance.detect.resources import NONE
from appliance.detect.steps import inspect
from appliance.rulelang.tree import Content, Position

AT = Position("t", 1)
LETTERS = st.sampled_from([b"a", b"b", b"ab", b"ba", b"aa", b"aba"])


@st.composite
def contents(draw, first=False):
    """One content: absolute for the first, else mostly relative."""
    node = Content(
        draw(LETTERS), negated=draw(st.integers(0, 5)) == 0, nocase=draw(st.booleans()), position=AT
    )
    if first or draw(st.integers(0, 3)) == 0:
        depth = draw(st.none() | st.integers(3, 12))
        return replace(node, offset=draw(st.none() | st.integers(0, 6)), depth=depth)
    return replace(
        node, distance=draw(st.none() | st.integers(-3, 4)), within=draw(st.none() | st.integers(3, 8))
    )


def reference(chain, data, cursor=0):
    """Tell whether any choice of occurrences satisfies the chain."""
    if not chain:
        return True
    node, rest = chain[0], chain[1:]
    text, pattern = (data.lower(), node.pattern.lower()) if node.nocase else (data, node.pattern)
    relative = node.distance is not None or node.within is not None
    low, high = 0, len(data)
    if relative:
        low = max(cursor + (node.distance or 0), 0)
        if node.within is not None:
            high = min(high, cursor + (node.distance or 0) + node.within)
    else:
        low = node.offset or 0
        if node.depth is not None:
            high = min(high, low + node.depth)
    places = [p for p in range(low, high - len(pattern) + 1) if text[p : p + len(pattern)] == pattern]
    if node.negated:
        return not places and reference(rest, data, cursor)
    return any(reference(rest, data, place + len(pattern)) for place in places)


def build(chain):
    return ChainBuilder(DetectSettings(), Datasets(NONE)).build(chain)


@settings(max_examples=400, deadline=None)
@given(contents(first=True), st.lists(contents(), max_size=4), st.text("abAB-", max_size=30))
@example(Content(b"a", position=AT), [Content(b"b", within=1, position=AT)], "a-ab")
def test_chain_equals_reference(head, tail, text):
    chain, data = [head, *tail], text.encode()
    assert inspect(build(chain), data, 0, True, Context()) == reference(chain, data)


def test_hostile_chain_stops_at_the_limit():
    chain = [Content(b"a", position=AT)] + [Content(b"a", within=9, position=AT) for _ in range(20)]
    chain.append(Content(b"z", within=9, position=AT))
    ctx = Context()
    assert not inspect(build(chain), b"a" * 5000, 0, True, ctx)
    assert ctx.steps == STEP_LIMIT + 1
    assert ctx.counters == {"detect.step_limit": 1}


def test_open_ended_contents_are_not_tried_from_each_place():
    chain = [Content(b"a", position=AT), *(Content(b"a", distance=0, position=AT) for _ in range(20))]
    chain.append(Content(b"z", distance=0, position=AT))
    ctx = Context()
    assert not inspect(build(chain), b"a" * 5000, 0, True, ctx)
    assert ctx.steps == len(chain)


@given(st.binary(max_size=64), st.integers(0, 40))
def test_stream_offset_counts_from_the_start(data, base):
    """A content with offset and depth finds the same place, wherever the window on the stream begins."""
    chain = build([Content(b"\0", offset=10, depth=20, position=AT)])
    expected = any(data[i] == 0 and 10 <= base + i < 30 for i in range(len(data)))
    assert inspect(chain, data, base, True, Context()) == expected
