"""The parts that stages work with, as plain attributes of fixed types.

The class stands by itself so that stages know its types without importing the pipeline, which imports them.
"""

from __future__ import annotations

from appliance.config.settings import Settings
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import Decoder
from appliance.detect.detector import Detector
from appliance.engine.appcount import AppCounters
from appliance.engine.counters import Counters
from appliance.engine.filedrain import FileDrain
from appliance.engine.overload import Relief
from appliance.engine.rulechoice import RuleChoice
from appliance.engine.traffic import Traffic
from appliance.engine.work import Work
from appliance.firewall.bound import BoundPolicies
from appliance.firewall.firewall import Firewall
from appliance.flow.defrag import Defragmenter
from appliance.flow.related import Expectations
from appliance.flow.table import FlowTable
from appliance.inventory.registry import Registry
from appliance.model.chunk import Chunk
from appliance.model.event import Event
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.protocols.session import AppLayer
from appliance.stream.tracker import TcpTracker


class Parts:
    """Everything that outlives a packet. Optional parts are None when nobody asked for them."""

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
        self.settings: Settings = settings
        self.prevent: bool = settings.prevent
        self.generation: int = 1  # of policies, inventory and rules; each change of them begins a new one
        self.decoder: Decoder = decoder
        self.checksums: Checksums = checksums
        self.defrag: Defragmenter = defrag
        self.table: FlowTable = table
        self.tracker: TcpTracker = tracker
        self.app: AppLayer = app
        self.expectations: Expectations = Expectations(settings.flow)
        self.counters: Counters = Counters()
        self.file_drain: FileDrain = FileDrain()
        self.traffic: Traffic = Traffic()
        self.load: int = 0  # 0 is normal, 1 inspect less, 2 do not inspect
        self.relief: Relief = Relief()
        self.app_counters: AppCounters = AppCounters(self.counters, app.specs.values())
        # Records ask for what parsers find, and applications that are let go once they are encrypted.
        self.recorded: bool = False
        # Types of records that some output writes; None where nobody has said which.
        self.types: frozenset[str] | None = None
        self.let_go: frozenset[str] = frozenset()
        self.inspects: bool = False  # somebody looks into what passes: rules or records
        self.registry: Registry | None = None
        self.bound: BoundPolicies | None = None
        self.firewall: Firewall | None = None
        self.detector: Detector | None = None
        self.choice: RuleChoice | None = None

    def open_flow(self, work: Work) -> Flow | None:
        """Open a packet's flow: what the pipeline does, named here for the stages."""
        raise NotImplementedError

    def feed(self, flow: Flow, chunk: Chunk, now: int) -> None:
        """Hand on a piece of a stream: what the pipeline does, named here for the stages."""
        raise NotImplementedError

    def announce(self, flow: Flow, now: int) -> None:
        """Await the connections that a flow's parser has heard of."""
        raise NotImplementedError

    def log_app(self, flow: Flow, now: int, packet: Packet | None, events: list[Event]) -> None:
        """Report on a flow's application: what the pipeline does, named here for the stages."""
        raise NotImplementedError
