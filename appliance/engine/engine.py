"""The engine: frames in, verdicts and events out. The same one inline, on a tap and in replay."""

from __future__ import annotations

from appliance.engine.lifecycle import end_flow
from appliance.engine.pipeline import Pipeline
from appliance.engine.work import Result, Trace, Work
from appliance.model.event import Event, StatsEvent
from appliance.model.packet import Packet

_TICK = 1_000_000_000  # ns between looks at flows that have timed out
_EXPIRE_LIMIT = 1024  # flows ended in one look, so that no packet waits long


class Engine:
    """Processes frames one at a time; reads no clock and opens nothing.

    ``now`` is in nanoseconds since the epoch and may step backwards, as captures do. Frames are
    numbered from 1. The engine never raises, whatever the frame.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        """Run the given parts; :func:`appliance.engine.build.build_pipeline` makes them."""
        self.pipeline = pipeline
        self._next_tick = 0
        self._last = 0

    def process(
        self, frame: bytes, linktype: int, now: int, number: int, wirelen: int = -1, trace: Trace | None = None
    ) -> Result:
        """Judge one frame, with every packet inside it; the strictest verdict is the frame's."""
        events: list[Event] = []
        if now >= self._next_tick:
            events.extend(self.tick(now))
        self._last = now
        pipe = self.pipeline
        packet = pipe.decoder.decode(frame, linktype, now, number, wirelen)
        pipe.counters.frame(packet)
        work = self._run(packet, now, events, trace)
        pipe.counters.verdict(work.decision)
        return Result(packet, work.flow, work.decision, events)

    def _run(self, packet: Packet, now: int, events: list[Event], trace: Trace | None) -> Work:
        first = work = Work(packet, now, events, trace)
        self.pipeline.run(work)
        inner = packet.inner
        while inner is not None:
            inner.src_if, inner.dst_if = packet.src_if, packet.dst_if
            work = Work(inner, now, events, trace)
            self.pipeline.run(work)
            first.decide(work.decision, work.rule)
            inner = inner.inner
        return first

    def tick(self, now: int) -> list[Event]:
        """End the flows that have timed out by ``now``; call it once a second or so when idle."""
        self._next_tick = now + _TICK
        events: list[Event] = []
        for flow in self.pipeline.table.expire(now, _EXPIRE_LIMIT):
            end_flow(self.pipeline, flow, now, "timeout", events)
        return events

    def finish(self, now: int | None = None) -> list[Event]:
        """End every flow: the capture is over, or the appliance stops."""
        at = self._last if now is None else now
        events: list[Event] = []
        for flow in self.pipeline.table.flush():
            end_flow(self.pipeline, flow, at, "shutdown", events)
        events.append(StatsEvent(at, self.counters()))
        return events

    def counters(self) -> dict[str, int]:
        """Give all totals by dotted name."""
        return dict(self.pipeline.counters.values)
