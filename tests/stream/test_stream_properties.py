"""What holds for any segmentation, any order, and any nonsense."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from streamplay import SHAKE, Play, packet, play

from appliance.config.settings import StreamSettings
from appliance.model.verdict import Reason
from appliance.stream.events import EVENTS
from appliance.stream.overlap import POLICIES

TEXT = bytes(range(97, 123)) * 6


@st.composite
def deliveries(draw):
    """A byte string cut into overlapping pieces that cover it, in any order, some of them twice."""
    size = draw(st.integers(1, len(TEXT)))
    cuts = sorted(draw(st.sets(st.integers(0, size), max_size=12)) | {0, size})
    pieces = list(itertools.pairwise(cuts))
    more = draw(st.lists(st.tuples(st.integers(0, size), st.integers(0, size)), max_size=6))
    pieces += [(min(pair), max(pair)) for pair in more if pair[0] != pair[1]]
    return TEXT[:size], draw(st.permutations(pieces))


def deliver(scene: Play, pieces, acks: bool) -> None:
    for start, stop in pieces:
        made = packet(0, 24, scene.isn[0] + 1 + start, scene.isn[1] + 1, TEXT[start:stop])
        assert scene.send(made).reason is Reason.NONE
        if acks:
            have = scene.tracker.streams._front(scene.session.client)
            scene.line(f"S A 1 {1 + have}")


isns = st.sampled_from([1000, 0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFFFF0])


@given(deliveries(), st.booleans(), st.booleans(), isns, st.sampled_from(sorted(POLICIES)))
def test_any_segmentation_gives_the_bytes_once(delivery, inline, acks, isn, policy):
    text, pieces = delivery
    scene = play(*SHAKE, inline=inline, isn=(isn, 5000), policy=policy)
    deliver(scene, pieces, acks)
    scene.line(f"S A 1 {1 + len(text)}")
    assert scene.data(0) == text
    offset = 0
    for chunk in scene.chunks:
        assert (chunk.offset, chunk.gap) == (offset, 0)
        offset += len(chunk.data)
    assert "reassembly_overlap_different_data" not in scene.events
    assert scene.tracker.streams.memory.total == 0


@given(deliveries())
def test_finish_gives_what_no_ack_gave(delivery):
    text, pieces = delivery
    scene = play(*SHAKE)
    deliver(scene, pieces, acks=False)
    scene.finish()
    assert scene.data(0) == text
    assert scene.chunks[-2].eof


@given(st.lists(st.tuples(st.integers(0, 30), st.binary(min_size=1, max_size=12)), max_size=12))
def test_inline_first_bytes_win_and_contradictions_do_not_pass(segments):
    scene = play(*SHAKE, inline=True)
    seen: dict[int, int] = {}
    for start, data in segments:
        result = scene.send(packet(0, 24, 1001 + start, 5001, data))
        contradicts = any(seen.get(start + n, byte) != byte for n, byte in enumerate(data))
        assert (result.reason is Reason.STREAM_REASSEMBLY) == contradicts
        assert ("reassembly_overlap_different_data" in result.events) == contradicts
        seen = {start + n: byte for n, byte in enumerate(data)} | seen
        if contradicts:
            assert result.replaced == bytes(seen[start + n] for n in range(len(data)))
    length = next(n for n in range(99) if n not in seen)
    assert scene.data(0) == bytes(seen[n] for n in range(length))


@given(
    st.lists(st.tuples(st.integers(0, 30), st.binary(min_size=1, max_size=12)), max_size=12),
    st.sampled_from(sorted(POLICIES)),
)
def test_any_policy_gives_each_position_one_byte_that_was_sent(segments, policy):
    scene = play(*SHAKE, policy=policy)
    sent: dict[int, set[int]] = {}
    for start, data in segments:
        scene.send(packet(0, 24, 1001 + start, 5001, data))
        for n, byte in enumerate(data):
            sent.setdefault(start + n, set()).add(byte)
    scene.finish()
    place = 0
    for chunk in scene.chunks:
        if chunk.direction:
            continue
        assert chunk.offset == place
        for byte in chunk.data:
            assert byte in sent[place]
            place += 1
        assert not any(place + n in sent for n in range(chunk.gap))
        place += chunk.gap
    assert place == max(sent, default=-1) + 1


choices = st.fixed_dictionaries(
    {},
    optional={
        "inline": st.booleans(),
        "midstream": st.booleans(),
        "async_oneside": st.booleans(),
        "bare_acks": st.booleans(),
        "strict": st.booleans(),
        "depth": st.sampled_from([0, 1, 30]),
        "urgent": st.sampled_from(["oob", "inline", "drop", "gap"]),
        "reassembly_policy": st.sampled_from(["ignore", "drop-flow"]),
    },
)
numbers = st.one_of(st.integers(0, 60), st.sampled_from([2**31 - 1, 2**31, 2**32 - 1, 2**31 + 5000]))
noise = st.tuples(
    st.integers(0, 1),
    st.one_of(st.sampled_from([2, 18, 16, 24, 17, 4, 20, 56]), st.integers(0, 255)),
    numbers,
    numbers,
    st.binary(max_size=24),
    st.fixed_dictionaries(
        {},
        optional={
            "window": st.integers(0, 65535),
            "wscale": st.integers(-1, 255),
            "urgent": st.integers(0, 65535),
            "ts_val": st.one_of(st.just(-1), st.integers(0, 2**32 - 1)),
            "tcp_opts": st.just(bytes((34,))),
        },
    ),
)


@settings(max_examples=300)
@given(st.lists(noise, max_size=40), choices, st.booleans())
def test_nonsense_never_raises_and_stays_within_bounds(packets, chosen, shaken):
    bounds = StreamSettings(max_segments=6, max_held=40, max_total=900, max_syns=2, max_synacks=2, **chosen)
    scene = Play(bounds, (100, 200))
    for text in SHAKE if shaken else ():
        scene.line(text)
    offsets = [0, 0]
    for direction, flags, seq, ack, data, fields in packets:
        scene.now += 1
        result = scene.send(packet(direction, flags, scene.isn[direction] + seq, 100 + ack, data, **fields))
        if result.reused:
            scene.finish()
            scene.flow.tcp = None
            offsets = [0, 0]
            continue
        check(scene, result, bounds, offsets)
    scene.finish()
    assert scene.tracker.sessions == 0
    assert scene.tracker.streams.memory.total == 0


def check(scene, result, bounds, offsets):
    assert set(result.events) <= set(EVENTS)
    assert bounds.inline or result.reason is Reason.NONE
    for chunk in result.chunks:
        assert chunk.offset == offsets[chunk.direction]
        assert chunk.data or chunk.gap or chunk.eof
        offsets[chunk.direction] += len(chunk.data) + chunk.gap
    if scene.flow.tcp is None:
        return
    total = 0
    for peer in (scene.session.client, scene.session.server, *(scene.session.queue or ())):
        segments, kept = peer.segments or [], peer.buffer or []
        assert peer.held == sum(s.stop - s.start for s in segments) <= bounds.max_held
        assert peer.kept == sum(s.stop - s.start for s in kept) <= bounds.max_held
        assert all(a.stop <= b.start for a, b in itertools.pairwise(segments))
        assert all(s.start >= peer.position for s in segments[:1])
        assert bounds.depth == 0 or peer.delivered <= bounds.depth
        total += peer.held + peer.kept + 96 * (len(segments) + len(kept))
    assert total == scene.tracker.streams.memory.total
    assert len(scene.session.queue or ()) <= 2
