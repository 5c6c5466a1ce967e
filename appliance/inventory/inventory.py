"""The virtual machines that live behind this appliance, as plain values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.model.identity import Vm, VmInterface


@dataclass(frozen=True, slots=True)
class Inventory:
    """All VMs and interfaces; ``interfaces[i].index == i``."""

    vms: tuple[Vm, ...] = ()
    interfaces: tuple[VmInterface, ...] = ()


def build(vms: list[tuple[Vm, list[VmInterface]]]) -> Inventory:
    """Make an inventory; interfaces are numbered anew in the order given."""
    interfaces: list[VmInterface] = []
    for vm, members in vms:
        for member in members:
            interfaces.append(member.numbered(len(interfaces), vm))
    return Inventory(tuple(vm for vm, _ in vms), tuple(interfaces))


def exchanged(before: Inventory, vms: Iterable[tuple[Vm, list[VmInterface]]]) -> Inventory | None:
    """Give ``before``, which is in the order of UUIDs, with other words on some of its machines.

    All others stay the same objects. None where a machine is new, or has more or fewer interfaces.
    """
    all_vms, interfaces = list(before.vms), list(before.interfaces)
    for vm, members in vms:
        place = bisect_left(all_vms, vm.uuid, key=lambda one: one.uuid)
        first = bisect_left(interfaces, vm.uuid, key=lambda one: one.vm.uuid)
        end = bisect_right(interfaces, vm.uuid, key=lambda one: one.vm.uuid)
        if place == len(all_vms) or all_vms[place].uuid != vm.uuid or end - first != len(members):
            return None
        all_vms[place] = vm
        interfaces[first:end] = [one.numbered(first + n, vm) for n, one in enumerate(members)]
    return Inventory(tuple(all_vms), tuple(interfaces))


def differing(before: Inventory, now: Inventory) -> list[int] | None:
    """Give the indexes of interfaces that differ, None where interfaces came or went."""
    if len(before.interfaces) != len(now.interfaces):
        return None
    pairs = zip(before.interfaces, now.interfaces, strict=True)
    return [new.index for old, new in pairs if old is not new]
