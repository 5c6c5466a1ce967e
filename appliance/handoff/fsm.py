"""Who may pass an interface's traffic: the state machine of one interface on one host, as a table. Pure.

Ownership is a record in a store that is written by compare and set: each write needs the revision that it
replaces. What holds, whatever is lost, repeated, late or out of order:

* A host passes only under a revision that it has written itself (``WON``), and stops before it promises that
  revision to another host by sending the interface's final state with it.
* Another host writes over a revision only if it was promised that one; or the record says that nobody owns
  the interface; or somebody has ordered so since the owner is dead (``TAKE``).
* Whoever has promised writes a revision of its own before it passes again.

So of a promising host and the one that was promised, one write succeeds and the other fails. Whoever carries
out actions reads and writes for an interface in one task at a time; a newer request replaces one that has
not read yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Where an interface is on the way, as this host sees it."""

    ABSENT = "absent"  # not plugged in here, nothing is known of it
    CLAIMING = "claiming"  # plugged in; the record is being written
    OWNER = "owner"  # plugged in, ours: passes
    OFFERING = "offering"  # the same, and another host has a copy of its state and waits
    FROZEN = "frozen"  # plugged in, ours, closed by order; nothing was promised
    LEFT = "left"  # unplugged, ours; its state is kept for whoever asks
    GIVEN = "given"  # plugged in; its state was sent, our revision is promised
    GIVEN_AWAY = "given away"  # unplugged; the same
    EXPECTING = "expecting"  # plugged in, another host's: asks that one for its state
    ADOPTING = "adopting"  # plugged in; the state has come and is being taken in
    TAKING = "taking"  # plugged in, state taken in; the promised revision is being written over
    WAITING = "waiting"  # plugged in, and the store does not answer


class Event(Enum):
    """What can happen."""

    PLUGGED = "plugged"
    UNPLUGGED = "unplugged"
    FREEZE = "freeze"  # by order: the machine stops here
    THAW = "thaw"  # by order: it goes on here
    TAKE = "take"  # by order: whoever owns it is dead
    ASK_COPY = "ask copy"  # another host wants a copy beforehand
    ASK_STATE = "ask state"  # another host wants what there is in the end
    ABORT = "abort"  # the other host expects it no more
    COPY = "copy"  # the owner has sent a copy
    NOT_YET = "not yet"  # the owner says that it still runs there
    STATE = "state"  # the owner has sent the state, and promises its revision
    ADOPTED = "adopted"  # workers and kernel have taken it in, or have failed to
    WON = "won"  # our last write succeeded
    LOST = "lost"  # it failed, or the record is another's
    NO_STORE = "no store"  # nobody knows what came of it
    RECORD_OURS = "record ours"  # seen: the record names us
    RECORD_OTHER = "record other"  # seen: it names another
    RECORD_GONE = "record gone"  # seen: it names nobody
    TIMEOUT = "timeout"  # of the timer that was started last


class Action(Enum):
    """What has to be done, in this order."""

    CLOSE = "close"  # pass nothing from now on; done when workers and kernel have it
    OPEN = "open"  # put the policy in force and pass
    CLAIM = "claim"  # read the record; write it if it names us or nobody
    SEIZE = "seize"  # read the record; write it whomever it names
    TAKE_OVER = "take over"  # write over the promised revision
    RELEASE = "release"  # read the record; if it names us, write that nobody owns it
    ASK_FOR_COPY = "ask for copy"
    ASK_FOR_STATE = "ask for state"
    GIVE_UP = "give up"  # tell the owner that we expect it no more
    SEND_COPY = "send copy"
    SEND_STATE = "send state"  # the same as before, if it was sent before
    SAY_NOT_YET = "say not yet"
    ADOPT = "adopt"  # take the state in, in place of what was taken in before
    DROP = "drop"  # let go of its flows and of what was received of it
    TIMER = "timer"  # start the state's timer, in place of the one before


S, E, A = State, Event, Action
Step = tuple[State, tuple[Action, ...]]
PASSING = frozenset((S.OWNER, S.OFFERING))
PLUGGED_IN = frozenset(State) - {S.ABSENT, S.LEFT, S.GIVEN_AWAY}

_CLAIM: Step = (S.CLAIMING, (A.CLAIM, A.TIMER))
_SEIZE: Step = (S.CLAIMING, (A.SEIZE, A.TIMER))
_ASK: Step = (S.EXPECTING, (A.ASK_FOR_COPY, A.TIMER))
_ROBBED: Step = (S.EXPECTING, (A.CLOSE, A.DROP, A.ASK_FOR_COPY, A.TIMER))
_RUNS_HERE: dict[Event, Step] = {
    E.ASK_COPY: (S.OFFERING, (A.SEND_COPY, A.TIMER)),
    E.ASK_STATE: (S.OFFERING, (A.SAY_NOT_YET, A.TIMER)),
    E.RECORD_OTHER: _ROBBED,
    E.LOST: _ROBBED,
}
_NOT_OURS: dict[Event, Step] = {E.TAKE: _SEIZE, E.RECORD_GONE: _CLAIM, E.TIMEOUT: _CLAIM}

TABLE: dict[State, dict[Event, Step]] = {
    S.ABSENT: {
        E.PLUGGED: _CLAIM,
        E.ASK_COPY: (S.ABSENT, (A.RELEASE,)),
        E.ASK_STATE: (S.ABSENT, (A.RELEASE,)),
        E.RECORD_OURS: (S.ABSENT, (A.RELEASE,)),
    },
    S.CLAIMING: {
        E.UNPLUGGED: (S.ABSENT, (A.DROP,)),
        E.WON: (S.OWNER, (A.OPEN,)),
        E.LOST: _ASK,
        E.NO_STORE: (S.WAITING, (A.TIMER,)),
        E.TIMEOUT: (S.WAITING, (A.TIMER,)),
        E.TAKE: _SEIZE,
    },
    S.OWNER: {
        E.UNPLUGGED: (S.LEFT, (A.CLOSE, A.TIMER)),
        E.FREEZE: (S.FROZEN, (A.CLOSE, A.TIMER)),
        E.RECORD_GONE: (S.OWNER, (A.CLAIM,)),
        **_RUNS_HERE,
    },
    S.OFFERING: {
        E.UNPLUGGED: (S.GIVEN_AWAY, (A.CLOSE, A.SEND_STATE, A.TIMER)),
        E.FREEZE: (S.GIVEN, (A.CLOSE, A.SEND_STATE, A.TIMER)),
        E.ABORT: (S.OWNER, ()),
        E.TIMEOUT: (S.OWNER, ()),
        E.RECORD_GONE: (S.OWNER, (A.CLAIM,)),
        **_RUNS_HERE,
    },
    S.FROZEN: {
        E.UNPLUGGED: (S.LEFT, (A.TIMER,)),
        E.THAW: (S.OWNER, (A.OPEN,)),
        E.TIMEOUT: (S.OWNER, (A.OPEN,)),
        E.ASK_COPY: (S.GIVEN, (A.SEND_STATE, A.TIMER)),
        E.ASK_STATE: (S.GIVEN, (A.SEND_STATE, A.TIMER)),
        E.RECORD_OTHER: (S.EXPECTING, (A.DROP, A.ASK_FOR_COPY, A.TIMER)),
        E.RECORD_GONE: _CLAIM,
    },
    S.LEFT: {
        E.PLUGGED: (S.OWNER, (A.OPEN,)),
        E.ASK_COPY: (S.GIVEN_AWAY, (A.SEND_STATE, A.TIMER)),
        E.ASK_STATE: (S.GIVEN_AWAY, (A.SEND_STATE, A.TIMER)),
        E.TIMEOUT: (S.ABSENT, (A.DROP, A.RELEASE)),
        E.RECORD_OTHER: (S.ABSENT, (A.DROP,)),
        E.RECORD_GONE: (S.ABSENT, (A.DROP,)),
    },
    S.GIVEN: {
        E.UNPLUGGED: (S.GIVEN_AWAY, (A.TIMER,)),
        E.THAW: _CLAIM,
        E.ABORT: _CLAIM,
        E.TIMEOUT: _CLAIM,
        E.ASK_COPY: (S.GIVEN, (A.SEND_STATE,)),
        E.ASK_STATE: (S.GIVEN, (A.SEND_STATE,)),
        E.RECORD_OTHER: (S.EXPECTING, (A.DROP, A.TIMER)),
        E.RECORD_GONE: _CLAIM,
    },
    S.GIVEN_AWAY: {
        E.PLUGGED: _CLAIM,
        E.ASK_COPY: (S.GIVEN_AWAY, (A.SEND_STATE,)),
        E.ASK_STATE: (S.GIVEN_AWAY, (A.SEND_STATE,)),
        E.TIMEOUT: (S.ABSENT, (A.DROP, A.RELEASE)),
        E.RECORD_OTHER: (S.ABSENT, (A.DROP,)),
        E.RECORD_GONE: (S.ABSENT, (A.DROP,)),
    },
    S.EXPECTING: {
        E.UNPLUGGED: (S.ABSENT, (A.GIVE_UP, A.DROP)),
        E.COPY: (S.EXPECTING, (A.ASK_FOR_STATE, A.TIMER)),
        E.STATE: (S.ADOPTING, (A.ADOPT, A.TIMER)),
        E.RECORD_OURS: _CLAIM,
        **_NOT_OURS,
    },
    S.ADOPTING: {
        E.UNPLUGGED: (S.ABSENT, (A.GIVE_UP, A.DROP)),
        E.ADOPTED: (S.TAKING, (A.TAKE_OVER, A.TIMER)),
        **_NOT_OURS,
    },
    S.TAKING: {
        E.UNPLUGGED: (S.ABSENT, (A.GIVE_UP, A.DROP)),
        E.WON: (S.OWNER, (A.OPEN,)),
        E.LOST: (S.WAITING, (A.DROP, A.TIMER)),
        E.NO_STORE: (S.WAITING, (A.TIMER,)),
        E.TAKE: _SEIZE,
        E.TIMEOUT: (S.WAITING, (A.TIMER,)),
    },
    S.WAITING: {
        E.UNPLUGGED: (S.ABSENT, (A.DROP,)),
        E.STATE: (S.ADOPTING, (A.ADOPT, A.TIMER)),
        E.RECORD_OURS: _CLAIM,
        E.RECORD_OTHER: _CLAIM,
        **_NOT_OURS,
    },
}
_WRITES = frozenset((A.CLAIM, A.SEIZE, A.TAKE_OVER))
_ANSWERS = frozenset((E.WON, E.LOST, E.NO_STORE))


def step(state: State, event: Event) -> Step:
    """Give what follows; what the table does not have changes nothing and asks for nothing."""
    return TABLE[state].get(event, (state, ()))


@dataclass(slots=True)
class Machine:
    """One interface. ``attempt`` counts writes; answers to earlier ones and earlier timers do not count.

    ``revision`` is the one that we have written last, ``promised`` the one that another host has promised us.
    """

    state: State = State.ABSENT
    revision: int = 0
    promised: int = 0
    attempt: int = 0
    timer: int = 0

    @property
    def passes(self) -> bool:
        """Tell whether the interface passes anything here."""
        return self.state in PASSING

    def feed(self, event: Event, *, attempt: int = 0, revision: int = 0) -> tuple[Action, ...]:
        """Take an event and give what has to be done.

        Args:
            event: What has happened.
            attempt: Of ``WON``, ``LOST``, ``NO_STORE``: which write they answer. Of ``TIMEOUT``: which timer.
            revision: Of ``WON``: what was written. Of ``STATE``: what is promised with it. Of
                ``RECORD_OURS``: where the record is; a write that counted as lost may have got there.
        """
        if event in _ANSWERS and attempt != self.attempt:
            return ()
        if event is Event.TIMEOUT and attempt != self.timer:
            return ()
        state, actions = step(self.state, event)
        if event is Event.WON and state in PASSING:
            self.revision = revision
        if event is Event.RECORD_OURS:
            self.revision = max(self.revision, revision)
        if event is Event.STATE and Action.ADOPT in actions:
            self.promised = revision
        self.state = state
        self.attempt += not _WRITES.isdisjoint(actions)
        self.timer += Action.TIMER in actions
        return actions

    def resume(self, revision: int) -> None:
        """Go on as the owner under a revision, after a restart during which nothing was promised."""
        self.state, self.revision = State.OWNER, revision


def drawn() -> str:
    """Draw the table as Markdown; ``docs/design/handoff.md`` has it."""
    rows = ["| state | event | becomes | does |", "|---|---|---|---|"]
    for state, events in TABLE.items():
        for event, (after, actions) in events.items():
            then = after.value if after is not state else "(stays)"
            done = ", ".join(action.value for action in actions)
            rows.append(f"| {state.value} | {event.value} | {then} | {done} |")
    return "\n".join(rows)
