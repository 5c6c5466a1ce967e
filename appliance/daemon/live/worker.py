"""A worker: frames from the kernel through its engine, verdicts back, and orders in between."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol

from appliance.capture.base import LiveSource
from appliance.capture.frame import Frame
from appliance.daemon.live.overload import Overload
from appliance.daemon.live.taking import Taking, Takings
from appliance.engine.engine import Engine
from appliance.model.event import Event
from appliance.model.mark import BLOCKED, SETTLED, mark_of
from appliance.model.verdict import ACCEPTED, Verdict

_WAIT = 200  # ms without a packet after which other work is looked at
_GLANCE = 5_000_000  # ns between looks at orders while packets come: a machine that moves waits for some
_TIDY = 10_000_000  # ns between looks at garbage: each goes through what came up since, while packets wait
_LOOK = 50_000_000  # ns between looks at everything else
_SECOND = 1_000_000_000
_REJECT = Verdict.REJECT


class Reports(Protocol):
    """Who takes events, and does not make the worker wait."""

    def write(self, events: list[Event]) -> None:
        """Take events."""

    def flush(self) -> None:
        """Pass on what waits, as far as it goes without waiting."""


class Rejecter(Protocol):
    """Who tells the ends of a rejected packet."""

    def refuse(self, frame: Frame) -> int:
        """Answer one packet; gives how many ends were told."""
        ...


class Worker:
    """The loop. Everything it needs is given to it; it ends when :attr:`stopping` is set.

    ``look`` is called between batches, at least every 5 ms, to carry out orders; every 10 ms ``tidy``, which
    is told whether no packet came for a while; every 50 ms ``ended``, for events of connections that ended in
    the kernel, so that they are few at a time; ``report`` every second.
    """

    def __init__(
        self,
        source: LiveSource,
        engine: Engine,
        reports: Reports,
        rejecter: Rejecter | None,
        overload: Overload,
        clock: Callable[[], int],
        room: int,
    ) -> None:
        """Take the parts; ``clock`` gives ns since the epoch, ``room`` is how many packets a queue holds."""
        self.source: LiveSource = source
        self.engine: Engine = engine
        engine.live = True
        self.reports: Reports = reports
        self.rejecter: Rejecter | None = rejecter
        self.overload: Overload = overload
        self.takings: Takings = Takings()
        self.epoch: int = 0
        self.stopping: bool = False
        self.busy: bool = False  # :attr:`look` has more to do than it did: call it after each batch
        self.frames: int = 0
        self.look: Callable[[], None] = lambda: None
        self.ended: Callable[[int], list[Event]] = lambda _: []
        self.report: Callable[[], None] = lambda: None
        self.tidy: Callable[[bool], None] = lambda _: None
        self._running: dict[int, Taking] = self.takings.running
        self._clock: Callable[[], int] = clock
        self._room: int = room
        self._full: int = source.counters().queue_drops  # an adopted queue's are another's to tell
        self._poll: select.poll = select.poll()
        self._next_glance: int = 0
        self._next_tidy: int = 0
        self._next_look: int = 0
        self._next_report: int = 0
        for fd in source.filenos():
            self._poll.register(fd, select.POLLIN)

    def watch(self, fd: int) -> None:
        """Wake up for another descriptor too: the channel of orders."""
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Take no more notice of a descriptor."""
        self._poll.unregister(fd)

    def run(self) -> None:
        """Judge packets until told to stop."""
        while not self.stopping:
            frames = self.source.receive(0) or self._linger()
            if not frames:
                self.reports.flush()
                idle = not self._poll.poll(0 if self.busy else _WAIT) and not self.busy
                self._others(idle)
                continue
            for frame in frames:
                self._judge(frame)
            self.source.flush()
            self._others(False)

    def _linger(self) -> list[Frame]:
        """Try again for a moment: where there is traffic the next packet is near."""
        tries: int = self.source.tries
        for _ in range(tries):
            frames = self.source.receive(0)
            if frames:
                return frames
        return []

    def _judge(self, frame: Frame) -> None:
        result = self.engine.process(
            frame.data, frame.linktype, frame.now, frame.number, frame.wirelen, None, frame.origin
        )
        bits, decision = result.mark, result.decision
        if self._running and bits & SETTLED and self.takings.wants(frame.origin):
            bits &= BLOCKED  # what is being recorded has to come by here
        self.source.verdict(frame.token, decision, mark_of(bits, self.epoch) if bits else 0)
        if self._running:
            self.takings.take(frame, decision)
        if decision is not ACCEPTED and decision.verdict == _REJECT and self.rejecter is not None:
            self.rejecter.refuse(frame)
        if result.events:
            self.reports.write(result.events)
        self.frames += 1

    def _others(self, idle: bool) -> None:
        """Carry out orders, let time pass for the engine, report: now and then, whatever the traffic."""
        now = self._clock()
        if now >= self._next_glance or self.busy:
            self._next_glance = now + _GLANCE
            self.look()
        if now >= self._next_tidy or idle:
            self._next_tidy = now + _TIDY
            self.tidy(idle)
        if now < self._next_look:
            return
        self._next_look = now + _LOOK
        self.engine.load = self.overload.feed(self._filled(), now)
        self.reports.write(self.ended(now))
        if now >= self._next_report:
            self._next_report = now + _SECOND
            self.reports.write(self.engine.tick(now))
            self.report()
        self.reports.flush()

    def _filled(self) -> int:
        """Tell how full the queue is, in percent, and the engine what found it full."""
        counters = self.source.counters()
        if counters.queue_drops != self._full:
            self.engine.queue_full(counters.queue_drops - self._full)
            self._full = counters.queue_drops
        return counters.waiting * 100 // self._room
