"""How often a match becomes an alert: threshold, detection_filter, rate_filter and suppress."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

from appliance.detect.addresses import AddressMatcher
from appliance.detect.handover import keep_counters
from appliance.rulelang.thresholds import EventFilter, RateFilter, Suppress, ThresholdConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.context import Context
    from appliance.detect.handover import RuleNames
    from appliance.detect.signature import Signature
    from appliance.rulelang.tree import Rule, Threshold

EntryT = TypeVar("EntryT", Suppress, EventFilter, RateFilter)

SECOND = 1_000_000_000
# Answers: no match at all, a match with an alert, a match whose action counts but is not reported.
NOTHING, ALERT, SILENT = 0, 1, 2


class Counter:
    """State of one threshold for one tracked thing."""

    __slots__ = ("action_until", "count", "next", "start")

    def __init__(self, start: int) -> None:
        """Begin a period."""
        self.start = start
        self.count = 0
        self.next = 0
        self.action_until = 0


class CounterTable:
    """Counters by key, at most ``limit``; the one touched longest ago goes first."""

    __slots__ = ("counters", "evicted", "limit")

    def __init__(self, limit: int = 65_536) -> None:
        """Hold at most ``limit`` counters."""
        self.counters: OrderedDict[Any, Counter] = OrderedDict()
        self.limit = limit
        self.evicted = 0

    def get(self, key: Any, now: int) -> Counter:
        """Give the counter of ``key``, a new one when there is none."""
        found = self.counters.get(key)
        if found is not None:
            self.counters.move_to_end(key)
            return found
        if len(self.counters) >= self.limit:
            self.counters.popitem(last=False)
            self.evicted += 1
        made = self.counters[key] = Counter(now)
        return made

    def put(self, key: Any, counter: Counter) -> None:
        """Set a counter that was kept elsewhere until now."""
        self.get(key, counter.start)
        self.counters[key] = counter

    def forget(self, keys: list[Any]) -> None:
        """Forget some counters."""
        for key in keys:
            self.counters.pop(key, None)

    def __len__(self) -> int:
        """Number of counters."""
        return len(self.counters)


class Thresholds:
    """Applies the thresholds of rules and of the threshold file.

    An entry for one rule takes the place of the rule's own; one for all rules is for those without.
    """

    def __init__(self, config: ThresholdConfig | None = None, limit: int = 65_536) -> None:
        """Take over the threshold file; hold at most ``limit`` counters."""
        self.table = CounterTable(limit)
        config = config or ThresholdConfig()
        self._suppress = _by_rule(config.suppress)
        self._filters = _by_rule(config.filters)
        self._rates = _by_rule(config.rates)
        self._matchers = {id(entry): AddressMatcher(entry.addresses) for entry in config.suppress}

    def adopt(self, old: Thresholds, names: RuleNames) -> None:
        """Go on counting where ``old`` was, for rules that are still there."""
        self.table = old.table
        self.table.forget(keep_counters(self.table.counters, names))

    def apply(self, signature: Signature, ctx: Context) -> tuple[int, str]:
        """Count one match: what becomes of it, and the action it has now."""
        answer = ALERT
        for node in self._nodes(signature):
            if node.kind != "detection_filter":
                answer = self._threshold(signature, node, ctx)
            elif not self._detection_filter(signature, node, ctx):
                return NOTHING, signature.action
        action = signature.action
        for rate in _entries(self._rates, signature.rule):
            action = self._rate(signature, rate, ctx) or action
        for entry in _entries(self._suppress, signature.rule):
            if self._suppressed(entry, ctx):
                return SILENT if answer == ALERT else answer, action
        return answer, action

    def _nodes(self, signature: Signature) -> Sequence[Threshold | EventFilter]:
        """Give the thresholds in force for a rule."""
        if not self._filters:
            return signature.thresholds
        own = self._filters.get((signature.rule.gid, signature.rule.sid))
        if own is not None or signature.thresholds:
            return own or signature.thresholds
        return _entries(self._filters, signature.rule)

    def _counter(self, signature: Signature, kind: str, track: str, ctx: Context) -> Counter | None:
        """Find the counter of what is tracked."""
        packet, flow = ctx.packet, ctx.flow
        where: Any = None
        if track == "by_src":
            where = packet.src
        elif track == "by_dst":
            where = packet.dst
        elif track == "by_both":
            where = (min(packet.src, packet.dst), max(packet.src, packet.dst))
        elif track == "by_flow":
            if flow is None:
                return None
            where = flow.id
        if packet.place:
            where = (where, packet.place >> 32)
        return self.table.get((signature.rule.gid, signature.rule.sid, kind, track, where), ctx.now)

    def _detection_filter(self, signature: Signature, node: Threshold | EventFilter, ctx: Context) -> bool:
        """Alert only above ``count`` matches within the period."""
        counter = self._counter(signature, node.kind, node.track, ctx)
        if counter is None:
            return False
        _advance(counter, node.seconds, ctx.now)
        return counter.count > node.count

    def _threshold(self, signature: Signature, node: Threshold | EventFilter, ctx: Context) -> int:
        """Apply limit, threshold, both or backoff."""
        counter = self._counter(signature, node.kind, node.track, ctx)
        if counter is None:
            return ALERT
        if node.kind == "backoff":
            return _backoff(counter, node)
        _advance(counter, node.seconds, ctx.now)
        if node.kind == "limit":
            return ALERT if counter.count <= node.count else SILENT
        if counter.count < node.count:
            return NOTHING
        if node.kind == "threshold":
            counter.count = 0
            return ALERT
        return ALERT if counter.count == node.count else SILENT

    def _suppressed(self, entry: Suppress, ctx: Context) -> bool:
        """Tell whether the packet's address is one for which nothing is to be reported."""
        if not entry.track:
            return True
        matcher = self._matchers[id(entry)]
        source, target = matcher.has(ctx.packet.src), matcher.has(ctx.packet.dst)
        return {"by_src": source, "by_dst": target}.get(entry.track, source or target)

    def _rate(self, signature: Signature, entry: RateFilter, ctx: Context) -> str:
        """Give the action that a rate above the limit brings for a while, "" for no change."""
        counter = self._counter(signature, "rate_filter", entry.track, ctx)
        if counter is None:
            return ""
        if counter.action_until > ctx.now:
            return entry.new_action
        _advance(counter, entry.seconds, ctx.now)
        if counter.count <= entry.count:
            return ""
        counter.action_until = ctx.now + entry.timeout * SECOND
        counter.count = 0
        return entry.new_action


def _by_rule(entries: Sequence[EntryT]) -> dict[tuple[int, int], list[EntryT]]:
    """Index entries by generator and rule."""
    found: dict[tuple[int, int], list[EntryT]] = {}
    for entry in entries:
        found.setdefault((entry.gid, entry.sid), []).append(entry)
    return found


def _entries(index: dict[tuple[int, int], list[EntryT]], rule: Rule) -> list[EntryT]:
    """Entries for this rule, for its generator and for all."""
    if not index:
        return []
    keys = ((rule.gid, rule.sid), (rule.gid, 0), (0, 0))
    return [entry for key in keys for entry in index.get(key, ())]


def _advance(counter: Counter, seconds: int, now: int) -> None:
    """Count one match, in a new period when the last one is over."""
    if now - counter.start >= seconds * SECOND or now < counter.start:
        counter.start = now
        counter.count = 0
    counter.count += 1


def _backoff(counter: Counter, node: Threshold | EventFilter) -> int:
    """Alert at ``count``, then each time the number of matches has grown ``multiplier`` times."""
    counter.count += 1
    due = counter.next or node.count
    if counter.count < due:
        return SILENT
    counter.next = due * max(node.multiplier, 1)
    return ALERT
