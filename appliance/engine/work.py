"""What is known of one packet while it passes the stages."""

from __future__ import annotations

from typing import Any

import cython

from appliance.model.chunk import Chunk
from appliance.model.event import Event
from appliance.model.flow import Flow
from appliance.model.origin import Origin
from appliance.model.packet import Packet
from appliance.model.verdict import ACCEPTED, Decision


class Trace:
    """Lines of ``eastwall explain``: (stage, decision, why)."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def add(self, stage: str, decision: str, why: str = "") -> None:
        """Write down what a stage decided and the rule or setting behind it."""
        self.lines.append((stage, decision, why))


@cython.no_gc
@cython.freelist(8)
@cython.cclass
class Work:
    """One packet on its way: stages read and fill this, in the order of the pipeline.

    ``decision`` only ever gets stricter. ``inspect`` is cleared by a stage that takes the packet
    out of inspection, ``usable`` by one that keeps it from streams and parsers (a bad checksum).
    ``related`` is the flow that an ICMP error is about. ``origin`` is where the frame was, if that is known.
    """

    __slots__ = (
        "chunks",
        "decision",
        "events",
        "flow",
        "inspect",
        "new_flow",
        "now",
        "origin",
        "packet",
        "related",
        "rule",
        "stream_events",
        "trace",
        "usable",
    )

    def __init__(self, packet: Packet, now: int, events: list[Event], trace: Trace | None = None) -> None:
        self.begin(packet, now, events, trace)

    def begin(self, packet: Packet, now: int, events: list[Event], trace: Trace | None) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.packet: Packet = packet
        self.now: int = now
        self.events: list[Event] = events
        self.trace: Trace | None = trace
        self.origin: Origin | None = None
        self.flow: Flow | None = None
        self.related: Flow | None = None
        self.new_flow: bool = False
        self.decision: Decision = ACCEPTED
        self.rule: Any = None
        self.inspect: bool = True
        self.usable: bool = True
        self.chunks: list[Chunk] | None = None
        self.stream_events: list[str] | None = None

    def decide(self, decision: Decision, rule: Any = None) -> None:
        """Take ``decision`` if it is stricter than what was decided so far."""
        if decision.verdict > self.decision.verdict:
            self.decision = decision
            self.rule = rule

    def note(self, stage: str, decision: str, why: str = "") -> None:
        """Explain a step, when somebody asked for explanations."""
        if self.trace is not None:
            self.trace.add(stage, decision, why)


@cython.no_gc
@cython.freelist(8)
@cython.cclass
class Result:
    """Verdict of one frame, with everything there is to report about it.

    ``mark`` says what the kernel may do by itself with the rest of the connection, in its own directions: see
    :mod:`appliance.model.mark`. It is 0 without an origin.
    """

    __slots__ = ("decision", "events", "flow", "mark", "packet")

    def __init__(self, packet: Packet, flow: Flow | None, decision: Decision, events: list[Event]) -> None:
        self.begin(packet, flow, decision, events)

    def begin(self, packet: Packet, flow: Flow | None, decision: Decision, events: list[Event]) -> None:
        """Set all fields."""
        self.packet: Packet = packet
        self.mark: int = 0
        self.flow: Flow | None = flow
        self.decision: Decision = decision
        self.events: list[Event] = events
