"""The one loop: frames from a source through the engine, verdicts back, events to whoever reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from appliance.capture.base import Frame, Source
from appliance.engine.engine import Engine
from appliance.model.event import Event
from appliance.model.verdict import Decision

# Called for each frame with its verdict and events; with no frame at the end of the source.
Report = Callable[[Frame | None, Decision | None, list[Event]], None]


def pump(source: Source, engine: Engine, report: Report, frames: Iterable[Frame] | None = None) -> None:
    """Drive ``engine`` until the source ends.

    The verdict goes back before anything is reported, so that no packet waits for a record to be
    written. ``frames`` is the source's own iteration, wrapped by a caller that watches it go by.
    """
    now = 0
    for frame in source if frames is None else frames:
        result = engine.process(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        source.verdict(frame.token, result.decision)
        now = frame.now
        report(frame, result.decision, result.events)
    report(None, None, engine.finish(now))
