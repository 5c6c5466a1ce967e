"""Compile a policy set for an inventory: one policy for each interface, tables shared where equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from appliance.firewall.bound import (
    BoundPolicies,
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
from appliance.inventory.inventory import Inventory
from appliance.model.identity import Vm, VmInterface
from appliance.model.verdict import Verdict
from appliance.policy.bindings import Binder
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
from appliance.policy.resolve import Resolver, uses_self

__all__ = ["BoundPolicies", "InterfacePolicy", "PolicyBook", "compile_policies"]

_VERDICTS = {"allow": Verdict.ACCEPT, "deny": Verdict.DROP, "reject": Verdict.REJECT}
_SCANS = ("port_sweep", "host_sweep", "null", "fin", "xmas", "syn_fin", "os_fingerprint")
Entry = tuple[str, str, str, RuleModel]


def compile_policies(
    whole: PolicySet, inventory: Inventory, epoch: int = 1, forced: Mapping[str, str] | None = None
) -> BoundPolicies:
    """Bind and compile; see :meth:`PolicyBook.bind`."""
    return PolicyBook(whole, inventory).bind(epoch, forced)


class PolicyBook:
    """All policies of a site against one inventory, each compiled when it is first bound, and once."""

    def __init__(self, whole: PolicySet, inventory: Inventory) -> None:
        """Take documents that were checked; nothing is compiled yet."""
        self.whole = whole
        self._inventory = inventory
        self._compiler = _Compiler(whole, inventory)
        self._binder = Binder(whole)

    def bind(self, epoch: int = 1, forced: Mapping[str, str] | None = None) -> BoundPolicies:
        """Give every interface its policy; ``epoch`` has to differ from that of the policies in force before.

        An interface that no binding matches gets the default policy, and without a default what
        ``unknown`` says. ``forced`` gives machines (by UUID) a policy that outweighs all bindings.
        """
        forced = forced or {}
        unknown = self._compiler.unknown(self.whole.unknown)
        policies = tuple(
            self._compiler.for_interface(
                forced.get(one.vm.uuid) or self._binder.policy_for(one), one, unknown
            )
            for one in self._inventory.interfaces
        )
        return BoundPolicies(policies, unknown, epoch)


class _Compiler:
    """Compiles each policy once, or once for each VM where it speaks of ``self``."""

    def __init__(self, whole: PolicySet, inventory: Inventory) -> None:
        self._whole = whole
        self._resolver = Resolver(whole, inventory)
        self._entries: dict[str, list[Entry]] = {}
        self._personal: dict[str, bool] = {}
        self._done: dict[tuple[str, str], InterfacePolicy] = {}

    def unknown(self, name: str) -> InterfacePolicy:
        """Make the policy for ends that the inventory does not know."""
        if name in self._whole.policies:
            return self._policy(name, None)
        return plain_policy("unknown", _VERDICTS[name])

    def for_interface(self, name: str, one: VmInterface, unknown: InterfacePolicy) -> InterfacePolicy:
        """Make the policy of an interface."""
        compiled = self._policy(name, one.vm) if name else unknown
        return replace(compiled, interface=one)

    def _policy(self, name: str, vm: Vm | None) -> InterfacePolicy:
        line, _ = lineage(self._whole.policies, name)
        if name not in self._entries:
            self._entries[name] = effective_rules(line)
            self._personal[name] = any(self._speaks_of_self(entry[3]) for entry in self._entries[name])
        key = (name, vm.uuid if vm is not None and self._personal[name] else "")
        if key not in self._done:
            self._done[key] = self._compile(name, line, vm)
        return self._done[key]

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
