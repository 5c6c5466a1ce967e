"""Drives one :class:`Machine` for each interface: carries out what the table says, tells it what happened.

Events are fed at once, in the order in which they come; the actions of an interface are carried out one after
the other, so that what is closed is closed before its state is sent. Requests to the store wait for nobody
else's. All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from appliance.handoff.acts import Acts
from appliance.handoff.contract import Hands, Mail
from appliance.handoff.desk import Desk
from appliance.handoff.exchange import Exchange
from appliance.handoff.fsm import Action, Event, State
from appliance.handoff.incoming import MAX_INTERFACES, Incoming
from appliance.handoff.machinery import Interface, Shared, Timers, Times, Todo
from appliance.handoff.messages import Message, Wanted
from appliance.handoff.orders import Orders
from appliance.handoff.reports import Reports
from appliance.handoff.store import NOBODY, Identity, Record, Store

_LONGEST = 1.0
_FETCHING = 60.0  # seconds for which a body that is on its way keeps the timer of who expects it
_REQUESTS = frozenset((Action.CLAIM, Action.SEIZE, Action.TAKE_OVER, Action.RELEASE))


class Driver:
    """The interfaces of one host."""

    def __init__(
        self,
        host: str,
        store: Store,
        mail: Mail,
        hands: Hands,
        times: Times,
        alone_after: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Drive for ``host``.

        Args:
            host: Its name.
            store: Where ownership is written.
            mail: The way to other hosts.
            hands: Does on this host what has to be done.
            times: How long states wait.
            alone_after: Seconds after which an interface passes of which the store has said nothing yet;
                None for never.
            clock: Seconds that never step back.
        """
        self.host = host
        self.counts: Counter[str] = Counter()
        self.interfaces: dict[Identity, Interface] = {}
        self.here: frozenset[Identity] = frozenset()
        self.open: set[Identity] = set()
        self._mail, self._hands, self._times = mail, hands, times
        self._alone_after = alone_after
        self.clock = clock
        self._timers = Timers()
        self._desk = Desk(host, store, self._answered, time.time_ns)
        self._exchange = Exchange(host, mail, hands, self.counts)
        self.reports = Reports(hands, mail, times.conflict)
        self.apply = Shared(hands.apply)
        self.orders = Orders(self)
        self._waiting: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._tasks: asyncio.TaskGroup | None = None
        self._incoming = Incoming(self, self._exchange)
        self._acts = Acts(self, mail, hands, self._exchange)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for start in self._waiting:
                    tasks.create_task(start())
                self._waiting.clear()
                self._take_up()
                while True:
                    await self._timers.wait(self.clock(), _LONGEST)
                    self.fire(self.clock())
        finally:
            self._tasks = None  # what is to be done meanwhile waits for the next run

    def _take_up(self) -> None:
        """Go on with what was not done when an earlier run has failed."""
        for one in list(self.interfaces.values()):
            one.fetching = ""
            if one.request is not None:
                self._request(one, one.request)
            self.go_on(one)

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have something done beside everything else."""
        if self._tasks is None:
            self._waiting.append(work)
        else:
            self._tasks.create_task(work())

    # What is plugged in, and who may pass.

    def resume(self, passing: Mapping[Identity, int]) -> None:
        """Go on with what passed before a restart; to be called before :meth:`admit`."""
        for identity, revision in passing.items():
            one = self.interfaces[identity] = Interface(identity)
            one.machine.resume(revision)
            one.owner = self.host
            self.open.add(identity)
        self.here = frozenset(passing)

    def admit(self, found: Iterable[Identity]) -> set[Identity]:
        """Take note of who is plugged in on this host; gives those of them who may not pass."""
        before, self.here = self.here, frozenset(found)
        for identity in before - self.here:
            if identity in self.interfaces:
                self.feed(self.interfaces[identity], Event.UNPLUGGED)
        for identity in self.here - before:
            one = self.interface(identity)
            one.plugged, one.expecting, one.heard, one.seized = self.clock(), 0.0, False, False
            one.told.clear()
            self.feed(one, Event.PLUGGED)
        return {identity for identity in self.here if not self.passes(identity)}

    def passes(self, identity: Identity) -> bool:
        """Tell whether an interface may pass here."""
        return identity in self.open or (identity in self.interfaces and self.interfaces[identity].alone)

    def interface(self, identity: Identity) -> Interface:
        """Give what is known of an interface."""
        if identity not in self.interfaces:
            self.interfaces[identity] = Interface(identity, since=self.clock())
        return self.interfaces[identity]

    # What happens.

    def feed(self, one: Interface, event: Event, *, attempt: int = 0, revision: int = 0) -> None:
        """Tell an interface's machine of an event, and have done what follows."""
        machine, before = one.machine, one.machine.state
        actions = machine.feed(event, attempt=attempt, revision=revision)
        if machine.state is not before:
            one.since = self.clock()
        self._tidy(one, before)
        for action in actions:
            if action is Action.TIMER:
                self._timers.start(one.identity, machine.timer, self.clock() + self._times.of(machine.state))
            else:
                one.todo.append(Todo(action, machine.attempt, machine.promised))
        self.reports.happened(one, before, event, self.clock())
        if machine.state is State.EXPECTING and before is not State.EXPECTING:
            self.orders.rob_the_dead(one)
        self.go_on(one)

    def _tidy(self, one: Interface, before: State) -> None:
        """Take back what holds in some states only."""
        state = one.machine.state
        if one.alone and state not in {State.CLAIMING, State.WAITING, State.OWNER}:
            one.alone = False
            self.start(self.apply)
        if state in {State.EXPECTING, State.WAITING}:
            one.seized = False
        if before is State.OFFERING and state is State.OWNER:
            one.sent.clear()

    def go_on(self, one: Interface) -> None:
        """Do what there is to do for an interface, or forget one of which nothing is left."""
        if one.todo and not one.working:
            one.working = True
            self.start(lambda: self._work(one))
        elif one.idle and one.identity not in self.here:
            self.interfaces.pop(one.identity, None)

    async def _work(self, one: Interface) -> None:
        """Carry out an interface's actions in their order."""
        try:
            while one.todo:
                todo = one.todo.popleft()
                if todo.action in _REQUESTS:
                    self._request(one, todo)
                else:
                    await self._acts.do(todo.action, one)
        finally:
            one.working = False
        self.go_on(one)

    def _request(self, one: Interface, todo: Todo) -> None:
        one.request = todo
        if not one.storing:
            one.storing = True
            self.start(lambda: self._desk_work(one))

    async def _desk_work(self, one: Interface) -> None:
        await self._desk.work(one)
        self.go_on(one)

    def _answered(self, one: Interface, event: Event, attempt: int, revision: int) -> None:
        """Take the store's answer."""
        if event is not Event.NO_STORE:
            one.heard = True
        if event is Event.WON:
            if attempt == one.machine.attempt:
                one.seen, one.owner = max(one.seen, revision), self.host
            self.counts["written"] += 1
        self.feed(one, event, attempt=attempt, revision=revision)

    def fire(self, now: float) -> None:
        """Let timers run out, and interfaces pass that have waited long enough for a store's first word."""
        for identity, number in self._timers.due(now):
            one = self.interfaces.get(identity)
            if one is None or number != one.machine.timer:
                continue
            if one.fetching and one.machine.state is State.EXPECTING and now - one.since < _FETCHING:
                self._timers.start(identity, number, now + self._times.expecting)
                continue
            self.feed(one, Event.TIMEOUT, attempt=number)
        if self._alone_after is not None:
            self._let_pass(now, self._alone_after)

    def _let_pass(self, now: float, after: float) -> None:
        states = {State.CLAIMING, State.WAITING}
        for identity in self.here - self.open:
            one = self.interfaces[identity]
            late = not one.heard and now - one.plugged >= after
            if late and not one.alone and one.machine.state in states:
                one.alone = True
                self.reports.alone(one)
                self.start(self.apply)

    # What comes from the store and from other hosts.

    def record(self, record: Record, revision: int) -> None:
        """Take a record that was seen; older ones than those acted upon do not count."""
        one = self.interfaces.get(record.identity)
        if one is None:
            if record.host != self.host or len(self.interfaces) >= MAX_INTERFACES:
                return
            one = self.interface(record.identity)
        if revision <= one.seen:
            self.counts["stale"] += 1
            return
        one.seen, one.owner, one.heard = revision, record.host, True
        if one.machine.passes and record.host != self.host and record.at < one.wrote:
            self.counts["old"] += 1  # put there from old data: nobody who takes over writes an earlier time
            self.feed(one, Event.RECORD_GONE)
            return
        if record.host == self.host:
            self.feed(one, Event.RECORD_OURS, revision=revision)
        else:
            self.feed(one, Event.RECORD_GONE if record.host == NOBODY else Event.RECORD_OTHER)

    def odd(self, identity: Identity, revision: int) -> None:
        """Take note of a record that makes no sense: whoever passes writes it anew."""
        one = self.interfaces.get(identity)
        if one is not None and revision > one.seen and one.machine.passes:
            one.seen = revision
            self.feed(one, Event.RECORD_GONE)

    def complete(self, found: Mapping[Identity, int]) -> None:
        """Take note of all records that the store has, with revisions.

        Where one that was acted upon is gone, or an older one is in its place, the store has lost data:
        whoever passes writes its own anew.
        """
        for identity, one in list(self.interfaces.items()):
            revision = found.get(identity, 0)
            lost = revision < one.seen
            if lost:
                self.counts["lost data"] += 1
                one.seen = revision
            if not revision or (lost and one.machine.passes):
                one.owner = NOBODY
                self.feed(one, Event.RECORD_GONE)

    def connected(self) -> None:
        """Try again at once what waits for the store."""
        for one in list(self.interfaces.values()):
            if one.machine.state is State.WAITING:
                self.feed(one, Event.TIMEOUT, attempt=one.machine.timer)

    def said(self, sender: str, message: Message) -> None:
        """Take what another host has said."""
        self._incoming.said(sender, message)

    def piece(self, sender: str, wanted: Wanted) -> bytes:
        """Give a piece of what was announced to a host; empty where it was not."""
        return self._exchange.piece(self.interfaces.values(), sender, wanted)
