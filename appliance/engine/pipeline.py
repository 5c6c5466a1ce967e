"""The engine's parts and the steps that several stages share."""

from __future__ import annotations

from appliance.config.settings import Settings
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import Decoder
from appliance.detect.detector import Detector
from appliance.engine import applog, inspection, lifecycle
from appliance.engine.counters import Counters
from appliance.engine.rulechoice import RuleChoice
from appliance.engine.stages import STAGES
from appliance.engine.work import Work
from appliance.firewall.bound import BoundPolicies
from appliance.firewall.firewall import Firewall
from appliance.flow.defrag import Defragmenter
from appliance.flow.related import Expectations
from appliance.flow.table import FlowTable
from appliance.inventory.registry import Registry
from appliance.model.chunk import Chunk
from appliance.model.event import Event
from appliance.model.flow import F_PASSED, Flow
from appliance.model.packet import PROTO_TCP, Packet
from appliance.protocols.session import AppLayer
from appliance.stream.tracker import TcpTracker


class Pipeline:
    """What the stages work with. Optional parts are None when nobody asked for them.

    The parts are made by :func:`appliance.engine.build.build_pipeline`; all state that outlives a
    packet is in them.
    """

    def __init__(
        self,
        settings: Settings,
        decoder: Decoder,
        checksums: Checksums,
        defrag: Defragmenter,
        table: FlowTable,
        tracker: TcpTracker,
        app: AppLayer,
    ) -> None:
        self.settings = settings
        self.decoder = decoder
        self.checksums = checksums
        self.defrag = defrag
        self.table = table
        self.tracker = tracker
        self.app = app
        self.expectations = Expectations(settings.flow)
        self.counters = Counters()
        self.registry: Registry | None = None
        self.bound: BoundPolicies | None = None
        self.firewall: Firewall | None = None
        self.detector: Detector | None = None
        self.choice: RuleChoice | None = None

    def run(self, work: Work) -> None:
        """Take one packet through the stages, until one of them stops it."""
        self.counters.layers(work.packet)
        for _, stage in STAGES:
            if stage(self, work):
                break
        lifecycle.conclude(work)

    def run_rebuilt(self, work: Work, packet: Packet) -> None:
        """Take a datagram put together from fragments through the stages; its verdict is the fragment's."""
        whole = Work(packet, work.now, work.events, work.trace)
        self.run(whole)
        self.run_inside(whole)
        work.flow = whole.flow
        work.decide(whole.decision, whole.rule)

    def run_inside(self, work: Work) -> None:
        """Take the packets inside a tunnel through the stages; the strictest verdict is the outer one's."""
        inner = work.packet.inner
        while inner is not None:
            inside = Work(inner, work.now, work.events, work.trace)
            self.run(inside)
            work.decide(inside.decision, inside.rule)
            inner = inner.inner

    def open_flow(self, work: Work) -> Flow | None:
        """Open the packet's flow; None when it opens none, or the table is full of flows in use."""
        flow = self.table.create(work.packet, work.now)
        self.end_flows(self.table.drain(), work)
        if flow is None:
            return None
        work.new_flow = True
        self.counters.new_flow(flow)
        met = self.expectations.match(flow, work.now)
        if met is not None:
            self.app.expect(flow, met.kind, met.carried, work.now)
        return flow

    def reopen(self, work: Work, old: Flow) -> Flow | None:
        """End a closed connection whose ports are used again, and open the new one."""
        packet = work.packet
        flow = self.table.reopen(old, packet, work.now)
        self.end_flows(self.table.drain(), work)
        if flow is not None:
            self.counters.new_flow(flow)
            self.table.touch(flow, packet, work.now)
        work.flow = flow
        return flow

    def end_flows(self, flows: list[Flow], work: Work) -> None:
        """Report flows that ended because this packet came."""
        for flow in flows:
            lifecycle.end_flow(self, flow, work.now, flow.end_reason, work.events)

    def feed(self, flow: Flow, chunk: Chunk, now: int) -> None:
        """Hand a piece of a stream to its parser and to the rules that look at streams."""
        if flow.flags & F_PASSED == 0 and self.detector is not None:
            self.detector.stream_data(flow, chunk)
        self.app.data(flow, chunk, now)
        self.announce(flow, now)

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

    def log_app(self, flow: Flow, now: int, packet: Packet | None, events: list[Event]) -> None:
        """Report what is new in the application layer of a flow."""
        applog.log_app(self, flow, now, packet, events)
