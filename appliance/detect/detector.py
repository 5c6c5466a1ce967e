"""Inspection of packets, streams and transactions with a ruleset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.alerts import Finisher
from appliance.detect.context import Context
from appliance.detect.frames import FrameInspector
from appliance.detect.guess import guess
from appliance.detect.handover import RuleNames, Translations
from appliance.detect.headers import established
from appliance.detect.packetinspect import PacketInspector
from appliance.detect.profile import Profile
from appliance.detect.state import FlowDetect
from appliance.detect.threshold import Thresholds
from appliance.detect.txinspect import TxInspector
from appliance.model.app import COMPLETE
from appliance.model.flow import F_DROPPED, F_FROZEN, F_PASSED
from appliance.model.packet import Packet
from appliance.model.tcp import S_MIDSTREAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.config.settings import DetectSettings
    from appliance.detect.result import Detection, Filter, Match
    from appliance.detect.ruleset import Ruleset
    from appliance.model.chunk import Chunk
    from appliance.model.flow import Flow
    from appliance.rulelang.thresholds import ThresholdConfig

_OVER = F_DROPPED | F_PASSED | F_FROZEN


class Detector:
    """Evaluates one ruleset; keeps thresholds and host bits, everything else is on the flow."""

    __slots__ = (
        "_finisher",
        "_found",
        "_frames",
        "_packets",
        "_tagged",
        "_transactions",
        "_translations",
        "_window",
        "ctx",
        "names",
        "profile",
        "ruleset",
        "settings",
        "thresholds",
        "with_frames",
    )

    def __init__(
        self,
        ruleset: Ruleset,
        settings: DetectSettings,
        thresholds: ThresholdConfig | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """Prepare to inspect.

        Args:
            ruleset: what :func:`appliance.detect.compiler.compile_rules` made.
            settings: the same settings.
            thresholds: what the threshold file says.
            clock: gives a running time in ns; rules are then profiled in :attr:`profile`.
        """
        self.ruleset = ruleset
        self.settings = settings
        self._window: int = settings.window
        self.with_frames: bool = bool(ruleset.frame_rules)  # else :attr:`frames` is always empty
        self.ctx = Context()
        self.thresholds = Thresholds(thresholds)
        self.profile = Profile(clock) if clock is not None else None
        self._packets = PacketInspector(ruleset, settings, self.ctx, self.profile)
        self._transactions = TxInspector(ruleset, settings, self.ctx, self._packets, self.profile)
        self._frames = FrameInspector(ruleset, self.ctx, self._packets)
        self._finisher = Finisher(settings, self.thresholds)
        self._tagged: Any = self._finisher.tags.held
        self._found: list[Match] = []  # one list for all packets that no rule matches
        self.names = RuleNames(ruleset)
        self._translations = Translations(self.names)

    @property
    def counters(self) -> dict[str, int]:
        """Counters of detection by dotted name."""
        return self.ctx.counters

    def stream_data(self, flow: Flow, chunk: Chunk) -> None:
        """Keep the next piece of a stream for the next packet that is inspected in its direction."""
        if flow.flags & _OVER:
            return
        self._state(flow).made(chunk.direction).add(chunk)

    def inspect(
        self,
        packet: Packet,
        flow: Flow | None,
        now: int,
        inline: bool = False,
        events: list[str] | None = None,
        allowed: Filter | None = None,
    ) -> Detection | None:
        """Inspect one packet, what has come of its stream and the transactions of its direction.

        Args:
            packet: the decoded packet; for pseudo packets its payload is not looked at.
            flow: its flow, None when it has none.
            now: nanoseconds since the epoch.
            inline: whether verdicts are carried out; the flow is then marked dropped.
            events: names of stream events of this packet, without "stream.".
            allowed: rules that are on, and their actions, None for all as they are.

        Returns:
            What was found, None when nothing was.
        """
        ctx = self.ctx
        state = None
        if self.with_frames and self._frames.done:
            self._frames.done = []
        if flow is not None:
            if flow.flags & _OVER:
                return None
            state = self._state(flow)
            if state.ended:
                return None
        ctx.start(packet, flow, now, packet.direction)
        ctx.established = _established(packet, flow, state)
        ctx.events = events
        if ctx.replaces:
            ctx.replaces = []
        found = self._found
        if found:  # of the packet before
            found = self._found = []
        keep = 0
        self._packets.enforcing = inline
        self._packets.inspect(state, allowed, found)
        if found and flow is not None:
            limits = self.settings.guess_limit
            guess(found, ctx, self.ruleset, streams=self.settings.guess_tx, limit=limits)
        if state is not None:
            app = flow.app if flow is not None else None
            if app is not None and app.parser is not None:
                self._transactions.inspect(state, allowed, found)
                if self.with_frames:
                    keep = self._frames.inspect(state, allowed, found)
            tail = state.tail(packet.direction)
            if tail is not None:
                tail.settle(max(self._window, keep))
            if app is not None:
                state.noted = len(app.events)
        if not found:
            return None
        return self._finisher.finish(found, ctx, inline, allowed, self.ruleset)

    def finish(
        self, flow: Flow, direction: int, now: int, allowed: Filter | None = None
    ) -> tuple[Packet, Detection | None]:
        """Inspect what is left of one direction when the flow ends.

        Gives what was found and the pseudo packet, of no bytes, that it was found with.
        """
        packet = pseudo_packet(flow, direction, now)
        return packet, self.inspect(packet, flow, now, False, None, allowed)

    def log_frames(self) -> None:
        """Collect frames from now on, also those that no rule asks for."""
        self._frames.log = True
        self.with_frames = True

    @property
    def frames(self) -> list[tuple[str, dict[str, object]]]:
        """Frames that were completed by the packet inspected last, as (protocol, description)."""
        return self._frames.done

    def tagged(self, packet: Packet, flow: Flow | None, now: int) -> bool:
        """Tell whether an alert before this packet wants it recorded; to be asked once, before inspection."""
        return bool(self._tagged) and self._finisher.tags.follow(packet, flow, now)

    def follows(self, flow: Flow) -> bool:
        """Tell whether packets of the flow are to be recorded because of an alert before."""
        return bool(self._tagged) and self._finisher.tags.tagged(flow)

    def adopt(self, old: Detector) -> None:
        """Take over what outlives a change of rules: bits of hosts, thresholds, tags, values that were added.

        Counters of thresholds go with their rules. Flows follow one by one, with :meth:`renew`.
        """
        self.ctx.counters = old.ctx.counters
        self.thresholds.adopt(old.thresholds, self.names)
        self._finisher.tags = old._finisher.tags
        self._tagged = self._finisher.tags.held
        if self.ruleset is old.ruleset:
            self.names = old.names
            self._translations = Translations(self.names)
            return
        self.ruleset.world.hosts.adopt(old.ruleset.world.hosts)
        self.ruleset.world.datasets.adopt(old.ruleset.world.datasets)

    def renew(self, flow: Flow) -> None:
        """Bring a flow that other rules looked at under the rules in force; stream bytes stay."""
        state = flow.detect
        if state is not None and state.names is not self.names:
            if state.names is None:
                state.names = self.names
            else:
                self._translations.of(state.names).apply(flow, state)

    def flow_ended(self, flow: Flow) -> None:
        """Forget the flow."""
        if self._tagged:
            self._finisher.tags.forget(flow)
        flow.detect = None
        app = flow.app
        if app is not None and app.parser is not None:
            for tx in app.parser.transactions:
                tx.inspected = None
                tx.matched = None

    def tx_done(self, flow: Flow) -> None:
        """Release what is kept for transactions whose both directions were inspected to their end."""
        app = flow.app
        if app is None or app.parser is None:
            return
        for tx in app.parser.transactions:
            if tx.skip[0] and tx.skip[1] and min(tx.progress) >= COMPLETE:
                tx.inspected = None

    def _state(self, flow: Flow) -> FlowDetect:
        """Give detection's part of the flow."""
        state = flow.detect
        if state is None:
            state = flow.detect = FlowDetect.__new__(FlowDetect)
            state.begin(self.names)
        return state  # type: ignore[no-any-return]


def _established(packet: Packet, flow: Flow | None, state: FlowDetect | None) -> bool:
    """Tell whether the connection was established when the packet came.

    The ACK that ends a TCP handshake is not part of what it establishes, unless it brings data.
    """
    if flow is None or state is None:
        return False
    now = established(flow)
    before, state.established = state.established, now
    if not state.inspected:
        # Rules came late, or the flow from another host: its beginning was not seen here.
        state.inspected = True
        before = now and flow.pkts_ts + flow.pkts_tc not in {1, 2}
    tcp = flow.tcp
    if tcp is None or packet.payload_len or packet.pseudo or tcp.flags & S_MIDSTREAM:
        return now
    return before


def pseudo_packet(flow: Flow, direction: int, now: int) -> Packet:
    """Make a packet without bytes that goes in one direction of a flow."""
    packet = Packet(b"", 0, now, 0)
    ends = ((flow.client, flow.cport), (flow.server, flow.sport))
    packet.src, packet.sport = ends[direction]
    packet.dst, packet.dport = ends[1 - direction]
    packet.ip_version = flow.ip_version
    packet.proto = flow.proto
    packet.vlans = flow.vlans
    packet.flow = flow
    packet.direction = direction
    packet.pseudo = True
    return packet
