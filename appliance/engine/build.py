"""Make a pipeline out of settings, inventory, policies and rules."""

from __future__ import annotations

from collections.abc import Callable

from appliance.config.settings import AppSettings, Settings
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import Decoder
from appliance.detect.detector import Detector
from appliance.detect.ruleset import Ruleset
from appliance.engine.hostos import HostOs
from appliance.engine.pipeline import Pipeline
from appliance.engine.rulechoice import RuleChoice
from appliance.engine.settle import let_go, records_applications
from appliance.engine.wanted import (
    records_frames,
    wanted_protocols,
    with_depth,
    with_files,
    with_frames,
    with_needs,
)
from appliance.firewall.bound import BoundPolicies
from appliance.firewall.firewall import Firewall
from appliance.flow.defrag import Defragmenter
from appliance.flow.table import FlowTable
from appliance.inventory.inventory import Inventory
from appliance.inventory.registry import Registry
from appliance.protocols.session import AppLayer
from appliance.rulelang.thresholds import ThresholdConfig
from appliance.stream.tracker import TcpTracker


def build_pipeline(
    settings: Settings,
    *,
    inventory: Inventory | None = None,
    registry: Registry | None = None,
    bound: BoundPolicies | None = None,
    ruleset: Ruleset | None = None,
    thresholds: ThresholdConfig | None = None,
    clock: Callable[[], int] | None = None,
    magic: Callable[[bytes], str] | None = None,
) -> Pipeline:
    """Make every part once; parts that nobody asked for stay None and cost nothing.

    ``clock`` gives a running time in ns and turns rule profiling on. ``magic`` names the type of a file from
    its first bytes; it is asked only where rules or outputs want to know. ``registry`` is that of the
    inventory, where there is one already: to make one of many interfaces takes a while.
    """
    host_os = HostOs(settings.host_os, inventory)
    needs = ruleset.needs if ruleset is not None else frozenset()
    app: AppSettings = with_files(
        with_frames(with_needs(settings.app, needs), settings.eve),
        settings.file_store,
        settings.stream,
        magic,
    )
    pipe = Pipeline(
        settings,
        Decoder(settings.decode),
        Checksums(settings.decode.checksums),
        Defragmenter(settings.defrag, host_os.of),
        FlowTable(settings.flow),
        TcpTracker(with_depth(settings.stream, settings.file_store), host_os.of),
        AppLayer(app, wanted_protocols(settings, ruleset, bound)),
    )
    pipe.recorded = records_applications(settings.eve)
    if settings.eve:
        pipe.types = frozenset().union(*(one.types for one in settings.eve))
    pipe.file_drain.recorded = pipe.types is None or "files" in pipe.types or settings.file_store.enabled
    pipe.let_go = let_go(settings.app)
    pipe.file_drain.patient = "store" in needs
    if inventory is not None:
        pipe.registry = registry if registry is not None else Registry(inventory)
    if bound is not None and not bound.empty:
        pipe.bound = bound
        pipe.firewall = Firewall(bound, settings)
    if pipe.firewall is None:  # a policy goes by who has opened a connection, whatever it carries
        pipe.app.turn = pipe.turn
    if ruleset is not None and (len(ruleset) or records_frames(settings.eve)):
        pipe.detector = Detector(ruleset, settings.detect, thresholds, clock)
        pipe.choice = RuleChoice([signature.rule for signature in ruleset.signatures])
        if records_frames(settings.eve):
            pipe.detector.log_frames()
    pipe.inspects = pipe.detector is not None or pipe.recorded
    return pipe
