"""Rules on transactions of the application protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.packetinspect import accept
from appliance.detect.state import RuleState, TxDetect
from appliance.detect.txtests import TxView

if TYPE_CHECKING:
    from appliance.config.settings import DetectSettings
    from appliance.detect.context import Context
    from appliance.detect.packetinspect import PacketInspector
    from appliance.detect.prefilter import PatternTable
    from appliance.detect.profile import Profile
    from appliance.detect.result import Filter, Match
    from appliance.detect.ruleset import Ruleset, TxGroup
    from appliance.detect.signature import Signature
    from appliance.detect.state import TxSide
    from appliance.detect.txtests import BufferKey
    from appliance.model.app import Parser, Transaction

# Rules that one transaction keeps waiting for the rest of their buffers.
PENDING_LIMIT = 4096


class TxInspector:
    """Finds and evaluates the rules that a transaction concerns, as it grows."""

    def __init__(
        self,
        ruleset: Ruleset,
        settings: DetectSettings,
        ctx: Context,
        packets: PacketInspector,
        profile: Profile | None,
    ) -> None:
        """Share ``ctx`` with the other inspectors; ``packets`` knows the payload."""
        self._ruleset = ruleset
        self._settings = settings
        self._ctx = ctx
        self._packets = packets
        self._profile = profile

    def inspect(self, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate the live transactions in the direction of the packet."""
        ctx = self._ctx
        app = ctx.flow.app
        self._parser_events(allowed, found)
        if app.previous is not None:
            # The parser before a change of protocol may hold transactions that were not seen to their end.
            self._parser(app.previous, app.orig, allowed, found)
        self._parser(app.parser, app.proto, allowed, found)
        ctx.tx = None

    def _parser(self, parser: Parser, protocol: str, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate the transactions of one parser, a bounded number of them."""
        ctx = self._ctx
        looked = 0
        for tx in parser.transactions:
            if tx.skip[ctx.direction]:
                continue
            if looked >= self._settings.tx_per_packet:
                ctx.count("detect.tx_limit")
                break
            looked += 1
            self._transaction(tx, protocol, parser.events, allowed, found)

    def _transaction(
        self, tx: Transaction, protocol: str, events: list[str], allowed: Filter | None, found: list[Match]
    ) -> None:
        """Inspect one transaction in one direction."""
        ctx = self._ctx
        ctx.tx = tx
        state = tx.inspected
        if state is None:
            state = tx.inspected = TxDetect()
        direction = ctx.direction
        side = state.sides[direction]
        view = TxView(tx, direction, protocol, events)
        view.payload, view.payload_base = self._packets.payload_view()
        ctx.endian = tx.value("dcerpc.endian") or "big" if protocol in {"dcerpc", "smb"} else "big"
        self._collect(view, state, side, self._ruleset.tx_group(protocol, direction))
        if side.pending or state.both:
            self._evaluate(view, state, side, allowed, found)
        if view.final:
            tx.skip[direction] = True
            side.pending.clear()

    def _collect(self, view: TxView, state: TxDetect, side: TxSide, group: TxGroup) -> None:
        """Add the rules that buffers, events or the protocol alone make candidates."""
        candidates: set[int] = set()
        if not side.started:
            side.started = True
            candidates.update(group.always)
        for key, table in group.tables:
            spec = key.specs[view.protocol, view.direction]
            known = side.scanned.get(key.number, ())
            final = view.reached(spec.progress)
            if known is None or not (final or spec.growing):
                continue
            self._scan(view, key, known, table, candidates)
            side.scanned[key.number] = None if final else tuple(map(len, view.values(key)))
        if self._ruleset.event_rules and (view.tx.events or view.app_events):
            self._by_event(view, candidates)
        for index in candidates:
            self._admit(self._ruleset.signatures[index], view, state, side)

    def _by_event(self, view: TxView, candidates: set[int]) -> None:
        """Add rules that wait for an event of this transaction, or of its parser among other things."""
        rules = self._ruleset.event_rules
        for name in view.tx.events:
            candidates.update(rules.get(name, ()))
        for name in view.app_events:
            mixed = (i for i in rules.get(name, ()) if not _events_alone(self._ruleset.signatures[i]))
            candidates.update(mixed)

    def _parser_events(self, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate rules on events that belong to no transaction, once for each direction."""
        ctx = self._ctx
        app = ctx.flow.app
        events = app.parser.events
        seen = ctx.flow.detect.events_seen
        start = seen[ctx.direction]
        if len(events) <= start:
            return
        seen[ctx.direction] = len(events)
        ctx.tx = None
        for name in events[start:]:
            for index in self._ruleset.event_rules.get(name, ()):
                signature = self._ruleset.signatures[index]
                fits = signature.protocols is None or app.proto in signature.protocols
                alone = _events_alone(signature) and len(signature.events) == 1
                on = allowed is None or allowed.enabled(index)
                if fits and alone and on and self._packet_part(signature):
                    found.append(accept(signature, ctx, "packet"))

    def _packet_part(self, signature: Signature) -> bool:
        """Test what a rule says of the packet."""
        ctx = self._ctx
        ctx.captures = []
        ctx.values = [0] * signature.variables
        return (
            signature.header.match(ctx)
            and all(matcher.match(ctx) for matcher in signature.matchers)
            and all(test.match(ctx) for test in signature.packet_tests)
        )

    def _scan(
        self, view: TxView, key: BufferKey, known: tuple[int, ...], table: PatternTable, candidates: set[int]
    ) -> None:
        """Search each instance of a buffer, from a little before where it was searched already."""
        for number, data in enumerate(view.values(key)):
            size = known[number] if number < len(known) else 0
            if len(data) == size and size:
                continue
            start = 0 if key.changes or len(data) < size else max(size - table.overlap, 0)
            table.search(data[start:] if start else data, candidates)

    def _admit(self, signature: Signature, view: TxView, state: TxDetect, side: TxSide) -> None:
        """Make a rule wait for its tests, unless it was decided already."""
        if view.direction not in signature.directions:
            return
        if signature.protocols is not None and view.protocol not in signature.protocols:
            return
        pending, done = (state.both, state.both_done) if signature.spans else (side.pending, side.done)
        if signature.index in done or signature.index in pending:
            return
        if len(pending) >= PENDING_LIMIT:
            self._ctx.count("detect.pending_limit")
            return
        pending[signature.index] = RuleState(signature.variables)

    def _evaluate(
        self, view: TxView, state: TxDetect, side: TxSide, allowed: Filter | None, found: list[Match]
    ) -> None:
        """Try all rules that wait, in their order."""
        signatures = self._ruleset.signatures
        waiting = [(signatures[i], side.pending, side.done) for i in side.pending]
        waiting += [(signatures[i], state.both, state.both_done) for i in state.both]
        waiting.sort(key=_rank)
        for signature, pending, done in waiting:
            if allowed is not None and not allowed.enabled(signature.index):
                continue
            rule = pending[signature.index]
            if rule.fed == self._ctx.flow.app.fed[view.direction]:
                continue
            answer = self._profiled(signature, rule, view)
            while answer == MATCH:
                found.append(accept(signature, self._ctx, "tx"))
                if not any(test.repeats(view) for test in signature.tx_tests):
                    answer = ABORT
                elif any(test.at_once for test in signature.tx_tests):
                    rule.held = 0
                    answer = self._profiled(signature, rule, view)
                else:
                    rule.held, rule.fed = 0, self._ctx.flow.app.fed[view.direction]
                    answer = NO
            if answer != NO:
                del pending[signature.index]
                done.add(signature.index)

    def _profiled(self, signature: Signature, rule: RuleState, view: TxView) -> int:
        """Try one rule, measuring it when asked to."""
        profile = self._profile
        if profile is None:
            return self._try(signature, rule, view)
        started = profile.clock()
        answer = self._try(signature, rule, view)
        profile.add(signature.index, answer == MATCH, started)
        return answer

    def _try(self, signature: Signature, rule: RuleState, view: TxView) -> int:
        """Make the tests that do not hold yet; the packet's part is asked when all others do."""
        ctx = self._ctx
        if not signature.header.match(ctx):
            return NO
        for matcher in signature.matchers:
            if not matcher.match(ctx):
                return NO
        ctx.captures = []
        ctx.values = rule.values
        waiting = False
        for number, test in enumerate(signature.tx_tests):
            bit = 1 << number
            if rule.held & bit:
                continue
            if signature.spans and view.direction not in test.directions(signature.protocols):
                answer = test.check(view.other(), ctx)
            else:
                answer = test.check(view, ctx)
            if answer == ABORT:
                return ABORT
            if answer == MATCH:
                rule.held |= bit
            else:
                waiting = True
        if waiting:
            return NO
        return MATCH if all(test.match(ctx) for test in signature.packet_tests) else NO


def _events_alone(signature: Signature) -> bool:
    """Tell whether a rule asks a transaction for events only."""
    return len(signature.events) == len(signature.tx_tests)


def _rank(entry: tuple[Signature, object, object]) -> int:
    return entry[0].rank
