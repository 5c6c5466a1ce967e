"""Handshakes: the usual one, and all the others."""

from __future__ import annotations

import pytest
from streamplay import play

from appliance.model.tcp import TcpState
from appliance.model.verdict import Reason

S = TcpState

GOOD = {
    "three ways": (["C S 0", "S SA 0 1", "C A 1 1"], S.ESTABLISHED),
    "syn only": (["C S 0"], S.SYN_SENT),
    "syn again": (["C S 0", "C S 0"], S.SYN_SENT),
    "synack": (["C S 0", "S SA 0 1"], S.SYN_RECV),
    "synack again": (["C S 0", "S SA 0 1", "S SA 0 1", "C A 1 1"], S.ESTABLISHED),
    "syn after synack": (["C S 0", "S SA 0 1", "C S 0", "C A 1 1"], S.ESTABLISHED),
    "ecn": (["C SEC 0", "S SAE 0 1", "C A 1 1"], S.ESTABLISHED),
    "simultaneous": (["C S 0", "S S 0", "C SA 0 1", "S SA 0 1"], S.ESTABLISHED),
    "simultaneous, other order": (["C S 0", "S S 0", "S SA 0 1", "C SA 0 1"], S.ESTABLISHED),
    "split in four": (["C S 0", "S S 0", "C SA 0 1", "S A 1 1"], S.ESTABLISHED),
    "split in five": (["C S 0", "S A -9 1", "S S 0", "C SA 0 1", "S A 1 1"], S.ESTABLISHED),
    "data with the last ack": (["C S 0", "S SA 0 1", "C PA 1 1 'x'"], S.ESTABLISHED),
    "last ack lost": (["C S 0", "S SA 0 1", "C PA 9 1 'x'"], S.ESTABLISHED),
    "server speaks first": (["C S 0", "S SA 0 1", "S PA 1 1 'x'"], S.ESTABLISHED),
    "fin ends it": (["C S 0", "S SA 0 1", "C FA 1 1"], S.CLOSE_WAIT),
    "refused": (["C S 0", "S RA 0 1"], S.CLOSED),
    "given up": (["C S 0", "C R 1"], S.CLOSED),
}


@pytest.mark.parametrize(("lines", "state"), GOOD.values(), ids=GOOD)
def test_good_handshakes(lines, state):
    scene = play(*lines)
    assert scene.state == state
    assert scene.events == []


ODD = [
    (["C S 0", "C SA 0 1"], "3whs_synack_in_wrong_direction", S.SYN_SENT),
    (["C S 0", "S SA 0 9"], "3whs_synack_with_wrong_ack", S.SYN_SENT),
    (["C S 0", "S RA 0 9"], "rst_invalid_ack", S.SYN_SENT),
    (["C S 0", "S SA 0 1", "S SA 0 9"], "3whs_synack_resend_with_different_ack", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "S SA 9 1"], "3whs_synack_resend_with_diff_seq", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "C SA 0 1"], "3whs_synack_toserver_on_syn_recv", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "C S 9"], "3whs_syn_resend_diff_seq_on_syn_recv", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "S S 0"], "3whs_syn_toclient_on_syn_recv", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "C A 1 9"], "3whs_right_seq_wrong_ack_evasion", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "C A 70 9"], "3whs_wrong_seq_wrong_ack", S.SYN_RECV),
    (["C S 0", "S SA 0 1", "C A 90000 1"], "3whs_wrong_seq_wrong_ack", S.SYN_RECV),
    (["C S 0", "S S 0", "C SA 0 9"], "4whs_synack_with_wrong_ack", S.SYN_SENT),
    (["C S 0", "S S 0", "C SA 9 1"], "4whs_synack_with_wrong_syn", S.SYN_SENT),
    (["C S 0", "S S 0", "C SA 0 1", "S A 9 1"], "4whs_wrong_seq", S.SYN_RECV),
    (["C S 0", "S S 0", "C SA 0 1", "S A 1 9"], "4whs_invalid_ack", S.SYN_RECV),
]


@pytest.mark.parametrize(("lines", "event", "state"), ODD)
def test_odd_handshakes(lines, event, state):
    scene = play(*lines)
    assert scene.last.events == [event]
    assert scene.state == state


def test_inline_the_server_may_not_speak_before_the_handshake_ends():
    scene = play("C S 0", "S SA 0 1", "S PA 1 1 'injected'", inline=True)
    assert scene.last.events == ["3whs_ack_data_inject"]
    assert scene.last.reason is Reason.STATE_INVALID
    assert scene.data(1) == b""
    assert play("C S 0", "S SA 0 1", "S A 1 1", inline=True).last.events == ["3whs_ack_in_wrong_dir"]


def test_synack_chooses_among_competing_syns():
    scene = play(
        "C S 0", "C S 7000", "C S 9000", "S SA 0 7001", "C A 7001 1", "C PA 7001 1 'x'", "S A 1 7002"
    )
    assert scene.data(0) == b"x"
    assert scene.events == []
    assert scene.session.client.isn == 8000
    assert scene.session.queue is None


def test_ack_chooses_among_competing_synacks():
    scene = play("C S 0", "S SA 0 1", "S SA 4000 1", "C A 1 4001", "S PA 4001 1 'x'", "C A 1 4002")
    assert scene.data(1) == b"x"
    assert scene.state == S.ESTABLISHED


def test_syn_floods_are_bounded():
    scene = play("C S 0", *(f"C S {n * 100}" for n in range(1, 24)), "S SA 0 2301", "C A 2301 1")
    assert scene.events == ["3whs_syn_flood"] * 13
    assert scene.state == S.ESTABLISHED


def test_synack_floods_are_bounded():
    scene = play("C S 0", *(f"S SA {n * 100} 1" for n in range(9)), max_synacks=3)
    assert scene.events.count("3whs_synack_flood") == 5
    assert len(scene.session.queue) == 3


TFO = "C S 0 'GET /' opt=34"


def test_fast_open_data_is_delivered_with_the_synack():
    scene = play(TFO)
    assert scene.data(0) == b""
    scene.line("S SA 0 6")
    assert scene.data(0) == b"GET /"
    scene.line("S PA 1 6 'OK'")
    assert scene.state == S.ESTABLISHED
    scene.line("C A 6 3")
    assert scene.data(1) == b"OK"
    assert scene.events == []


def test_fast_open_inline_is_inspected_at_once():
    scene = play(TFO, inline=True)
    assert scene.data(0) == b"GET /"
    scene.line("S SA 0 6")
    scene.line("C PA 6 1 'more'")
    assert scene.data(0) == b"GET /more"
    assert set(scene.reasons) == {Reason.NONE}


@pytest.mark.parametrize("inline", [False, True])
def test_fast_open_data_may_be_left_out_and_sent_again(inline):
    scene = play(TFO, "S SA 0 1", "C PA 1 1 'GET /'", "S A 1 6", inline=inline)
    assert scene.events == ["3whs_synack_tfo_data_ignored"]
    assert scene.data(0) == b"GET /"
    assert set(scene.reasons) == {Reason.NONE}


def test_fast_open_data_cannot_change_after_inspection():
    scene = play(TFO, "S SA 0 1", "C PA 1 1 'EVIL!'", inline=True)
    assert scene.last.reason is Reason.STREAM_REASSEMBLY
    assert scene.last.events == ["reassembly_overlap_different_data"]
