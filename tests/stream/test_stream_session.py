"""The life of a session: handshake, data, end."""

from __future__ import annotations

import pytest
from session_tools import S
from streamplay import SHAKE, play

from appliance.model.flow import FlowState
from appliance.model.verdict import Reason


def test_data_is_delivered_when_the_other_side_acknowledges_it():
    scene = play(*SHAKE, "C PA 1 1 'GET /'")
    assert scene.chunks == []
    scene.line("S A 1 6")
    assert [(c.direction, c.offset, c.data) for c in scene.chunks] == [(0, 0, b"GET /")]
    assert scene.last.events == []


def test_inline_data_is_delivered_at_once():
    scene = play(*SHAKE, "C PA 1 1 'GET /'", inline=True)
    assert scene.data(0) == b"GET /"
    scene.line("S A 1 6")
    assert scene.data(0) == b"GET /"
    assert scene.session.client.buffer == []


def test_an_acknowledgement_of_part_delivers_part():
    scene = play(*SHAKE, "C PA 1 1 'abcdef'", "S A 1 3", "S A 1 7")
    assert [c.data for c in scene.chunks] == [b"ab", b"cdef"]
    assert [c.offset for c in scene.chunks] == [0, 2]


def test_request_comes_before_response_when_the_response_acknowledges_it():
    scene = play(*SHAKE, "C PA 1 1 'ask'", "S PA 1 4 'answer'", "C A 4 7")
    assert [(c.direction, c.data) for c in scene.chunks] == [(0, b"ask"), (1, b"answer")]


CLOSINGS = [
    (("C FA 1 1",), S.CLOSE_WAIT, FlowState.ESTABLISHED),
    (("C FA 1 1", "S A 1 2"), S.CLOSE_WAIT, FlowState.ESTABLISHED),
    (("C FA 1 1", "S FA 1 2"), S.LAST_ACK, FlowState.CLOSED),
    (("C FA 1 1", "S FA 1 2", "C A 2 2"), S.CLOSED, FlowState.CLOSED),
    (("C FA 1 1", "S A 1 2", "S FA 1 2", "C A 2 2"), S.CLOSED, FlowState.CLOSED),
    (("S FA 1 1",), S.FIN_WAIT1, FlowState.ESTABLISHED),
    (("S FA 1 1", "C A 1 2"), S.FIN_WAIT2, FlowState.ESTABLISHED),
    (("S FA 1 1", "C A 1 2", "C FA 1 2"), S.TIME_WAIT, FlowState.CLOSED),
    (("S FA 1 1", "C A 1 2", "C FA 1 2", "S A 2 2"), S.CLOSED, FlowState.CLOSED),
    (("S FA 1 1", "C FA 1 2"), S.TIME_WAIT, FlowState.CLOSED),
    (("S FA 1 1", "C FA 1 1"), S.CLOSING, FlowState.ESTABLISHED),
    (("S FA 1 1", "C FA 1 1", "S A 2 2", "C A 2 2"), S.TIME_WAIT, FlowState.CLOSED),
    (("C R 1",), S.CLOSED, FlowState.CLOSED),
    (("S RA 1 1",), S.CLOSED, FlowState.CLOSED),
]


@pytest.mark.parametrize(("lines", "state", "flow_state"), CLOSINGS)
def test_closing(lines, state, flow_state):
    scene = play(*SHAKE, *lines)
    assert scene.state == state
    assert scene.flow.state == flow_state
    assert scene.events == []


def test_fin_with_data_ends_the_direction():
    scene = play(*SHAKE, "C FPA 1 1 'bye'", "S A 1 5")
    assert [(c.data, c.eof) for c in scene.chunks] == [(b"bye", True)]


def test_half_closed_session_still_carries_data():
    scene = play(*SHAKE, "C FA 1 1", "S A 1 2", "S PA 1 2 'late'", "C A 2 5", "S FA 5 2", "C A 2 6")
    assert scene.data(1) == b"late"
    assert [(c.direction, c.eof) for c in scene.chunks] == [(0, True), (1, False), (1, True)]
    assert scene.finish() == []
    assert scene.state == S.CLOSED


def test_data_behind_the_fin_is_not_data():
    scene = play(*SHAKE, "C FPA 1 1 'bye'", "C PA 4 1 'more'", "S A 1 5")
    assert scene.data(0) == b"bye"


def test_finish_hands_out_what_was_never_acknowledged():
    scene = play(*SHAKE, "C PA 1 1 'abc'", "C PA 6 1 'fgh'")
    left = scene.finish()
    assert [(c.direction, c.data, c.gap, c.eof) for c in left] == [
        (0, b"abc", 0, False),
        (0, b"", 2, False),
        (0, b"fgh", 0, True),
        (1, b"", 0, True),
    ]
    assert scene.finish() == []
    assert scene.tracker.sessions == 0
    assert scene.tracker.streams.memory.total == 0


def test_rst_hands_out_what_it_acknowledges_and_its_text_is_no_data():
    scene = play(*SHAKE, "S PA 1 1 'Please '", "S PA 8 1 'Let Me In'", "C RA 1 8 'Access Denied'")
    assert scene.data(1) == b"Please "
    assert scene.data(0) == b""
    scene.finish()
    assert scene.data(1) == b"Please Let Me In"


@pytest.mark.parametrize("inline", [False, True])
def test_an_ack_may_be_captured_before_the_data_it_is_for(inline):
    scene = play(*SHAKE, "S A 1 6", inline=inline)
    assert scene.chunks == []
    scene.line("C PA 1 1 'early'")
    assert scene.data(0) == b"early"
    assert scene.events == []


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("later", ["C PA 6 1 'x'", "C A 6 1", "C FA 6 1"])
def test_a_hole_is_reported_when_it_was_acknowledged_and_the_sender_has_gone_on(inline, later):
    scene = play(*SHAKE, later, "S A 1 6", inline=inline)
    assert [(c.offset, c.data, c.gap) for c in scene.chunks[:1]] == [(0, b"", 5)]
    assert scene.events == ["reassembly_seq_gap"]
    scene = play(*SHAKE, "S A 1 6", later, inline=inline)
    assert [(c.offset, c.data, c.gap) for c in scene.chunks[:1]] == [(0, b"", 5)]


def test_a_hole_at_the_end_is_reported_at_the_end():
    scene = play(*SHAKE, "C PA 1 1 'ab'", "S A 1 9")
    assert [(c.data, c.gap, c.eof) for c in scene.finish() if c.direction == 0] == [
        (b"", 6, False),
        (b"", 0, True),
    ]
    scene = play(*SHAKE, "C PA 1 1 'ab'", "S A 1 4")  # that may have been a FIN
    assert [(c.data, c.gap, c.eof) for c in scene.finish() if c.direction == 0] == [(b"", 0, True)]


def test_sequence_numbers_wrap():
    scene = play(*SHAKE, isn=(0xFFFFFFFD, 0xFFFFFFFF))
    scene.line("C PA 1 1 'abcdef'")
    scene.line("C PA 7 1 'ghi'")
    scene.line("S A 1 10")
    scene.line("S FPA 1 10 'zz'")
    scene.line("C FA 10 4")
    scene.line("S A 4 11")
    assert scene.data(0) == b"abcdefghi"
    assert scene.data(1) == b"zz"
    assert scene.events == []


def test_window_scaling_applies_after_the_handshake():
    shake = ("C S 0 ws=7 win=100", "S SA 0 1 ws=7 win=100", "C A 1 1 win=100")
    big = "x" * 5000
    scene = play(*shake, f"S PA 1 1 '{big}'", "C A 1 5001 win=100")
    assert scene.events == []
    assert len(scene.data(1)) == 5000
    scene = play("C S 0 win=100", "S SA 0 1 ws=7 win=100", "C A 1 1 win=100", f"S PA 1 1 '{big}'")
    assert scene.events == ["est_packet_out_of_window"]


def test_zero_window_probe_and_keepalives_are_no_anomalies():
    scene = play(
        *SHAKE, "C PA 1 1 'ab'", "S A 1 3 win=0", "C A 3 1 'c'", "S A 1 3 win=0", "S A 1 4 win=900",
        "C A 3 1", "S A 1 4", "C A 3 1 'c'", "S A 1 4",
    )  # fmt: skip
    assert scene.events == []
    assert scene.data(0) == b"abc"


INVALID = [
    ("C PA 1 90000 'x'", ["pkt_invalid_ack", "est_invalid_ack"]),
    ("C PA 70000 1 'x'", ["est_packet_out_of_window"]),
    ("S SA 0 77", ["est_synack_resend_with_different_ack"]),
    ("S SA 9 1", ["est_synack_resend_with_diff_seq"]),
    ("C SA 0 1", ["est_synack_toserver"]),
    ("C SF 0", ["fin_syn"]),
    ("C FA 80000 1", ["fin_out_of_window"]),
    ("S RA 1 90000", ["rst_invalid_ack"]),
]


@pytest.mark.parametrize(("line", "events"), INVALID)
@pytest.mark.parametrize("inline", [False, True])
def test_what_does_not_fit_is_reported_and_changes_nothing(line, events, inline):
    scene = play(*SHAKE, line, inline=inline)
    assert scene.last.events == events
    assert scene.state == S.ESTABLISHED
    assert (scene.last.reason is not Reason.NONE) == inline
    scene.line("C PA 1 1 'ok'")
    scene.line("S A 1 3")
    assert scene.data(0) == b"ok"


def test_settings_let_what_does_not_fit_pass():
    scene = play(*SHAKE, "C PA 1 90000 'x'", inline=True, drop_invalid=False)
    assert scene.last.reason is Reason.NONE
    scene = play(*SHAKE, "C SA 0 1", inline=True, strict=False)
    assert scene.last.reason is Reason.NONE


LATE_SYNS = [
    ("C S 0", "est_syn_resend"),
    ("C S 7", "est_syn_resend_diff_seq"),
    ("S S 0", "est_syn_toclient"),
]


@pytest.mark.parametrize(("line", "event"), LATE_SYNS)
def test_syn_without_data_goes_on_so_that_a_restarted_end_is_noticed(line, event):
    scene = play(*SHAKE, line, inline=True)
    assert scene.last.events == [event]
    assert scene.last.reason is Reason.NONE
    scene = play(*SHAKE, line + " 'data'", inline=True)
    assert scene.last.reason is Reason.STATE_INVALID


def test_synack_again_is_fine_until_the_server_has_gone_on():
    scene = play(*SHAKE, "S SA 0 1")
    assert scene.events == []
    scene = play(*SHAKE, "S PA 1 1 'hi'", "S SA 0 1")
    assert scene.events == ["est_synack_resend"]


def test_old_acknowledgement_is_reported():
    scene = play(*SHAKE, "C PA 1 1 'abcdef'", "S A 1 7", "C A 3 1")
    assert scene.last.events == ["est_pkt_before_last_ack"]


def test_timestamps_must_not_go_back():
    shake = ("C S 0 ts=100/0", "S SA 0 1 ts=500/100", "C A 1 1 ts=101/500")
    scene = play(*shake, "C PA 1 1 'evil' ts=50/500", "C PA 1 1 'good' ts=102/500", "S A 1 5 ts=501/102")
    assert scene.events == ["pkt_invalid_timestamp"]
    assert scene.data(0) == b"good"
    scene = play(*shake, "C PA 1 1 'good' ts=50/500 at=2500000", "S A 1 5 ts=501/102")
    assert scene.events == []


def test_linux_takes_a_timestamp_one_tick_too_old():
    lines = ("C S 0 ts=100/0", "S SA 0 1 ts=500/100", "C A 1 1 ts=101/500", "C PA 1 1 'x' ts=100/500")
    assert play(*lines, policy="linux").events == []
    assert play(*lines, policy="bsd").events == ["pkt_invalid_timestamp"]


def test_timestamp_that_was_not_offered_shows_a_forged_answer():
    scene = play("C S 0", "S RA 0 1 ts=100/100", "S FA 0 1 ts=100/100", "S SA 9 1", "C A 1 10")
    assert [r.events for r in scene.results[1:3]] == [["pkt_invalid_timestamp"]] * 2
    assert scene.state == S.ESTABLISHED


def test_window_update_beyond_both_streams_is_not_believed():
    scene = play(*SHAKE, "S A 70 70 win=10")
    assert scene.last.events == ["pkt_bad_window_update"]


def test_retransmissions_are_named():
    scene = play(*SHAKE, "C PA 1 1 'abc'", "C PA 1 1 'abc'", "S A 1 4", "C PA 1 1 'abc'")
    assert scene.events == ["pkt_spurious_retransmission"]
    scene.line("C PA 4 1 'def'")
    scene.line("S FA 1 4")
    scene.line("C PA 4 1 'def'")
    assert scene.events[1:] == ["pkt_retransmission"]
    assert scene.data(0) == b"abc"


def test_data_that_fills_a_hole_is_no_retransmission():
    scene = play(*SHAKE, "C PA 4 1 'def'", "C PA 1 1 'abc'", "S A 1 7")
    assert scene.events == []
    assert scene.data(0) == b"abcdef"


RESETS = [
    ("bsd", "C R 4", True),  # exactly next
    ("bsd", "C R 1", True),  # exactly what the server has acknowledged
    ("bsd", "C R 3", False),
    ("bsd", "C R 90", False),
    ("linux", "C R 90", True),
    ("linux", "C R 90000", False),
    ("hpux11", "C R 90000", True),
    ("hpux11", "C R 2", False),
]


@pytest.mark.parametrize(("policy", "line", "closes"), RESETS)
def test_rst_counts_where_the_receiver_takes_it(policy, line, closes):
    scene = play(*SHAKE, "C PA 1 1 'abc'", line, policy=policy)
    assert (scene.state == S.CLOSED) == closes


@pytest.mark.parametrize("between", ["S PA 1 4 'rest'", "S PA 1 5 'rest'", "S FA 1 5"])
def test_a_rst_in_the_place_of_a_fin_closes_where_bare_acks_do_not_come_by(between):
    """A closed socket answers what was sent before its FIN came; Linux takes that RST behind the FIN too."""
    scene = play(*SHAKE, "C PA 1 1 'abc'", "C FA 4 1", between, "C R 4", inline=True, bare_acks=False)
    assert scene.state == S.CLOSED
    assert set(scene.reasons) == {Reason.NONE}
    assert scene.line("C S 90000").reused


def test_a_rst_below_what_was_sent_does_not_cut_off_the_other_end():
    hidden = {"inline": True, "bare_acks": False}
    scene = play(*SHAKE, "C PA 1 1 'abc'", "C R 1", "S PA 1 4 'answer'", **hidden)
    assert scene.state == S.ESTABLISHED
    assert scene.data(1) == b"answer"
    scene.line("C R 4")
    assert scene.state == S.CLOSED
    assert set(scene.reasons) == {Reason.NONE}


def test_session_lives_on_when_the_sender_of_a_rst_goes_on():
    scene = play(*SHAKE, "C RA 1 1", "C PA 1 1 'evil'", "S A 1 5")
    assert scene.results[4].events == ["suspected_rst_inject"]
    assert scene.events == ["suspected_rst_inject"]
    assert scene.state == S.ESTABLISHED
    assert scene.flow.state == FlowState.ESTABLISHED
    assert scene.data(0) == b"evil"


def test_data_after_the_end_is_not_let_through_unseen():
    scene = play(*SHAKE, "C R 1", "S PA 1 1 'late'", inline=True)
    assert scene.last.reason is Reason.STATE_INVALID
    assert play(*SHAKE, "C R 1", "S PA 1 1 'late'").last.reason is Reason.NONE


def test_new_syn_on_closed_ports_asks_for_a_new_flow():
    closed = (*SHAKE, "C FA 1 1", "S FA 1 2", "C A 2 2")
    assert play(*closed, "C S 90000").last.reused
    assert play(*SHAKE, "C R 1", "C S 90000").last.reused
    scene = play(*closed, "C S 0")
    assert not scene.last.reused
    assert scene.last.events == ["shutdown_syn_resend"]
    assert play("C S 0", "S RA 0 1", "C S 0").last.reused


def test_ports_are_free_after_both_fins_where_bare_acks_do_not_come_by():
    crossed = (*SHAKE, "S FA 1 1", "C FA 1 1")  # the ACKs of both are on their way, past us
    assert play(*crossed).state == S.CLOSING
    assert play(*crossed, "C S 90000", bare_acks=False).last.reused
    scene = play(*crossed, "C S 90000")
    assert not scene.last.reused
    assert scene.last.events == ["shutdown_syn_resend"]
    half = play(*SHAKE, "S FA 1 1", "C S 90000", bare_acks=False)  # the client may still have much to say
    assert not half.last.reused
