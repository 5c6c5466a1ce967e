"""Whose bytes count, and what inline does instead."""

from __future__ import annotations

import pytest
from streamplay import SHAKE, play

from appliance.model.verdict import Reason
from appliance.stream.overlap import POLICIES

KEEP = {"first", "bsd-right", "vista"}
EARLIER = {"bsd", "hpux10", "irix", "macos", "windows", "windows2k3"}
SOLARIS = {"solaris", "old-solaris", "hpux11"}

# Old segment "oooo" at 5..9. New segment: where, and who reads its bytes.
CASES = [
    (3, 4, EARLIER | {"last", "linux", "old-linux"}),  # before, ends inside
    (3, 6, EARLIER | SOLARIS | {"last", "linux", "old-linux"}),  # before, ends with it
    (3, 8, EARLIER | SOLARIS | {"last", "linux", "old-linux"}),  # covers it
    (5, 2, {"last"}),  # with it, shorter
    (5, 4, SOLARIS | {"last", "old-linux"}),  # the same
    (5, 6, SOLARIS | {"last", "linux", "old-linux"}),  # with it, longer
    (6, 2, {"last"}),  # inside
    (6, 3, {"last"}),  # ends with it
    (6, 5, SOLARIS | {"last"}),  # ends after
]


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize(("start", "size", "readers"), CASES)
def test_policies(policy, start, size, readers):
    new = "n" * size
    scene = play(*SHAKE, "C PA 5 1 'oooo'", f"C PA {start} 1 '{new}'", policy=policy)
    assert scene.last.events[-1] == "reassembly_overlap_different_data"
    scene.line("C PA 1 1 '....'")
    scene.line("C PA 9 1 '....'")
    scene.line("S A 1 13")
    common = range(max(start, 5), min(start + size, 9))
    expected = "".join("n" if n in common and policy in readers else "o" for n in range(5, 9))
    got = scene.data(0).decode()
    assert len(got) == 12
    assert got[4:8] == expected


def test_unknown_systems_get_the_policy_of_the_settings():
    lines = (*SHAKE, "C PA 1 1 'GOOD'", "C PA 1 1 'EVIL'", "S A 1 5")
    assert play(*lines, policy="", overlap_policy="bsd").data(0) == b"GOOD"
    assert play(*lines, policy="", overlap_policy="last").data(0) == b"EVIL"
    assert play(*lines, policy="beos", overlap_policy="nonsense").data(0) == b"GOOD"


def test_whole_segments_are_compared_not_what_is_left_of_them():
    # "oooo" at 3..7 loses its end to the longer "nnnn" at 5..9 under "last"; "hpux11" compares with 3..7.
    scene = play(*SHAKE, "C PA 3 1 'oooo'", "C PA 5 1 'nnnn'", "C PA 1 1 'xx'", "S A 1 9", policy="solaris")
    assert scene.data(0) == b"xxoonnnn"


INLINE_CONFLICTS = [
    ("C PA 1 1 'EVIL'", "delivered"),
    ("C PA 3 1 'odX'", "partly delivered, but the same: no conflict"),
    ("C PA 3 1 'oX'", "partly delivered"),
    ("C PA 9 1 'WAIX'", "waiting"),
    ("C PA 3 1 'od____WAIT'", "both, but the same: no conflict"),
]


@pytest.mark.parametrize(("line", "what"), INLINE_CONFLICTS)
@pytest.mark.parametrize("policy", ["last", "first"])
def test_inline_the_first_bytes_win(line, what, policy):
    scene = play(*SHAKE, "C PA 1 1 'Good'", "C PA 9 1 'WAIT'", inline=True, policy=policy)
    seen = scene.line(line)
    if what.endswith("no conflict"):
        assert seen.reason is Reason.NONE
        return
    assert seen.reason is Reason.STREAM_REASSEMBLY
    assert seen.events[-1] == "reassembly_overlap_different_data"
    scene.line("C PA 5 1 '____'")
    scene.line("S A 1 13")
    assert scene.data(0) == b"Good____WAIT"


def test_inline_the_corrected_payload_may_be_forwarded_instead():
    scene = play(*SHAKE, "C PA 1 1 'Good'", "C PA 9 1 'WAIT'", "C PA 3 1 'oX__XXIX!'", inline=True)
    assert scene.last.reason is Reason.STREAM_REASSEMBLY
    assert scene.last.replaced == b"od__XXWAI"
    assert scene.data(0) == b"Good__XXWAIT"


def test_inline_acknowledged_bytes_need_no_comparison():
    scene = play(*SHAKE, "C PA 1 1 'Good'", "S A 1 5", "C PA 1 1 'EVIL'", inline=True)
    assert scene.last.events == ["pkt_spurious_retransmission"]
    assert scene.data(0) == b"Good"


def test_inline_bytes_that_had_to_be_forgotten_are_a_matter_of_policy():
    lines = (*SHAKE, "C PA 1 1 'aaaa'", "C PA 5 1 'bbbb'", "C PA 1 1 'EVIL'")
    scene = play(*lines, inline=True, max_held=4, reassembly_policy="drop-packet")
    assert scene.last.events == ["reassembly_no_segment"]
    assert (scene.last.exception, scene.last.exception_target) == ("drop-packet", "stream.reassembly")
    assert play(*lines, inline=True, max_held=4).last.exception == "ignore"


def test_no_room_ahead_of_a_hole():
    lines = (*SHAKE, "C PA 5 1 'aaaa'", "C PA 9 1 'bbbb'", "C PA 1 1 '....'", "S A 1 13")
    beside = play(*lines, max_held=4)
    assert beside.results[4].events == ["reassembly_no_segment"]
    assert [(c.data, c.gap) for c in beside.chunks] == [(b"....aaaa", 0), (b"", 4)]
    inline = play(*lines[:5], inline=True, max_held=4)
    assert inline.last.reason is Reason.STREAM_REASSEMBLY
    inline.line("C PA 1 1 '....'")
    inline.line("C PA 9 1 'bbbb'")
    assert inline.data(0) == b"....aaaabbbb"


def test_unacknowledged_data_in_order_is_handed_on_early_rather_than_lost():
    scene = play(*SHAKE, "C PA 1 1 'aaaa'", "C PA 5 1 'bbbb'", max_held=4)
    assert scene.data(0) == b"aaaabbbb"
    assert scene.session.client.held == 0


def test_memory_of_all_sessions_is_bounded():
    scene = play(*SHAKE, "C PA 5 1 'aaaa'", max_total=50)
    assert scene.events == ["reassembly_no_segment"]
    assert scene.tracker.streams.memory.total == 0


URGENT = [("oob", b"abXef", 0), ("inline", b"abUXef", 0), ("gap", b"abXef", 1), ("drop", b"ef", 4)]


@pytest.mark.parametrize(("mode", "data", "gap"), URGENT)
@pytest.mark.parametrize("inline", [False, True])
def test_urgent_byte(mode, data, gap, inline):
    scene = play(*SHAKE, "C PUA 1 1 'abUX' urg=3", "C PA 5 1 'ef'", "S A 1 7", urgent=mode, inline=inline)
    assert scene.data(0) == data
    assert sum(chunk.gap for chunk in scene.chunks) == gap
    assert (Reason.STREAM_URGENT in scene.reasons) == (inline and mode == "drop")


def test_urgent_byte_sent_again_is_no_contradiction():
    scene = play(*SHAKE, "C PUA 1 1 'abU' urg=3", "C PUA 1 1 'abU' urg=3", inline=True)
    assert scene.last.events == []
    assert scene.data(0) == b"ab"
