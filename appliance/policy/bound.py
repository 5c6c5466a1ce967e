"""Compile a policy set for an inventory: one policy for each interface, tables shared where equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
        self._by_identity = {(one.vm.uuid, one.name): one for one in inventory.interfaces}

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

    def over(self, inventory: Inventory) -> PolicyBook:
        """Give the same policies against another inventory."""
        return PolicyBook(self.whole, inventory)

    def reason(self, one: VmInterface, forced: Mapping[str, str]) -> str:
        """Say why an interface has its policy: see :meth:`Binder.reason_for`."""
        return "quarantine" if one.vm.uuid in forced else self._binder.reason_for(one)

    def says(
        self, here: Collection[tuple[str, str]], forced: Mapping[str, str]
    ) -> dict[tuple[str, str], tuple[object, ...]]:
        """Give what tells whether policies of interfaces (UUID, name) are the same in another book of them.

        That are the interface itself, the name of its policy, and what the inventory makes of the names that
        the policy's rules hold: addresses, and interfaces as far as they are ``here``. For ``("", "")`` it is
        what the policy for unknown ends says.
        """
        known: dict[tuple[str, str], tuple[object, ...]] = {}
        places = {one: self._by_identity[one].index for one in here if one in self._by_identity}
        found = {("", ""): self._compiler.named(self.whole.unknown, None, places, known)}
        for identity, index in places.items():
            one = self._inventory.interfaces[index]
            name = forced.get(one.vm.uuid) or self._binder.policy_for(one) or self.whole.unknown
            own = (one.vm, one.name, one.mac, one.network, one.vlan, one.addresses, one.tags, one.port)
            found[identity] = (*own, name, self._compiler.named(name, one.vm, places, known))
        return found


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

    def for_interface(self, name: str, one: VmInterface, unknown: InterfacePolicy) -> InterfacePolicy:
        """Make the policy of an interface."""
        compiled = self._policy(name, one.vm) if name else unknown
        return replace(compiled, interface=one)

    def _policy(self, name: str, vm: Vm | None) -> InterfacePolicy:
        line, _ = lineage(self._whole.policies, name)
        self._learn(name, line)
        key = (name, vm.uuid if vm is not None and self._personal[name] else "")
        if key not in self._done:
            self._done[key] = self._compile(name, line, vm)
        return self._done[key]

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
