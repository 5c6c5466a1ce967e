"""The engine's parts and the steps that several stages share."""

from __future__ import annotations

from typing_extensions import override

from appliance.engine import inspection, lifecycle
from appliance.engine.applog import log_app as _log_app
from appliance.engine.parts import Parts
from appliance.engine.settle import orient
from appliance.engine.stages import run_all
from appliance.engine.work import Work
from appliance.model.chunk import Chunk
from appliance.model.event import Event
from appliance.model.flow import F_BYPASS, F_KNOWN, F_PASSED, Flow, FlowState
from appliance.model.packet import PROTO_TCP, TOCLIENT, TOSERVER, Packet
from appliance.model.verdict import ACCEPTED


class Pipeline(Parts):
    """The parts and the stages that use them.

    It is made by :func:`appliance.engine.build.build_pipeline`; all state that outlives a packet is in
    its parts.
    """

    def run(self, work: Work) -> None:
        """Take one packet through the stages, until one of them stops it."""
        self.counters.layers(work.packet)
        run_all(self, work)
        if work.decision is not ACCEPTED:
            lifecycle.conclude(work)

    def run_rebuilt(self, work: Work, packet: Packet) -> None:
        """Take a datagram put together from fragments through the stages; its verdict is the fragment's."""
        whole = Work(packet, work.now, work.events, work.trace)
        whole.origin = work.origin
        self.run(whole)
        self.run_inside(whole)
        work.flow = whole.flow
        work.packet.direction = packet.direction
        work.decide(whole.decision, whole.rule)

    def run_inside(self, work: Work) -> None:
        """Take the packets inside a tunnel through the stages; the strictest verdict is the outer one's."""
        inner = work.packet.inner
        while inner is not None:
            inside = Work(inner, work.now, work.events, work.trace)
            inside.origin = work.origin
            self.run(inside)
            work.decide(inside.decision, inside.rule)
            inner = inner.inner

    @override
    def open_flow(self, work: Work) -> Flow | None:
        """Open the packet's flow; None when it opens none, or the table is full of flows in use."""
        flow = self.table.create(work.packet, work.now)
        if self.table.ended:
            self.end_flows(self.table.drain(), work)
        if flow is None:
            return None
        work.new_flow = True
        flow.generation = self.generation
        self.counters.new_flow(flow)
        if work.origin is not None:
            orient(self, work, flow)
        self.meet(flow, work.now)
        return flow

    def meet(self, flow: Flow, now: int) -> None:
        """Find out whether the flow was announced by another, and as what."""
        if not self.expectations.entries:
            return
        met = self.expectations.match(flow, now)
        if met is not None:
            self.app.expect(flow, met.kind, met.carried, now)

    def reopen(self, work: Work, old: Flow) -> Flow | None:
        """End a closed connection whose ports are used again, and open the new one."""
        packet = work.packet
        flow = self.table.reopen(old, packet, work.now)
        self.end_flows(self.table.drain(), work)
        if flow is not None:
            self.counters.new_flow(flow)
            self.counters.add("flow.tcp_reuse")
            flow.generation = self.generation
            self.table.touch(flow, packet, work.now)
        work.flow = flow
        return flow

    def bypass(self, flow: Flow) -> None:
        """Let a flow pass from here on without following or inspecting it."""
        flow.flags |= F_BYPASS
        flow.state = FlowState.BYPASSED
        self.table.retime(flow)

    def unbypass(self, flow: Flow, work: Work) -> None:
        """Inspect a flow again that a policy of before let pass without."""
        flow.flags &= ~F_BYPASS
        flow.state = FlowState.ESTABLISHED
        self.resume(flow, work.now, work.events)
        self.table.retime(flow)

    def resume(self, flow: Flow, now: int, events: list[Event]) -> None:
        """Begin to follow a flow anew in its middle, since packets of it have passed unseen."""
        if flow.tcp is not None:
            self.tracker.finish(flow)
            flow.tcp = None
        flow.flags |= F_KNOWN
        if flow.app is not None:
            for direction in (TOSERVER, TOCLIENT):
                self.app.end(flow, direction, now)
            _log_app(self, flow, now, None, events)
            self.app.resume(flow)

    def end_flows(self, flows: list[Flow], work: Work) -> None:
        """Report flows that ended because this packet came."""
        for flow in flows:
            lifecycle.end_flow(self, flow, work.now, flow.end_reason, work.events)

    @override
    def feed(self, flow: Flow, chunk: Chunk, now: int) -> None:
        """Hand a piece of a stream to its parser and to the rules that look at streams."""
        detector = self.detector
        if flow.flags & F_PASSED == 0 and detector is not None:
            detector.stream_data(flow, chunk)
        if flow.app is None:
            # What announces a connection may be acknowledged, so read, only after its first packet.
            self.meet(flow, now)
        self.app.data(flow, chunk, now)
        self.announce(flow, now)

    def turn(self, flow: Flow) -> None:
        """Make the client of a flow its server: what it says shows that its first packet was an answer."""
        self.table.swap(flow)
        self.tracker.swap(flow)
        if flow.detect is not None:
            flow.detect.turn()

    @override
    def announce(self, flow: Flow, now: int) -> None:
        """Await the connections that the flow's parser has heard of (the data connections of FTP)."""
        state = flow.app
        parser = state.parser if state is not None else None
        if parser is None or not parser.expect:
            return
        for server, port, kind, carried in parser.expect:
            self.expectations.expect(server or flow.server, port, PROTO_TCP, flow, kind, carried, now)
        parser.expect.clear()

    def detect_only(self, work: Work) -> None:
        """Let the rules see a packet that goes no further: a fragment of a datagram."""
        if self.detector is not None:
            inspection.run_rules(self, work)

    @override
    def log_app(self, flow: Flow, now: int, packet: Packet | None, events: list[Event]) -> None:
        """Report what is new in the application layer of a flow."""
        _log_app(self, flow, now, packet, events)
