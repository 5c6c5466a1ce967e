"""Compile a policy set for an inventory: one policy for each interface, tables shared where equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, replace

from appliance.firewall.bound import BoundPolicies, InterfacePolicy
from appliance.inventory.inventory import Inventory, differing
from appliance.model.identity import VmInterface
from appliance.policy.bindings import Binder
from appliance.policy.compiler import Compiler
from appliance.policy.policyset import PolicySet
from appliance.policy.resolve import Resolver

__all__ = ["BoundPolicies", "InterfacePolicy", "PolicyBook", "compile_policies"]

_FEW = 64  # interfaces: where more have changed, everything is made anew


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
        self._compiler = Compiler(whole, Resolver(whole, inventory))
        self._binder = Binder(whole)
        self._by_identity = {(one.vm.uuid, one.name): one for one in inventory.interfaces}
        self._last: _Binding | None = None  # the last one, of this book or of one that it follows

    def bind(self, epoch: int = 1, forced: Mapping[str, str] | None = None) -> BoundPolicies:
        """Give every interface its policy; ``epoch`` has to differ from that of the policies in force before.

        An interface that no binding matches gets the default policy, and without a default what
        ``unknown`` says. ``forced`` gives machines (by UUID) a policy that outweighs all bindings.
        """
        forced = dict(forced or {})
        unknown, last = self._compiler.unknown(self.whole.unknown), self._last
        if last is None:
            compiled = [self._compiled(one, forced, unknown) for one in self._inventory.interfaces]
            policies = [
                _bound_to(policy, one)
                for policy, one in zip(compiled, self._inventory.interfaces, strict=True)
            ]
            bound = BoundPolicies(tuple(policies), unknown, epoch)
        else:
            compiled, policies = list(last.compiled), list(last.bound.policies)
            for place in self._to_bind(last, forced):
                one = self._inventory.interfaces[place]
                compiled[place] = self._compiled(one, forced, unknown)
                policies[place] = _bound_to(compiled[place], one)
            bound = last.bound.following(tuple(policies), unknown, epoch)
        self._last = _Binding(forced, compiled, bound)
        return bound

    def _compiled(
        self, one: VmInterface, forced: Mapping[str, str], unknown: InterfacePolicy
    ) -> InterfacePolicy:
        name = forced.get(one.vm.uuid) or self._binder.policy_for(one)
        return self._compiler.policy(name, one.vm) if name else unknown

    def _to_bind(self, last: _Binding, forced: Mapping[str, str]) -> list[int]:
        """Give the places of interfaces whose policy may be another than at the last binding."""
        uuids = {
            uuid for uuid in forced.keys() | last.forced.keys() if forced.get(uuid) != last.forced.get(uuid)
        }
        valid = self._compiler.valid()
        policies = last.bound.policies
        return [
            place
            for place, one in enumerate(self._inventory.interfaces)
            if policies[place].interface is not one
            or id(last.compiled[place]) not in valid
            or one.vm.uuid in uuids
        ]

    def over(self, inventory: Inventory) -> PolicyBook:
        """Give the same policies against another inventory.

        Where only some interfaces say something else of themselves, what is compiled stays as far as it is
        not about them: this and the next binding then cost what has changed.
        """
        places = differing(self._inventory, inventory)
        if places is None or len(places) > _FEW:
            return PolicyBook(self.whole, inventory)
        found = copy(self)
        changes = [(self._inventory.interfaces[place], inventory.interfaces[place]) for place in places]
        found._inventory, found._compiler = inventory, self._compiler.following(changes)
        found._by_identity = dict(self._by_identity)
        for old, _ in changes:
            found._by_identity.pop((old.vm.uuid, old.name), None)
        found._by_identity |= {(new.vm.uuid, new.name): new for _, new in changes}
        return found

    def find(self, identity: tuple[str, str]) -> VmInterface | None:
        """Give the interface of a VM (UUID) by its name."""
        return self._by_identity.get(identity)

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


@dataclass(frozen=True, slots=True)
class _Binding:
    """A binding and what it was made of: by the index of interfaces, their policies bound to nobody."""

    forced: dict[str, str]
    compiled: list[InterfacePolicy]
    bound: BoundPolicies


def _bound_to(compiled: InterfacePolicy, one: VmInterface) -> InterfacePolicy:
    return replace(compiled, interface=one)
