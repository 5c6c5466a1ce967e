"""Sessions picked up midway or seen from one side, and the bounds of all."""

from __future__ import annotations

import pytest
from session_tools import S
from streamplay import SHAKE, play

from appliance.model.flow import F_MIDSTREAM, FlowState
from appliance.model.verdict import Reason


def test_packets_without_session():
    assert play("C R 5").events == ["rst_but_no_session"]
    assert play("C FA 5 5").events == ["fin_but_no_session"]
    assert play("C SF 5").events == ["fin_syn"]
    assert play("C A 5 5 'x'").flow.tcp is None
    assert play("C - 5 5 'x'").events == ["pkt_broken_ack"]


@pytest.mark.parametrize("policy", ["drop-flow", "pass-flow", "bypass", "drop-packet", "reject"])
def test_midstream_policy(policy):
    scene = play("C PA 5 5 'x'", midstream_policy=policy)
    assert (scene.last.exception, scene.last.exception_target) == (policy, "stream.midstream")
    assert scene.flow.tcp is None
    scene = play("C PA 5 5 'x'", midstream_policy=policy, midstream=True)
    assert (scene.flow.tcp is not None) == (policy == "pass-flow")
    assert play(*SHAKE, midstream_policy=policy).last.exception == ""


def test_midstream_pick_up():
    scene = play("C PA 500 700 'GET'", "S PA 700 503 'OK'", "C A 503 702", midstream=True)
    assert scene.data(0) == b"GET"
    assert scene.data(1) == b"OK"
    assert scene.flow.flags & F_MIDSTREAM
    assert scene.flow.state == FlowState.ESTABLISHED
    assert scene.events == []


def test_midstream_synack_turns_the_flow_round():
    scene = play("C SA 0 1 ws=3", midstream=True)
    assert scene.last.swap
    assert scene.state == S.SYN_RECV
    assert scene.session.server.isn == 1000
    scene.isn = (5000, 1000)
    scene.line("C PA 1 1 'GET'")
    scene.line("S PA 1 4 'OK'")
    assert scene.data(0) == b"GET"
    assert scene.state == S.ESTABLISHED


def test_one_sided_session_needs_no_acknowledgement():
    lines = ("C S 0", "C A 1 1", "C PA 1 1 'abc'", "C PA 4 9 'def'", "C FA 7 50")
    scene = play(*lines, async_oneside=True)
    assert scene.data(0) == b"abcdef"
    assert scene.events == []
    assert scene.chunks[-1].eof
    assert play(*lines).data(0) == b""
    assert play("C S 0", "C A 5 1", async_oneside=True).events == ["3whs_async_wrong_seq"]


def test_one_sided_session_gives_a_hole_up_at_last():
    lines = [f"C PA {10 + n} 1 'x'" for n in range(20)]
    scene = play("C S 0", "C A 1 1", *lines, async_oneside=True)
    assert scene.chunks[0].gap == 9
    assert scene.data(0) == b"x" * 20


def test_a_session_that_shows_its_other_side_is_not_one_sided():
    scene = play("C S 0", "C A 1 1", "S PA 1 1 'hi'", "C PA 1 3 'ho'", async_oneside=True)
    assert scene.data(1) == b"hi"
    assert scene.data(0) == b""
    scene.line("S A 3 3")
    assert scene.data(0) == b"ho"


def test_ack_number_without_flag():
    assert play("C S 0 9").events == ["pkt_broken_ack"]


def test_memcap_policy_answers_when_there_are_too_many_sessions():
    scene = play("C S 0", max_sessions=0, memcap_policy="drop-flow")
    assert (scene.last.exception, scene.last.exception_target) == ("drop-flow", "stream.memcap")
    assert scene.flow.tcp is None


def test_depth_ends_delivery_and_is_reported_once():
    scene = play(*SHAKE, "C PA 1 1 'abcdef'", "C PA 7 1 'ghi'", "S A 1 10", "C FA 10 1", "S A 1 11", depth=4)
    assert scene.data(0) == b"abcd"
    assert scene.events == ["reassembly_depth_reached"]
    assert scene.session.client.depth_reached
    assert scene.chunks[-1].eof


def test_both_depths_reached_allow_bypass():
    lines = (*SHAKE, "C PA 1 1 'abcdef'", "S PA 1 7 'abcdef'", "C A 7 7")
    assert play(*lines, depth=4, bypass_after_depth=True).last.bypass
    assert not play(*lines, depth=4).last.bypass


def test_swap_exchanges_the_ends():
    scene = play("C PA 500 700 'banner'", midstream=True)
    scene.tracker.swap(scene.flow)
    assert scene.session.server.next_seq == 1506


def test_adopted_sessions_are_counted():
    scene = play(*SHAKE, "C PA 1 1 'abc'")
    held = scene.tracker.streams.memory.total
    other = play()
    other.flow.tcp = scene.session
    other.tracker.adopt(other.flow)
    assert other.tracker.sessions == 1
    assert other.tracker.streams.memory.total == held
    other.line("S A 1 4")
    assert other.data(0) == b"abc"
    assert other.tracker.streams.memory.total == 0


def test_a_datapath_that_hides_bare_acks_is_not_misjudged():
    hidden = {"inline": True, "bare_acks": False}
    scene = play("C S 0", "S SA 0 1", "S PA 1 1 'banner'", **hidden)
    assert scene.data(1) == b"banner"
    big = "x" * 4000
    for n in range(10):
        scene.line(f"S PA {7 + n * 4000} 1 '{big}'")
    assert set(scene.reasons) == {Reason.NONE}
    assert scene.events == []
    assert len(scene.data(1)) == 40006
