"""The virtual machines that live behind this appliance, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
            interfaces.append(_numbered(vm, member, len(interfaces)))
    return Inventory(tuple(vm for vm, _ in vms), tuple(interfaces))


def _numbered(vm: Vm, one: VmInterface, index: int) -> VmInterface:
    return replace(one, index=index, vm=vm)
