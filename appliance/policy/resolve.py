"""From the conditions of a rule document to the plain rule that tables are built from."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.firewall.rule import (
    BOTH,
    IN,
    OUT,
    Action,
    Endpoint,
    FlagTest,
    Macs,
    Ports,
    Rule,
    Values,
)
from appliance.firewall.schedule import WEEK_MINUTES, Schedule
from appliance.inventory.inventory import Inventory
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.policy.conditions import Condition, Reference
from appliance.policy.documents import RuleModel, ScheduleUse
from appliance.policy.policyset import PolicySet
from appliance.policy.times import make_schedule

_DIRECTIONS = {"in": IN, "out": OUT, "both": BOTH}
Member = tuple[str, str]  # what a reference names interfaces by: the kind, and a name
_ACTIONS = {action.name.lower(): action for action in Action}


def flatten(items: Sequence[Any], kind: str, known: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """Replace references to lists (or groups) by what these hold, each once."""
    if not _names_something(items):
        return list(items)
    flat: list[Any] = []
    seen: set[str] = set()
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        if not (isinstance(item, Reference) and item.kind == kind):
            flat.append(item)
        elif item.name not in seen:
            seen.add(item.name)
            waiting.extend(known.get(item.name, ()))
    return flat


def _names_something(items: Sequence[Any]) -> bool:
    """Tell whether there is a reference among ``items``; most rules have none."""
    return Reference in map(type, items)


class Resolver:
    """Looks names up in a policy set and an inventory; answers are kept, since rules repeat them."""

    def __init__(self, whole: PolicySet, inventory: Inventory) -> None:
        """Index the inventory by what references name."""
        self.whole = whole
        self.used: set[Member] = set()  # what the inventory was asked for since somebody emptied it
        self._members: dict[Member, list[VmInterface]] = {}
        for one in inventory.interfaces:
            for key in _keys(one):
                self._members.setdefault(key, []).append(one)
        self._schedules: dict[tuple[str, bool], Schedule] = {}
        self._endpoints: dict[tuple[Condition, str], tuple[Endpoint, frozenset[Member]]] = {}

    def following(self, changes: Iterable[tuple[VmInterface, VmInterface]]) -> tuple[Resolver, set[Member]]:
        """Give the resolver of an inventory in which some interfaces say something else of themselves.

        Also gives the names that stand for something else there.
        """
        found = Resolver(self.whole, Inventory())
        found._members, found._schedules = dict(self._members), dict(self._schedules)
        touched: set[Member] = set()
        for old, new in changes:
            before, now = set(_keys(old)), set(_keys(new))
            touched |= before ^ now if old.addresses == new.addresses else before | now
            for key in before | now:
                found._exchange(key, old, new if key in now else None)
        found._endpoints = {
            key: known for key, known in self._endpoints.items() if touched.isdisjoint(known[1])
        }
        return found, touched

    def _exchange(self, key: Member, old: VmInterface, new: VmInterface | None) -> None:
        members = [one for one in self._members.get(key, ()) if one is not old]
        if new is not None:
            insort(members, new, key=lambda one: one.index)
        if members:
            self._members[key] = members
        else:
            self._members.pop(key, None)

    def rule(self, entry: tuple[str, str, str, RuleModel], vm: Vm | None) -> Rule:
        """Make the rule that ``entry`` (policy, section, name, document) says, for the VM ``self``."""
        policy, section, name, model = entry
        return Rule(
            name,
            policy,
            section,
            _ACTIONS[model.action],
            _DIRECTIONS[model.direction],
            _frames(model.frame),
            _values(model.protocol),
            self._endpoint(model.source, vm),
            self._endpoint(model.destination, vm),
            self._ports(model.source_port),
            self._ports(model.destination_port),
            self._macs(model.source_mac),
            self._macs(model.destination_mac),
            FlagTest(*model.tcp_flags) if model.tcp_flags is not None else None,
            model.icmp.items if model.icmp is not None else None,
            model.icmp.negated if model.icmp is not None else False,
            self._schedule(model.schedule),
            model.log,
        )

    def addresses(self, items: Sequence[Any]) -> tuple[Prefix, ...]:
        """Give the address ranges among ``items`` and the lists they name."""
        return tuple(i for i in flatten(items, "list", self.whole.addresses) if isinstance(i, Prefix))

    def _endpoint(self, condition: Condition | None, vm: Vm | None) -> Endpoint | None:
        if condition is None:
            return None
        if not _names_something(condition.items):
            return Endpoint(condition.items, negated=condition.negated)
        key = (condition, vm.uuid if vm is not None and uses_self(condition, self.whole) else "")
        found = self._endpoints.get(key)
        if found is None:
            found = self._endpoints[key] = self._new_endpoint(condition, vm)
        self.used |= found[1]
        return found[0]

    def _new_endpoint(self, condition: Condition, vm: Vm | None) -> tuple[Endpoint, frozenset[Member]]:
        items = flatten(condition.items, "group", self.whole.groups)
        interfaces: dict[int, VmInterface] = {}
        members = frozenset(_member(item, vm) for item in items if isinstance(item, Reference))
        for member in members:
            interfaces.update({one.index: one for one in self._members.get(member, ())})
        single = {a for one in interfaces.values() for a in one.addresses if a.base == a.last}
        ranges = (*self.addresses(items), *sorted(single, key=lambda a: (a.version, a.base)))
        return Endpoint(ranges, frozenset(interfaces), condition.negated), members

    def _ports(self, condition: Condition | None) -> Ports | None:
        if condition is None:
            return None
        return Ports(tuple(flatten(condition.items, "list", self.whole.ports)), condition.negated)

    def _macs(self, condition: Condition | None) -> Macs | None:
        if condition is None:
            return None
        return Macs(frozenset(flatten(condition.items, "list", self.whole.macs)), condition.negated)

    def _schedule(self, use: ScheduleUse | None) -> Schedule | None:
        if use is None:
            return None
        key = (use.name or use.excluded, not use.name)
        found = self._schedules.get(key)
        if found is None:
            model = self.whole.schedules[key[0]]
            found = make_schedule(key[0], model.days, model.hours, model.timezone)
            if key[1]:
                found = Schedule(f"not {key[0]}", _outside(found.windows), model.timezone)
            self._schedules[key] = found
        return found


def _member(item: Reference, vm: Vm | None) -> Member:
    """Give what a reference names; "self" of nobody names nothing."""
    if item.kind == "self":
        return ("vm", vm.uuid) if vm is not None else ("", "")
    return item.kind, item.name


def _keys(one: VmInterface) -> list[Member]:
    keys = [("vm", one.vm.uuid), ("vm", one.vm.name), ("network", one.network)]
    return list(dict.fromkeys([*keys, *(("tag", tag) for tag in one.tags | one.vm.tags)]))


def _values(condition: Condition | None) -> Values | None:
    return None if condition is None else Values(frozenset(condition.items), condition.negated)


def _frames(condition: Condition | None) -> Values | None:
    if condition is None:
        return None
    return Values(frozenset().union(*condition.items), condition.negated)


def _outside(windows: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Give the minutes of the week that are in no window."""
    free: list[tuple[int, int]] = []
    at = 0
    for first, end in sorted(windows):
        if first > at:
            free.append((at, first))
        at = max(at, end)
    return (*free, (at, WEEK_MINUTES)) if at < WEEK_MINUTES else tuple(free)


def uses_self(condition: Condition | None, whole: PolicySet) -> bool:
    """Tell whether a condition means something else for each VM."""
    if condition is None or not _names_something(condition.items):
        return False
    return any(
        isinstance(i, Reference) and i.kind == "self" for i in flatten(condition.items, "group", whole.groups)
    )
