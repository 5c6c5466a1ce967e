"""Take in what another engine has exported, trusting nothing: what does not fit is left out and counted.

Flows go on where they were: their TCP state, the bytes that wait, the tail of each stream for signatures
that span the move, flow bits, what was denied. The policies of here judge each at its next packet.
Recognition of an application goes on with the bytes that were held; the parser of one that is known starts
with the next message of the client that shows what it is, unless the tails have the whole conversation, which
is then parsed again.

Of a machine that moves here (``here``) every worker takes in all flows, since nobody can say which of them
will see a flow's packets. They are marked ``F_ADOPTED`` until their first packet, and leave no trace if none
comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect import moving
from appliance.engine.export import APP, JUDGED, SLICE, VERSION
from appliance.firewall.judgement import FOREVER, FlowVerdict, Judgement
from appliance.flow import snapshot
from appliance.flow.fields import Hex, Int, Text
from appliance.model.app import COMPLETE, AppState, Parser
from appliance.model.flow import F_ADOPTED, F_BYPASS, F_DROPPED, F_KNOWN, F_SWAPPED, Flow
from appliance.model.identity import VmInterface
from appliance.model.mark import VERDICT
from appliance.model.verdict import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.engine.pipeline import Pipeline

_COUNT = Int(0, (1 << 63) - 1)
_TEXT = Text(256)
_ADDRESS = Hex((4, 16))
_CLIENT = Hex((0, 4, 16))


class Restorer:
    """Takes slices in, in the order in which they were exported.

    ``counts`` tells how many entries of each kind were taken, and under "refused" how many were not.
    """

    def __init__(
        self, pipe: Pipeline, zone: int | None = None, here: frozenset[tuple[str, str]] | None = None
    ) -> None:
        """Restore into ``pipe``; ``zone`` numbers the network segment here, None where it stays.

        With ``here`` a machine has moved to this host: those are the interfaces (UUID, name) that are on it,
        the one that moves included. Ends elsewhere belong to other hosts. A flow that was known here already,
        since its other end is, goes on as it is: it gets its missing end, and stays dropped if it was.
        """
        self.counts: dict[str, int] = {"refused": 0}
        self._pipe = pipe
        self._zone = zone
        self._here = here
        self._flows: dict[int, Flow] = {}
        self._takers: dict[str, Callable[[Any, int], bool]] = {
            "flows": self._flow,
            "expectations": self._expectation,
            "blocks": self._block,
            "hosts": self._host,
            "thresholds": self._threshold,
        }

    def follow(self, pipe: Pipeline) -> None:
        """Go on with the parts that have taken the place of those before, after a change of documents."""
        self._pipe = pipe

    def take(self, data: object, now: int) -> None:
        """Take one slice in."""
        kind = data.get("kind") if isinstance(data, dict) else None
        taker = self._takers.get(kind) if isinstance(kind, str) else None
        entries = data.get("entries") if isinstance(data, dict) else None
        right = isinstance(data, dict) and data.get("v") == VERSION and isinstance(entries, list)
        if taker is None or not right or not isinstance(entries, list) or len(entries) > SLICE:
            self.counts["refused"] += 1
            return
        for entry in entries:
            counted = kind if isinstance(kind, str) and taker(entry, now) else "refused"
            self.counts[counted] = self.counts.get(counted, 0) + 1

    def _interface(self, uuid: str, name: str) -> VmInterface | None:
        if self._here is not None and (uuid, name) not in self._here:
            return None
        registry = self._pipe.registry
        return registry.find(uuid, name) if registry is not None else None

    def _flow(self, entry: Any, now: int) -> bool:
        if not isinstance(entry, dict) or not Int(0, VERDICT).fits(entry.get("kernel")):
            return False
        pipe, flow = self._pipe, snapshot.restore(entry.get("flow"), self._interface)
        if flow is None or flow.id in self._flows:
            return False
        if self._zone is not None:
            flow.place = self._zone << 32 | (flow.place & 0xFFFFFFFF)
        verdict = _verdict(flow, entry.get("judged"))
        app = _app(pipe, entry.get("app"))
        detect = None
        if pipe.detector is not None and entry.get("detect") is not None:
            detect = moving.restore_flow(pipe.detector, entry["detect"])
            if detect is None:
                return False
        if verdict is None or app is None:
            return False
        flow.flags = flow.flags & ~F_ADOPTED | F_KNOWN
        if self._here is not None:
            if self._meet(flow, verdict.flow):
                return True
            flow.flags |= F_ADOPTED
            flow.generation = pipe.generation - 1  # its first packet here finds that, and binds it
        if not pipe.table.insert(flow):
            return False
        flow.judged, flow.app, flow.detect = verdict.flow, app.state, detect
        pipe.tracker.adopt(flow)
        pipe.table.settle(flow, entry["kernel"])
        if pipe.firewall is not None and flow.judged is not None:
            pipe.firewall.count_again(flow)
        _parse_again(pipe, flow, now)
        self._flows[flow.id] = flow
        parent = entry["flow"].get("parent")
        above = self._flows.get(parent) if isinstance(parent, int) else None
        flow.parent = above if above is not flow and above is not None and above.parent is None else None
        pipe.counters.add("flow.restored")
        return True

    def _meet(self, flow: Flow, judged: FlowVerdict | None) -> bool:
        """Complete a flow that is known here; tells whether there is one.

        What a policy has denied is judged again here; what inspection has dropped stays dropped.
        """
        known = self._pipe.table.twin(flow)
        if known is None or known.flags & F_ADOPTED:
            return known is not None
        same = known.client == flow.client and (known.cport == flow.cport or known.client != known.server)
        ends = (flow.client_if, flow.server_if) if same else (flow.server_if, flow.client_if)
        known.client_if, known.server_if = known.client_if or ends[0], known.server_if or ends[1]
        known.generation = self._pipe.generation - 1
        if known.judged is not None:
            known.judged.epoch = -1
        if flow.flags & F_DROPPED and (judged is None or judged.allowed):
            known.flags |= F_DROPPED
            known.reason, known.action_by = flow.reason, flow.action_by
        self._flows[flow.id] = known
        return True

    def _expectation(self, entry: Any, now: int) -> bool:
        if not isinstance(entry, list) or len(entry) != 7:
            return False
        number, proto, server, port, client, kind, due = entry
        parent = self._flows.get(number) if isinstance(number, int) else None
        if parent is None or not Int(0, 255).fits(proto) or not Int(1, 65_535).fits(port):
            return False
        if not (_ADDRESS.fits(server) and _CLIENT.fits(client) and _TEXT.fits(kind) and _COUNT.fits(due)):
            return False
        if kind not in self._pipe.app.specs or due <= now:
            return False
        return self._pipe.expectations.expect(
            bytes.fromhex(server),
            port,
            proto,
            parent,
            kind,
            None,
            now,
            due - now,
            bytes.fromhex(client) or None,
        )

    def _block(self, entry: Any, now: int) -> bool:
        if not isinstance(entry, list) or len(entry) != 4 or self._pipe.firewall is None:
            return False
        uuid, name, source, until = entry
        if not (_TEXT.fits(uuid) and _TEXT.fits(name) and _ADDRESS.fits(source) and _COUNT.fits(until)):
            return False
        return until > now and self._pipe.firewall.block((uuid, name), bytes.fromhex(source), until)

    def _host(self, entry: Any, now: int) -> bool:
        detector = self._pipe.detector
        return detector is not None and moving.restore_hosts(detector, entry, now, self._zone)

    def _threshold(self, entry: Any, now: int) -> bool:
        detector = self._pipe.detector
        return detector is not None and moving.restore_threshold(detector, entry, now, self._zone)


class _Judged:
    """What was read of a verdict; ``flow`` is None where there was none."""

    __slots__ = ("flow",)

    def __init__(self, flow: FlowVerdict | None) -> None:
        self.flow = flow


class _App:
    """What was read of an application; ``state`` is None where there was none."""

    __slots__ = ("state",)

    def __init__(self, state: AppState | None) -> None:
        self.state = state


def _verdict(flow: Flow, data: object) -> _Judged | None:
    """Make a verdict of no epoch: it says what a policy has decided, and holds for no further packet."""
    if data is None:
        return _Judged(None)
    if not isinstance(data, dict) or not _TEXT.fits(data.get("by")):
        return None
    made = FlowVerdict(-1, Judgement(Verdict.ACCEPT, Reason.NONE), flow.flags & F_SWAPPED != 0, FOREVER)
    if not moving.read_fields(made, JUDGED, data):
        return None
    made.verdict = Verdict(made.verdict)
    made.later = Judgement(made.verdict, Reason.NONE, data["by"])
    return _Judged(made)


def _app(pipe: Pipeline, data: object) -> _App | None:
    if data is None:
        return _App(None)
    state = AppState()
    if not isinstance(data, dict) or not moving.read_fields(state, APP, data):
        return None
    pairs = [data.get(name) for name in ("fed", "position", "done", "ends")]
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return None
    fed, position, done, ends = (list(pair) for pair in pairs if isinstance(pair, list))
    if not all(_COUNT.fits(one) for one in (*fed, *position)):
        return None
    if not all(isinstance(one, bool) for one in (*done, *ends)):
        return None
    state.fed, state.position, state.done, state.ends = fed, position, done, ends
    state.counted = state.proto
    if state.proto:
        state.done = [True, True]
        state.resuming = state.proto in pipe.app.specs and not state.changes
    elif data.get("probe") is not None and not _probe(pipe, state, data["probe"]):
        return None
    return _App(state)


def _probe(pipe: Pipeline, state: AppState, data: object) -> bool:
    if not isinstance(data, list) or len(data) != 2:
        return False
    most = pipe.app.settings.probe_limit + (1 << 16)
    held = [moving.bytes_of(one, most) for one in data]
    state.probe = [one for one in held if one is not None]
    return len(state.probe) == 2


def _parse_again(pipe: Pipeline, flow: Flow, now: int) -> None:
    """Parse a short conversation from its beginning, where the tails of both directions have all of it.

    What is complete was reported and inspected where it was complete; the rest goes on here.
    """
    app, detect = flow.app, flow.detect
    if app is None or detect is None or not app.resuming or flow.flags & (F_BYPASS | F_DROPPED):
        return
    tails = detect.tails
    if any(tail.base or tail.lost for tail in tails) or [tail.end for tail in tails] != app.position:
        return
    pipe.app.reparse(flow, [bytes(tail.data) for tail in tails], now)
    if app.parser is not None:
        _mark_done(app.parser)


def _mark_done(parser: Parser) -> None:
    for tx in parser.transactions:
        if tx.done or min(tx.progress) >= COMPLETE:
            tx.logged, tx.skip = 1, [True, True]
        tx.reported = len(tx.events)
    parser.counted_tx = parser.next_tx
    parser.drop_done(True)
