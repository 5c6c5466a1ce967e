"""Every state × sender × kind of segment: the cell is honoured, and nothing else happens."""

from __future__ import annotations

import pytest
from streamplay import SHAKE, Play, play

from appliance.model.flow import FlowState
from appliance.model.tcp import TcpState
from appliance.stream import states

S = TcpState
REACH = {
    S.NONE: (),
    S.SYN_SENT: SHAKE[:1],
    S.SYN_RECV: SHAKE[:2],
    S.ESTABLISHED: SHAKE,
    S.FIN_WAIT1: (*SHAKE, "S FA 1 1"),
    S.FIN_WAIT2: (*SHAKE, "S FA 1 1", "C A 1 2"),
    S.CLOSE_WAIT: (*SHAKE, "C FA 1 1"),
    S.CLOSING: (*SHAKE, "S FA 1 1", "C FA 1 1"),
    S.LAST_ACK: (*SHAKE, "C FA 1 1", "S FA 1 2"),
    S.TIME_WAIT: (*SHAKE, "S FA 1 1", "C A 1 2", "C FA 1 2"),
    S.CLOSED: (*SHAKE, "C FA 1 1", "S FA 1 2", "C A 2 2"),
}
LETTERS = {"SYN": "S", "SYN/ACK": "SA", "ACK": "A", "FIN": "FA", "RST": "RA", "bare": "-", "SYN+FIN": "SF"}

# Where a segment that fits in every number leads; what is not here stays in its state.
FITTING = {
    (S.NONE, "C", "S"): S.SYN_SENT,
    (S.NONE, "S", "S"): S.SYN_SENT,
    (S.SYN_SENT, "S", "SA"): S.SYN_RECV,
    (S.SYN_SENT, "C", "RA"): S.CLOSED,
    (S.SYN_SENT, "S", "RA"): S.CLOSED,
    (S.SYN_RECV, "C", "A"): S.ESTABLISHED,
    (S.SYN_RECV, "S", "A"): S.ESTABLISHED,
    (S.SYN_RECV, "C", "FA"): S.CLOSE_WAIT,
    (S.SYN_RECV, "S", "FA"): S.FIN_WAIT1,
    (S.ESTABLISHED, "C", "FA"): S.CLOSE_WAIT,
    (S.ESTABLISHED, "S", "FA"): S.FIN_WAIT1,
    (S.CLOSE_WAIT, "S", "FA"): S.LAST_ACK,
    (S.FIN_WAIT1, "C", "A"): S.FIN_WAIT2,
    (S.FIN_WAIT1, "C", "FA"): S.TIME_WAIT,
    (S.FIN_WAIT2, "C", "FA"): S.TIME_WAIT,
    (S.CLOSING, "C", "A"): S.TIME_WAIT,
    (S.LAST_ACK, "C", "A"): S.CLOSED,
    (S.LAST_ACK, "C", "FA"): S.CLOSED,
    (S.TIME_WAIT, "S", "A"): S.CLOSED,
} | {
    (state, who, "RA"): S.CLOSED
    for state in states.STATES
    for who in "CS"
    if state not in (S.NONE, S.SYN_SENT)
}


def fitting(scene: Play, who: str, letters: str) -> str:
    """Write a segment whose numbers fit the session as it stands."""
    if scene.flow.tcp is None:
        return f"{who} {letters} 0 1"
    me, you = scene.session.client, scene.session.server
    if who == "S":
        me, you = you, me
    direction = "CS".index(who)
    seq, ack = me.next_seq - scene.isn[direction], you.next_seq - scene.isn[1 - direction]
    if letters == "FA" and me.flags & 2:  # a FIN sent again stands where it stood
        seq = me.fin_seq - scene.isn[direction]
    if "S" in letters or not me.flags & 1:
        seq = 0
    return f"{who} {letters} {seq} {ack}"


def test_the_table_covers_everything_reachable():
    assert set(states.TABLE) == {
        (state, sender, kind) for state in TcpState if state is not S.LISTEN for sender in (0, 1)
        for kind in range(states.KIND_COUNT)
    }  # fmt: skip
    assert set(REACH) == set(states.STATES)


def test_flags_have_one_kind_each():
    assert [states.KIND_NAMES[states.KINDS[f]] for f in (2, 18, 16, 17, 4, 20, 0, 3, 6, 41)] == [
        "SYN", "SYN/ACK", "ACK", "FIN", "RST", "RST", "bare", "SYN+FIN", "RST", "FIN",
    ]  # fmt: skip


@pytest.mark.parametrize("state", states.STATES, ids=lambda s: s.name)
@pytest.mark.parametrize("who", ["C", "S"])
@pytest.mark.parametrize("kind", list(LETTERS))
def test_fitting_segment(state, who, kind):
    scene = play(*REACH[state])
    assert (scene.flow.tcp.state if scene.flow.tcp else S.NONE) == state
    scene.line(fitting(scene, who, LETTERS[kind]))
    reached = S(scene.flow.tcp.state) if scene.flow.tcp else S.NONE
    assert reached == FITTING.get((state, who, LETTERS[kind]), state)
    assert scene.flow.state == FlowState(states.FLOW_STATES[reached])
    cell = states.TABLE[state, "CS".index(who), states.KIND_NAMES.index(kind)]
    assert reached in (state, cell.then) or (state, reached) == (S.FIN_WAIT1, S.TIME_WAIT)


@pytest.mark.parametrize(
    "state", [s for s in states.STATES if s not in (S.NONE, S.CLOSED)], ids=lambda s: s.name
)
@pytest.mark.parametrize("who", ["C", "S"])
@pytest.mark.parametrize("letters", ["SA", "A", "FA", "RA"])
@pytest.mark.parametrize("inline", [False, True])
def test_segment_with_wild_numbers_changes_no_state(state, who, letters, inline):
    scene = play(*REACH[state], inline=inline)
    scene.line(f"{who} {letters} 900000 1800000 'wild'")
    assert scene.state == state
    assert scene.last.chunks == []
