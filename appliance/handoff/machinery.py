"""Small parts of the driver: timers without a task each, shared runs, what one interface has."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from appliance.handoff.codec import Entry, Header, Packed
from appliance.handoff.fsm import Action, Machine, State
from appliance.handoff.store import NOBODY, Identity


@dataclass(frozen=True, slots=True)
class Times:
    """How long each state waits, in seconds, and when waiting is worth a record."""

    claiming: float = 6.0
    waiting: float = 2.0
    expecting: float = 4.0
    offering: float = 15.0
    frozen: float = 60.0
    left: float = 120.0
    given: float = 20.0
    adopting: float = 60.0
    conflict: float = 30.0

    def of(self, state: State) -> float:
        """Give the seconds of a state's timer."""
        return float(getattr(self, _TIMES.get(state, "waiting")))


_TIMES = {
    State.CLAIMING: "claiming",
    State.TAKING: "claiming",
    State.EXPECTING: "expecting",
    State.OFFERING: "offering",
    State.FROZEN: "frozen",
    State.LEFT: "left",
    State.GIVEN: "given",
    State.GIVEN_AWAY: "left",
    State.ADOPTING: "adopting",
}


class Timers:
    """All timers of all interfaces in one heap; those that were replaced are left to run out."""

    def __init__(self) -> None:
        """Start without any."""
        self._heap: list[tuple[float, Identity, int]] = []
        self.changed = asyncio.Event()

    def start(self, identity: Identity, number: int, at: float) -> None:
        """Start one."""
        heapq.heappush(self._heap, (at, identity, number))
        self.changed.set()

    def due(self, now: float) -> list[tuple[Identity, int]]:
        """Take out those that have run out."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            _, identity, number = heapq.heappop(self._heap)
            found.append((identity, number))
        return found

    async def wait(self, now: float, most: float) -> None:
        """Wait until the first one may have run out, or an earlier one was started."""
        left = min(most, self._heap[0][0] - now) if self._heap else most
        self.changed.clear()
        # Not wait_for: it may lose a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self.changed.wait()


class Shared:
    """Something that is done once for all who want it while it was being done."""

    def __init__(self, call: Callable[[], Awaitable[None]]) -> None:
        """Share runs of ``call``."""
        self._call = call
        self._begun = 0
        self._lock = asyncio.Lock()

    async def __call__(self) -> None:
        """Return after a run that has begun after this was called."""
        wanted = self._begun + 1
        async with self._lock:
            if self._begun < wanted:
                self._begun += 1
                await self._call()


@dataclass(slots=True)
class Todo:
    """An action with what counted when it was asked for."""

    action: Action
    attempt: int
    promised: int


@dataclass(slots=True)
class Sent:
    """What was written down for another host. ``base`` names the copy that it refers to."""

    header: Header
    packed: Packed
    to: str
    base: str
    at: float


@dataclass(slots=True)
class Came:
    """What has come from another host."""

    header: Header
    entries: dict[str, Entry]


@dataclass(slots=True, eq=False)
class Interface:
    """One interface as the driver knows it. ``seen`` is the latest revision that was acted upon."""

    identity: Identity
    machine: Machine = field(default_factory=Machine)
    owner: str = NOBODY
    seen: int = 0
    wrote: int = 0  # time of the record that this host has written last, in ns
    peer: str = ""  # who has asked for it last
    known: str = ""  # the copy that this one has
    sent: dict[bool, Sent] = field(default_factory=dict)  # by whether it is final
    copy: Came | None = None
    state: Came | None = None
    fetching: str = ""  # ident of what is being fetched
    todo: deque[Todo] = field(default_factory=deque)
    working: bool = False
    copying: bool = False
    request: Todo | None = None
    storing: bool = False
    since: float = 0.0  # when the present state began
    plugged: float = 0.0
    announced: float = 0.0  # when its owner has said that the state in the end is there
    expecting: float = 0.0  # when it was first found to be another's
    heard: bool = False  # the store has said something of it since it was plugged in
    alone: bool = False  # passes without a word of the store, as the appliance file allows
    seized: bool = False
    told: set[str] = field(default_factory=set)  # records written once for each time it is plugged in

    @property
    def idle(self) -> bool:
        """Tell whether nothing is left to know about it."""
        busy = self.working or self.storing or self.request is not None or bool(self.todo)
        busy = busy or self.copying or bool(self.fetching)
        return self.machine.state is State.ABSENT and not busy

    def forget(self) -> None:
        """Let go of what was sent and received."""
        self.sent.clear()
        self.copy = self.state = None
        self.known = ""
