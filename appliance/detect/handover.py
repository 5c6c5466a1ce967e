"""Per-rule state of flows when the rules change: what belongs to a rule that stays goes on, the rest goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.signature import Kind
from appliance.model.flow import F_IPONLY_TC, F_IPONLY_TS

if TYPE_CHECKING:
    from appliance.detect.ruleset import Ruleset
    from appliance.detect.state import FlowDetect, RuleState, TxDetect
    from appliance.model.flow import Flow

Identity = tuple[int, int, int, int]


class RuleNames:
    """Which rule has which index in a set, without the set: flows refer to it for as long as they live.

    A rule is the same when number, revision and text are. ``once`` are the rules that look at a flow once.
    """

    __slots__ = ("index", "labels", "numbered", "once", "rules")

    def __init__(self, ruleset: Ruleset) -> None:
        """Note the rules of a set and the numbers of its buffers."""
        rules = [signature.rule for signature in ruleset.signatures]
        self.rules: list[Identity] = [(one.gid, one.sid, one.rev, hash(one.text)) for one in rules]
        self.labels: list[str] = [key.label for key in ruleset.world.keys]
        self.index: dict[Identity, int] = {rule: index for index, rule in enumerate(self.rules)}
        self.numbered: dict[tuple[int, ...], int] = {rule[:3]: at for at, rule in enumerate(self.rules)}
        self.once = frozenset(
            rule
            for rule, signature in zip(self.rules, ruleset.signatures, strict=True)
            if signature.kind in (Kind.IP_ONLY, Kind.PROTOCOL)
        )

    def equals(self, other: RuleNames) -> bool:
        """Tell whether indexes mean the same in both."""
        return self is other or (self.rules == other.rules and self.labels == other.labels)


class Translation:
    """From the indexes of one set to those of another; None stays for rules that are gone."""

    __slots__ = ("new", "old", "rules", "same")

    def __init__(self, old: RuleNames, new: RuleNames) -> None:
        """Compare two sets of rules."""
        self.old = old
        self.new = new
        self.same = new.equals(old)
        self.rules: dict[int, int] = {}
        for before, rule in enumerate(old.rules if not self.same else ()):
            after = new.index.get(rule)
            if after is not None:
                self.rules[before] = after

    def apply(self, flow: Flow, state: FlowDetect) -> None:
        """Bring the state of a flow over."""
        state.names = self.new
        # Equal rules may mean other addresses, and wait for other patterns where lists of ports have changed.
        state.forget_rules()
        for tail in state.tails:
            tail.search_anew()
        if self.same:
            return
        if self.new.once - self.old.once:
            # Rules that look at a flow once have to look at this one; those from before do so again.
            flow.flags &= ~(F_IPONLY_TS | F_IPONLY_TC)
            state.recognised = 3 if flow.app_proto else 0
        for tail in state.tails:
            if tail.hits is not None:
                tail.hits = {self.rules[rule]: end for rule, end in tail.hits.items() if rule in self.rules}
        app = flow.app
        for parser in (app.previous, app.parser) if app is not None else ():
            if parser is None:
                continue
            for tx in parser.transactions:
                if tx.inspected is not None:
                    self._transaction(tx.inspected)
            for frame in parser.frames:
                frame.rules = self._set(frame.rules)
                frame.seen = -1

    def _transaction(self, state: TxDetect) -> None:
        """Keep what rules have found in a transaction; it is searched anew for the patterns of new rules."""
        for side in (state.server, state.client, state.both):
            if side is not None:
                side.renew()
                side.pending, side.done = self._waiting(side.pending or {}), self._set(side.done or set())

    def _waiting(self, rules: dict[int, RuleState]) -> dict[int, RuleState]:
        return {self.rules[rule]: state for rule, state in rules.items() if rule in self.rules}

    def _set(self, rules: set[int]) -> set[int]:
        return {self.rules[rule] for rule in rules if rule in self.rules}


class Translations:
    """Translations to the set in force, each made when the first flow needs it; the newest few are kept."""

    def __init__(self, names: RuleNames, limit: int = 8) -> None:
        """Translate to ``names``."""
        self._names = names
        self._limit = limit
        self._made: dict[int, Translation] = {}

    def of(self, old: RuleNames) -> Translation:
        """Give the translation from ``old``."""
        found = self._made.get(id(old))
        if found is None or found.old is not old:
            if len(self._made) >= self._limit:
                del self._made[next(iter(self._made))]
            found = self._made[id(old)] = Translation(old, self._names)
        return found


def keep_counters(counters: dict[Any, Any], names: RuleNames) -> list[Any]:
    """Give the keys of threshold counters whose rule is gone; keys begin with generator and number."""
    known = {rule[:2] for rule in names.rules}
    return [key for key in counters if key[:2] not in known]
