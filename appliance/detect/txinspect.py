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
    from appliance.detect.ends import Ends
    from appliance.detect.packetinspect import PacketInspector
    from appliance.detect.profile import Profile
    from appliance.detect.result import Filter, Match
    from appliance.detect.ruleset import Ruleset
    from appliance.detect.signature import Signature
    from appliance.detect.state import FlowDetect, TxSide
    from appliance.detect.txgroup import TxEntry, TxGroup, TxScope
    from appliance.detect.txtests import TxTest
    from appliance.model.app import Parser, Transaction

# Rules that one transaction keeps waiting for the rest of their buffers.
PENDING_LIMIT = 4096


class TxInspector:
    """Finds and evaluates the rules that a transaction concerns, as it grows."""

    __slots__ = (
        "_ctx",
        "_ends",
        "_event_rules",
        "_groups",
        "_limit",
        "_packets",
        "_profile",
        "_ranks",
        "_ruleset",
        "_signatures",
        "_view",
    )

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
        self._signatures: list[Signature] = ruleset.signatures
        self._ranks: list[int] = [signature.rank for signature in ruleset.signatures]
        # What was asked of the rule set, by protocol, for each direction.
        self._groups: list[dict[str, TxGroup]] = [{}, {}]
        self._event_rules: dict[str, list[int]] = ruleset.event_rules
        self._ends: Ends = ruleset.ends
        self._limit: int = settings.tx_per_packet
        self._ctx = ctx
        self._packets = packets
        self._profile = profile
        self._view = TxView(None, 0, "", [])
        self._view.source = packets

    def inspect(self, state: FlowDetect, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate the live transactions in the direction of the packet."""
        ctx = self._ctx
        app = ctx.flow.app
        if app.parser.events:
            self._parser_events(state, allowed, found)
        if app.previous is not None:
            # The parser before a change of protocol may hold transactions that were not seen to their end.
            self._parser(app.previous, app.orig, state, allowed, found)
        self._parser(app.parser, app.proto, state, allowed, found)
        ctx.tx = None

    def _parser(
        self, parser: Parser, protocol: str, state: FlowDetect, allowed: Filter | None, found: list[Match]
    ) -> None:
        """Evaluate the transactions of one parser, a bounded number of them."""
        transactions = parser.transactions
        if not transactions:
            return
        ctx = self._ctx
        direction = ctx.direction
        scope: TxScope | None = None
        looked = 0
        for tx in transactions:
            if tx.skip[direction]:
                continue
            if looked >= self._limit:
                ctx.count("detect.tx_limit")
                break
            if scope is None:
                scope = self._scope(protocol, state)
            looked += 1
            self._view.turn_to(tx, tx.progress[direction], direction, protocol, parser.events)
            self._transaction(tx, scope, allowed, found)

    def _scope(self, protocol: str, state: FlowDetect) -> TxScope:
        """Give what transactions of a protocol are checked for, found out once for a direction of a flow."""
        direction = self._ctx.direction
        known = state.scope_tc if direction else state.scope_ts
        if known is not None and known.protocol == protocol:
            return known
        known = self._group(protocol, direction).scope(self._ends.live(self._ctx))
        if direction:
            state.scope_tc = known
        else:
            state.scope_ts = known
        return known

    def _group(self, protocol: str, direction: int) -> TxGroup:
        """Give the group of a protocol; the rule set is asked once for each."""
        groups = self._groups[direction]
        found = groups.get(protocol)
        if found is None:
            found = groups[protocol] = self._ruleset.tx_group(protocol, direction)
        return found

    def _transaction(
        self, tx: Transaction, scope: TxScope, allowed: Filter | None, found: list[Match]
    ) -> None:
        """Inspect one transaction in one direction."""
        ctx, view = self._ctx, self._view
        ctx.tx = tx
        state = tx.inspected
        if state is None:
            state = tx.inspected = TxDetect.__new__(TxDetect)
            state.begin()
        side = state.side(ctx.direction)
        ctx.endian = (tx.value("dcerpc.endian") or "big") if scope.with_endian else "big"
        self._collect(state, side, scope)
        if side.pending or (state.both is not None and state.both.pending):
            self._evaluate(state, side, allowed, found)
        if view.final:
            tx.skip[ctx.direction] = True
            if side.pending:
                side.pending.clear()

    def _collect(self, state: TxDetect, side: TxSide, scope: TxScope) -> None:
        """Add the rules that buffers, events or the protocol alone make candidates."""
        view = self._view
        if side.scope is not scope:
            side.enter(scope)
        if not side.started:
            side.started = True
            for index, tests in scope.always:
                if not self._fails(tests):
                    self._admit(index, state, side, scope)
        tables = scope.tables
        while side.final < len(tables):
            entry: TxEntry = tables[side.final]
            if entry.progress > view.progress:
                break
            side.final += 1
            if side.before is None or entry.key.number not in side.before:
                self._search(entry, state, side, scope)
        for entry in scope.growing:
            if entry.progress > view.progress:
                self._search(entry, state, side, scope)
        if self._event_rules and (view.tx.events or view.app_events):
            self._by_event(state, side, scope)

    def _fails(self, tests: list[TxTest]) -> bool:
        """Tell whether one of the tests says that a rule can never hold for the transaction."""
        for test in tests:  # noqa: SIM110 - compiled, this is a loop in C; a generator is not
            if test.check(self._view, self._ctx) == ABORT:
                return True
        return False

    def _search(self, entry: TxEntry, state: TxDetect, side: TxSide, scope: TxScope) -> None:
        """Search a buffer for patterns."""
        value = self._view.value(entry.key, entry.place)
        if value is None:
            return
        if entry.growing:
            self._search_growing(entry, value, state, side, scope)
        elif isinstance(value, bytes):
            found = entry.find(value)
            if found:
                self._admit_all(found, state, side, scope)
        else:
            for data in value:
                self._admit_all(entry.find(data), state, side, scope)

    def _search_growing(
        self, entry: TxEntry, value: bytes | list[bytes], state: TxDetect, side: TxSide, scope: TxScope
    ) -> None:
        """Search a buffer that may have been searched before, from a little before its new bytes."""
        known = () if side.sizes is None else side.sizes.get(entry, ())
        values = value if isinstance(value, list) else [value]
        grown = len(values) != len(known)
        for number, data in enumerate(values):
            size = known[number] if number < len(known) else 0
            if size != len(data):
                grown = True
                self._admit_all(entry.grown(data, size), state, side, scope)
        if grown and entry.progress > self._view.progress:  # else this was the last time
            if side.sizes is None:
                side.sizes = {}
            side.sizes[entry] = tuple([len(data) for data in values])

    def _by_event(self, state: TxDetect, side: TxSide, scope: TxScope) -> None:
        """Add rules that wait for an event of this transaction, or of its parser among other things."""
        view = self._view
        for name in view.tx.events:
            for index in self._event_rules.get(name, ()):
                self._admit(index, state, side, scope)
        for name in view.app_events:
            for index in self._event_rules.get(name, ()):
                if not _events_alone(self._signatures[index]):
                    self._admit(index, state, side, scope)

    def _parser_events(self, state: FlowDetect, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate rules on events that belong to no transaction, once for each direction."""
        ctx = self._ctx
        app = ctx.flow.app
        events = app.parser.events
        if state.events_seen is None:
            state.events_seen = [0, 0]
        start = state.events_seen[ctx.direction]
        if len(events) <= start:
            return
        state.events_seen[ctx.direction] = len(events)
        ctx.tx = None
        for name in events[start:]:
            for index in self._event_rules.get(name, ()):
                signature = self._signatures[index]
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

    def _admit_all(self, found: tuple[int, ...], state: TxDetect, side: TxSide, scope: TxScope) -> None:
        """Admit all rules that a pattern has found."""
        for index in found:
            self._admit(index, state, side, scope)

    def _admit(self, index: int, state: TxDetect, side: TxSide, scope: TxScope) -> None:
        """Make a rule wait for its tests, unless it was decided already or cannot concern the flow."""
        if not scope.fits[index]:
            return
        signature: Signature = self._signatures[index]
        if not scope.live & signature.ends:
            return
        if signature.spans:
            side = state.spanning()
        waiting = side.pending
        if waiting is None:
            waiting = side.pending = {}
        if index in waiting or (side.done is not None and index in side.done):
            return
        if len(waiting) >= PENDING_LIMIT:
            self._ctx.count("detect.pending_limit")
            return
        waiting[index] = RuleState(signature.variables)

    def _evaluate(self, state: TxDetect, side: TxSide, allowed: Filter | None, found: list[Match]) -> None:
        """Try all rules that wait, in their order."""
        waiting = side.pending or {}
        if state.both is not None and state.both.pending:
            waiting = {**waiting, **state.both.pending}
        order = list(waiting)
        if len(order) > 1:
            order.sort(key=self._ranks.__getitem__)
        fed = self._ctx.flow.app.fed[self._view.direction]
        for index in order:
            rule: RuleState = waiting[index]
            if rule.fed == fed or (allowed is not None and not allowed.enabled(index)):
                continue
            signature: Signature = self._signatures[index]
            answer = self._profiled(signature, rule)
            while answer == MATCH:
                found.append(accept(signature, self._ctx, "tx"))
                if not self._repeats(signature):
                    answer = ABORT
                elif self._at_once(signature):
                    rule.held = 0
                    answer = self._profiled(signature, rule)
                else:
                    rule.held, rule.fed = 0, fed
                    answer = NO
            if answer != NO:
                (state.spanning() if signature.spans else side).decide(index)

    def _repeats(self, signature: Signature) -> bool:
        """Tell whether a rule that has matched may match again when more has come."""
        return any(test.repeats(self._view) for test in signature.tx_tests)

    def _at_once(self, signature: Signature) -> bool:
        """Tell whether it may do so now, for another file."""
        return any(test.at_once for test in signature.tx_tests)

    def _profiled(self, signature: Signature, rule: RuleState) -> int:
        """Try one rule, measuring it when asked to."""
        profile = self._profile
        if profile is None:
            return self._try(signature, rule)
        started = profile.clock()
        answer = self._try(signature, rule)
        profile.add(signature.index, answer == MATCH, started)
        return answer

    def _try(self, signature: Signature, rule: RuleState) -> int:
        """Make the tests that do not hold yet; the packet's part is asked when all others do."""
        ctx, view = self._ctx, self._view
        if not signature.header.match(ctx):
            return NO
        for matcher in signature.matchers:
            if not matcher.match(ctx):
                return NO
        if ctx.captures:
            ctx.captures = []
        ctx.values = rule.values
        waiting = False
        bit = 1
        for test in signature.tx_tests:
            if not rule.held & bit:
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
            bit <<= 1
        if waiting:
            return NO
        for packet_test in signature.packet_tests:
            if not packet_test.match(ctx):
                return NO
        return MATCH


def _events_alone(signature: Signature) -> bool:
    """Tell whether a rule asks a transaction for events only."""
    return len(signature.events) == len(signature.tx_tests)
