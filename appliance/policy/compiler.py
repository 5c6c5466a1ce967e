"""Compile policies against an inventory, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from appliance.firewall.bound import (
    Guard,
    Inspection,
    InterfacePolicy,
    Limits,
    RuleOverride,
    Scan,
    ScanAction,
    Stateful,
    plain_policy,
)
from appliance.firewall.build import build_table
from appliance.firewall.rule import IN, OUT
from appliance.model.identity import Vm, VmInterface
from appliance.model.verdict import Verdict
from appliance.policy.documents import PolicyModel, RuleModel
from appliance.policy.inherit import (
    effective,
    effective_guard,
    effective_inspection,
    effective_rules,
    effective_scan,
    effective_stateful,
    lineage,
)
from appliance.policy.policyset import PolicySet
from appliance.policy.resolve import Member, Resolver, uses_self

_VERDICTS = {"allow": Verdict.ACCEPT, "deny": Verdict.DROP, "reject": Verdict.REJECT}
_SCANS = ("port_sweep", "host_sweep", "null", "fin", "xmas", "syn_fin", "os_fingerprint")
Entry = tuple[str, str, str, RuleModel]


class Compiler:
    """Compiles each policy once, or once for each VM where it speaks of ``self``."""

    def __init__(self, whole: PolicySet, resolver: Resolver) -> None:
        """Take documents that were checked; nothing is compiled yet."""
        self._whole = whole
        self._resolver = resolver
        self._lines: dict[str, list[PolicyModel]] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._personal: dict[str, bool] = {}
        # Each policy, with what of the inventory its rules name.
        self._done: dict[tuple[str, str], tuple[InterfacePolicy, frozenset[Member]]] = {}

    def following(self, changes: Iterable[tuple[VmInterface, VmInterface]]) -> Compiler:
        """Give the compiler for an inventory in which some interfaces say something else of themselves."""
        resolver, touched = self._resolver.following(changes)
        found = Compiler(self._whole, resolver)
        found._lines, found._entries = dict(self._lines), dict(self._entries)
        found._personal = dict(self._personal)
        found._done = {key: one for key, one in self._done.items() if touched.isdisjoint(one[1])}
        return found

    def valid(self) -> set[int]:
        """Give the identities (``id``) of policies that are still what the documents say."""
        return {id(policy) for policy, _ in self._done.values()}

    def unknown(self, name: str) -> InterfacePolicy:
        """Make the policy for ends that the inventory does not know."""
        if name in self._whole.policies:
            return self.policy(name, None)
        key = ("", "")
        if key not in self._done:
            self._done[key] = (plain_policy("unknown", _VERDICTS[name]), frozenset())
        return self._done[key][0]

    def named(
        self,
        name: str,
        vm: Vm | None,
        places: Mapping[tuple[str, str], int],
        known: dict[tuple[str, str], tuple[object, ...]],
    ) -> tuple[object, ...]:
        """Give what the inventory makes of the names in a policy's rules; ``known`` keeps answers."""
        if name not in self._whole.policies:
            return ()
        line, _ = lineage(self._whole.policies, name)
        self._learn(name, line)
        key = (name, vm.uuid if vm is not None and self._personal[name] else "")
        if key not in known:
            rules = [self._resolver.rule(entry, vm) for entry in self._entries[name]]
            ends = [end for rule in rules for end in (rule.source, rule.destination) if end is not None]
            known[key] = tuple(
                (end.ranges, frozenset(one for one, index in places.items() if index in end.interfaces))
                for end in ends
                if end.interfaces
            )
        return known[key]

    def policy(self, name: str, vm: Vm | None) -> InterfacePolicy:
        """Make a policy for the interfaces of a machine, or for nobody; it is bound to none of them."""
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = lineage(self._whole.policies, name)[0]
            self._learn(name, line)
        key = (name, vm.uuid if vm is not None and self._personal[name] else "")
        if key not in self._done:
            self._resolver.used = set()
            policy = self._compile(name, line, vm)
            self._done[key] = (policy, frozenset(self._resolver.used))
        return self._done[key][0]

    def _learn(self, name: str, line: list[PolicyModel]) -> None:
        if name not in self._entries:
            self._entries[name] = effective_rules(line)
            self._personal[name] = any(self._speaks_of_self(entry[3]) for entry in self._entries[name])

    def _speaks_of_self(self, rule: RuleModel) -> bool:
        return uses_self(rule.source, self._whole) or uses_self(rule.destination, self._whole)

    def _compile(self, name: str, line: list[PolicyModel], vm: Vm | None) -> InterfacePolicy:
        rules = [self._resolver.rule(entry, vm) for entry in self._entries[name]]
        return InterfacePolicy(
            name,
            build_table(rules, IN),
            build_table(rules, OUT),
            _VERDICTS[effective(line, "default_action", "deny")],
            _stateful(line),
            self._scan(line),
            _inspection(line),
            effective(line, "spoof_protection", True),
            effective(line, "fail", "closed") == "open",
            guard=_guard(line),
        )

    def _scan(self, line: list[PolicyModel]) -> Scan | None:
        model = effective_scan(line)
        if not model.enabled:
            return None
        kinds = {kind: _scan_action(getattr(model, kind)) for kind in _SCANS}
        active = {kind: action for kind, action in kinds.items() if action is not None}
        return Scan(active, self._resolver.addresses(model.exempt)) if active else None


def _scan_action(model: object) -> ScanAction | None:
    if model is None or not getattr(model, "enabled", False):
        return None
    action = getattr(model, "action", "notice")
    block = getattr(model, "block", 0) if action == "block" else 0
    return ScanAction(action == "deny", block, getattr(model, "threshold", 0), getattr(model, "window", 0))


def _stateful(line: list[PolicyModel]) -> Stateful:
    model = effective_stateful(line)
    tracked = None if model.tracked is None else frozenset(model.tracked)
    burst = model.syn_burst or model.syn_rate
    return Stateful(tracked, model.strict, Limits(model.connections, model.half_open, model.syn_rate, burst))


def _guard(line: list[PolicyModel]) -> Guard:
    model = effective_guard(line)
    return Guard(model.dhcp_server, model.router, frozenset(model.ethertypes))


def _inspection(line: list[PolicyModel]) -> Inspection:
    model = effective_inspection(line)
    return Inspection(
        model.enabled,
        model.mode == "prevent",
        None if model.rule_sets is None else frozenset(model.rule_sets),
        {sid: RuleOverride(one.enabled, one.action) for sid, one in model.rules.items()},
        frozenset(model.applications.allow),
        frozenset(model.applications.deny),
        model.on_overload,
    )
