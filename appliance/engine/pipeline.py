"""The engine's parts and the steps that several stages share."""

from __future__ import annotations

from appliance.config.settings import Settings
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import Decoder, embedded
from appliance.detect.detector import Detector
from appliance.engine import applog, inspection, lifecycle
from appliance.engine.counters import Counters
from appliance.engine.stages import STAGES
from appliance.engine.work import Work
from appliance.firewall.firewall import Firewall
from appliance.flow.defrag import Defragmenter
from appliance.flow.related import Expectations, IcmpErrors
from appliance.flow.table import FlowTable
from appliance.inventory.registry import Registry
from appliance.model.chunk import Chunk
from appliance.model.event import Event
from appliance.model.flow import F_BYPASS, F_DROPPED, Flow
from appliance.model.packet import Packet
from appliance.model.verdict import Verdict
from appliance.policy.bound import BoundPolicies
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

    def run(self, work: Work) -> None:
        """Take one packet through the stages, until one of them stops it."""
        self.counters.layers(work.packet)
        for _, stage in STAGES:
            if stage(self, work):
                break
        lifecycle.conclude(self, work)

    def run_rebuilt(self, work: Work, packet: Packet) -> None:
        """Take a datagram put together from fragments through the stages; its verdict is the fragment's."""
        inner = Work(packet, work.now, work.events, work.trace)
        packet.src_if, packet.dst_if = work.packet.src_if, work.packet.dst_if
        self.run(inner)
        if packet.inner is not None:
            self.run_rebuilt(inner, packet.inner)
        work.flow = inner.flow
        work.decide(inner.decision, inner.rule)

    def flow_of(self, work: Work) -> Flow | None:
        """Find or open the packet's flow, and count the packet in."""
        packet = work.packet
        flow = self.table.lookup(packet, work.now)
        if flow is None:
            flow = self.open_flow(work)
        if flow is not None:
            self.table.touch(flow, packet, work.now)
        work.flow = flow
        return flow
