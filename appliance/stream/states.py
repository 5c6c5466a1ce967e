"""The TCP state machine as a table: what a segment of some kind does in some state.

States are those of the *server* (RFC 9293 section 3.3.2), as an observer between the ends infers them;
Suricata counts the same way, so ``tcp.state`` in records agrees. LISTEN is never entered.
``docs/design/tcp-states.md`` is made from this table.
"""

from __future__ import annotations

from typing import NamedTuple

from appliance.model.flow import FlowState
from appliance.model.packet import TH_ACK, TH_FIN, TH_RST, TH_SYN
from appliance.model.tcp import TcpState

# Kinds of segments
SYN, SYNACK, ACK, FIN, RST, BARE, SYNFIN = range(7)
KIND_NAMES = ("SYN", "SYN/ACK", "ACK", "FIN", "RST", "bare", "SYN+FIN")
KIND_COUNT = len(KIND_NAMES)

DIRECTION_NAMES = ("client", "server")  # who sends

# Checks: what the tracker does with the segment before the state changes
(
    IGNORE,
    INVALID,
    OPEN,
    PICKUP,
    ORPHAN,
    SYN_AGAIN,
    SYN_CROSS,
    SYNACK_REPLY,
    SYNACK_CROSS,
    ONE_SIDED,
    HANDSHAKE_SYN,
    HANDSHAKE_SYNACK,
    HANDSHAKE_ACK,
    DATA,
    CLOSE,
    RESET,
    SYN_LATE,
    SYNACK_LATE,
    SYN_CLOSING,
    AFTERMATH,
    SYN_FIN,
    EARLY,
) = range(22)
CHECK_NAMES = {
    IGNORE: "ignore",
    INVALID: "refuse: out of state",
    OPEN: "open",
    PICKUP: "pick up midstream, if allowed",
    ORPHAN: "refuse: no session",
    SYN_AGAIN: "remember a competing SYN",
    SYN_CROSS: "both ends open",
    SYNACK_REPLY: "acknowledges a SYN?",
    SYNACK_CROSS: "acknowledges the other SYN?",
    ONE_SIDED: "one-sided session, if allowed",
    HANDSHAKE_SYN: "SYN sent again?",
    HANDSHAKE_SYNACK: "SYN/ACK sent again?",
    HANDSHAKE_ACK: "finishes the handshake?",
    DATA: "sequence, acknowledgement, timestamp",
    CLOSE: "as data, and FIN in window",
    RESET: "RST acceptable to the receiver?",
    SYN_LATE: "refuse: SYN in a session",
    SYNACK_LATE: "SYN/ACK sent again?",
    SYN_CLOSING: "a new session on the same ports?",
    AFTERMATH: "was the RST forged?",
    SYN_FIN: "refuse: SYN with FIN",
    EARLY: "ignore, but see that its timestamp was negotiated",
}

# When the next state is entered, once the check has passed
ALWAYS, FIN_ACKED, CHOSEN = range(3)
GUARD_NAMES = ("", "if the FIN is acknowledged", "as the check decides")


class Cell(NamedTuple):
    """What happens: ``check``, then the state ``then`` if ``guard`` allows."""

    check: int
    then: TcpState
    guard: int = ALWAYS


_S = TcpState
_ANY = (0, 1)
CLIENT, SERVER = (0,), (1,)

# state, senders, kind, check, next state, guard
_ROWS: tuple[tuple[TcpState, tuple[int, ...], int, int, TcpState, int], ...] = (
    (_S.NONE, _ANY, SYN, OPEN, _S.SYN_SENT, ALWAYS),
    (_S.NONE, _ANY, SYNACK, PICKUP, _S.SYN_RECV, CHOSEN),
    (_S.NONE, _ANY, ACK, PICKUP, _S.ESTABLISHED, CHOSEN),
    (_S.NONE, _ANY, FIN, ORPHAN, _S.NONE, ALWAYS),
    (_S.NONE, _ANY, RST, ORPHAN, _S.NONE, ALWAYS),
    (_S.NONE, _ANY, BARE, IGNORE, _S.NONE, ALWAYS),
    (_S.SYN_SENT, CLIENT, SYN, SYN_AGAIN, _S.SYN_SENT, ALWAYS),
    (_S.SYN_SENT, SERVER, SYN, SYN_CROSS, _S.SYN_SENT, ALWAYS),
    (_S.SYN_SENT, CLIENT, SYNACK, SYNACK_CROSS, _S.SYN_RECV, ALWAYS),
    (_S.SYN_SENT, SERVER, SYNACK, SYNACK_REPLY, _S.SYN_RECV, ALWAYS),
    (_S.SYN_SENT, CLIENT, ACK, ONE_SIDED, _S.ESTABLISHED, CHOSEN),
    (_S.SYN_SENT, SERVER, ACK, EARLY, _S.SYN_SENT, ALWAYS),
    (_S.SYN_SENT, _ANY, FIN, EARLY, _S.SYN_SENT, ALWAYS),
    (_S.SYN_SENT, _ANY, RST, RESET, _S.CLOSED, ALWAYS),
    (_S.SYN_RECV, _ANY, SYN, HANDSHAKE_SYN, _S.SYN_RECV, ALWAYS),
    (_S.SYN_RECV, _ANY, SYNACK, HANDSHAKE_SYNACK, _S.SYN_RECV, CHOSEN),
    (_S.SYN_RECV, _ANY, ACK, HANDSHAKE_ACK, _S.ESTABLISHED, CHOSEN),
    (_S.SYN_RECV, CLIENT, FIN, CLOSE, _S.CLOSE_WAIT, ALWAYS),
    (_S.SYN_RECV, SERVER, FIN, CLOSE, _S.FIN_WAIT1, ALWAYS),
    (_S.SYN_RECV, _ANY, RST, RESET, _S.CLOSED, ALWAYS),
    (_S.ESTABLISHED, _ANY, SYN, SYN_LATE, _S.ESTABLISHED, ALWAYS),
    (_S.ESTABLISHED, _ANY, SYNACK, SYNACK_LATE, _S.ESTABLISHED, ALWAYS),
    (_S.ESTABLISHED, _ANY, ACK, DATA, _S.ESTABLISHED, ALWAYS),
    (_S.ESTABLISHED, CLIENT, FIN, CLOSE, _S.CLOSE_WAIT, ALWAYS),
    (_S.ESTABLISHED, SERVER, FIN, CLOSE, _S.FIN_WAIT1, ALWAYS),
    (_S.ESTABLISHED, _ANY, RST, RESET, _S.CLOSED, ALWAYS),
    (_S.CLOSE_WAIT, _ANY, ACK, DATA, _S.CLOSE_WAIT, ALWAYS),
    (_S.CLOSE_WAIT, CLIENT, FIN, CLOSE, _S.CLOSE_WAIT, ALWAYS),
    (_S.CLOSE_WAIT, SERVER, FIN, CLOSE, _S.LAST_ACK, ALWAYS),
    (_S.FIN_WAIT1, CLIENT, ACK, DATA, _S.FIN_WAIT2, FIN_ACKED),
    (_S.FIN_WAIT1, SERVER, ACK, DATA, _S.FIN_WAIT1, ALWAYS),
    (_S.FIN_WAIT1, CLIENT, FIN, CLOSE, _S.CLOSING, CHOSEN),
    (_S.FIN_WAIT1, SERVER, FIN, CLOSE, _S.FIN_WAIT1, ALWAYS),
    (_S.FIN_WAIT2, _ANY, ACK, DATA, _S.FIN_WAIT2, ALWAYS),
    (_S.FIN_WAIT2, CLIENT, FIN, CLOSE, _S.TIME_WAIT, ALWAYS),
    (_S.FIN_WAIT2, SERVER, FIN, CLOSE, _S.FIN_WAIT2, ALWAYS),
    (_S.CLOSING, CLIENT, ACK, DATA, _S.TIME_WAIT, FIN_ACKED),
    (_S.CLOSING, SERVER, ACK, DATA, _S.CLOSING, ALWAYS),
    (_S.CLOSING, _ANY, FIN, CLOSE, _S.CLOSING, ALWAYS),
    (_S.LAST_ACK, CLIENT, ACK, DATA, _S.CLOSED, FIN_ACKED),
    (_S.LAST_ACK, SERVER, ACK, DATA, _S.LAST_ACK, ALWAYS),
    (_S.LAST_ACK, CLIENT, FIN, CLOSE, _S.CLOSED, FIN_ACKED),
    (_S.LAST_ACK, SERVER, FIN, CLOSE, _S.LAST_ACK, ALWAYS),
    (_S.TIME_WAIT, CLIENT, ACK, DATA, _S.TIME_WAIT, ALWAYS),
    (_S.TIME_WAIT, SERVER, ACK, DATA, _S.CLOSED, FIN_ACKED),
    (_S.TIME_WAIT, _ANY, FIN, CLOSE, _S.TIME_WAIT, ALWAYS),
    (_S.CLOSED, _ANY, SYN, SYN_CLOSING, _S.CLOSED, ALWAYS),
    (_S.CLOSED, _ANY, ACK, AFTERMATH, _S.CLOSED, CHOSEN),
    (_S.CLOSED, _ANY, FIN, AFTERMATH, _S.CLOSED, CHOSEN),
    (_S.CLOSED, _ANY, RST, IGNORE, _S.CLOSED, ALWAYS),
)
_CLOSING = (_S.CLOSE_WAIT, _S.FIN_WAIT1, _S.FIN_WAIT2, _S.CLOSING, _S.LAST_ACK, _S.TIME_WAIT)

STATES = (_S.NONE, _S.SYN_SENT, _S.SYN_RECV, _S.ESTABLISHED, *_CLOSING, _S.CLOSED)


def _build() -> dict[tuple[TcpState, int, int], Cell]:
    table: dict[tuple[TcpState, int, int], Cell] = {}
    for state in STATES:
        for sender in _ANY:
            for kind in range(KIND_COUNT):
                table[state, sender, kind] = Cell(SYN_FIN if kind == SYNFIN else INVALID, state)
    for state in _CLOSING:
        for sender in _ANY:
            table[state, sender, SYN] = Cell(SYN_CLOSING, state)
            table[state, sender, RST] = Cell(RESET, _S.CLOSED)
    for row_state, senders, row_kind, check, then, guard in _ROWS:
        for sender in senders:
            table[row_state, sender, row_kind] = Cell(check, then, guard)
    return table


TABLE = _build()


def _flat(field: int) -> bytes:
    """Lay one field of the table out by ``(state * 2 + sender) * KIND_COUNT + kind``."""
    flat = [INVALID if field == 0 else 0] * (len(TcpState) * 2 * KIND_COUNT)
    for (state, sender, kind), cell in TABLE.items():
        flat[(state * 2 + sender) * KIND_COUNT + kind] = int(cell[field])
    return bytes(flat)


CHECKS = _flat(0)
NEXT = _flat(1)
GUARDS = _flat(2)


def _kind(flags: int) -> int:
    if flags & TH_RST:
        return RST
    if flags & TH_SYN:
        if flags & TH_FIN:
            return SYNFIN
        return SYNACK if flags & TH_ACK else SYN
    if flags & TH_FIN:
        return FIN
    return ACK if flags & TH_ACK else BARE


KINDS = bytes(_kind(flags) for flags in range(256))

_FLOW_STATES = {
    _S.NONE: FlowState.NEW,
    _S.LISTEN: FlowState.NEW,
    _S.SYN_SENT: FlowState.NEW,
    _S.SYN_RECV: FlowState.NEW,
    _S.LAST_ACK: FlowState.CLOSED,
    _S.TIME_WAIT: FlowState.CLOSED,
    _S.CLOSED: FlowState.CLOSED,
}
FLOW_STATES = [int(_FLOW_STATES.get(state, FlowState.ESTABLISHED)) for state in TcpState]

_HEAD = """# TCP states

Made from the table in `appliance/stream/states.py`; a test keeps both in step. States are those of the
server. A check that fails leaves the state as it is. "bare" is a segment without SYN, FIN, RST and ACK.

"""


def draw() -> str:
    """Give the text of ``docs/design/tcp-states.md``: the table and its picture."""
    rows = ["| state | sender | segment | check | next state |", "| --- | --- | --- | --- | --- |"]
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, sender, kind), cell in TABLE.items():
        guard = f" {GUARD_NAMES[cell.guard]}" if cell.guard and cell.then != state else ""
        rows.append(
            f"| {state.name} | {DIRECTION_NAMES[sender]} | {KIND_NAMES[kind]} "
            f"| {CHECK_NAMES[cell.check]} | {cell.then.name}{guard} |"
        )
        if cell.then != state:
            edges.setdefault((state.name, cell.then.name), []).append(
                f"{DIRECTION_NAMES[sender]} {KIND_NAMES[kind]}"
            )
    arrows = [f"    {a} --> {b}: {', '.join(labels)}" for (a, b), labels in edges.items()]
    picture = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return _HEAD + picture + "\n\n" + "\n".join(rows) + "\n"
