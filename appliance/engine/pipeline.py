"""The engine's parts and the steps that several stages share."""

from __future__ import annotations

from typing import TypeVar

from appliance.config.settings import Settings
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import Decoder
from appliance.detect.detector import Detector
from appliance.engine import applog, lifecycle
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
from appliance.model.packet import TOSERVER, Packet
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
        lifecycle.conclude(self, work)

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
        """Open the packet's flow; None when the table is full of flows in use."""
        packet = work.packet
        flow = self.table.create(packet, work.now)
        for gone in self.table.drain():
            lifecycle.end_flow(self, gone, work.now, gone.end_reason, work.events)
        if flow is None:
            return None
        work.new_flow = True
        self.counters.new_flow(flow)
        sent = packet.direction == TOSERVER
        flow.client_if, flow.server_if = _ordered(sent, packet.src_if, packet.dst_if)
        flow.ether_client, flow.ether_server = _ordered(sent, packet.eth_src, packet.eth_dst)
        self._meet_expectation(flow, work)
        return flow

    def _meet_expectation(self, flow: Flow, work: Work) -> None:
        """A connection that another one announced is related to it, and its protocol is known."""
        met = self.expectations.match(flow, work.now)
        if met is not None:
            flow.parent = met.parent
            self.app.expect(flow, met.kind, met.carried, work.now)

    def reopen(self, work: Work, old: Flow) -> Flow | None:
        """End a closed connection whose ports are used again, and open the new one."""
        self.table.remove(old)
        lifecycle.end_flow(self, old, work.now, "timeout", work.events)
        work.packet.flow = None
        flow = self.open_flow(work)
        if flow is not None:
            self.table.touch(flow, work.packet, work.now)
        work.flow = flow
        return flow

    def feed(self, flow: Flow, chunk: Chunk, now: int) -> None:
        """Hand a piece of a stream to its parser and to the rules that look at streams."""
        if flow.flags & F_PASSED == 0 and self.detector is not None:
            self.detector.stream_data(flow, chunk)
        self.app.data(flow, chunk, now)
        state = flow.app
        parser = state.parser if state is not None else None
        if parser is not None and parser.expect:
            for server, port, kind, carried in parser.expect:
                self.expectations.expect(server, port, flow.proto, flow, kind, carried, now)
            parser.expect.clear()

    def detect_only(self, work: Work) -> None:
        """Let the rules see a packet that goes no further: a fragment of a datagram."""
        if self.detector is not None:
            lifecycle.inspect(self, work)

    def log_app(self, flow: Flow, now: int, packet: Packet | None, events: list[Event]) -> None:
        """Report what is new in the application layer of a flow."""
        applog.log_app(self, flow, now, packet, events)


T = TypeVar("T")


def _ordered(forward: bool, first: T, second: T) -> tuple[T, T]:
    return (first, second) if forward else (second, first)
