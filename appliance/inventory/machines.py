"""What a provider says of a virtual machine: plain values in which None means that it says nothing of it."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.inventory.inventory import Inventory, build, exchanged
from appliance.model.identity import Prefix, Vm, VmInterface

MAX_MACHINES = 20_000  # of one provider, and of all together
MAX_NICS = 16  # of one machine


class Power(enum.Enum):
    """Whether a machine runs."""

    ON = "on"
    OFF = "off"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Nic:
    """One interface as a provider knows it; ``port`` is the device that it is plugged into on this host."""

    name: str
    mac: bytes
    network: str | None = None
    vlan: int | None = None
    addresses: tuple[Prefix, ...] | None = None
    tags: frozenset[str] | None = None
    port: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as a provider knows it.

    ``host`` names where it is, ``here`` tells whether that is this host; None where the provider cannot say.
    """

    uuid: str
    name: str | None = None
    os: str | None = None
    tags: frozenset[str] | None = None
    nics: tuple[Nic, ...] = ()
    power: Power | None = None
    host: str | None = None
    here: bool | None = None

    @property
    def label(self) -> str:
        """Name for people: the UUID where no provider has named it."""
        return self.name or self.uuid


def interfaces_of(machine: Machine, *, ports: bool = False) -> tuple[Vm, list[VmInterface]]:
    """Give the machine as policies see it. Where it is plugged in is left out unless ``ports``."""
    vm = Vm(machine.uuid, machine.label, machine.tags or frozenset(), machine.os or "")
    return vm, [
        VmInterface(
            0,
            vm,
            nic.name,
            nic.mac,
            nic.network or "",
            nic.vlan,
            nic.addresses or (),
            nic.tags or frozenset(),
            (nic.port or "") if ports else "",
        )
        for nic in machine.nics
    ]


def inventory_of(machines: Iterable[Machine], *, ports: bool = False) -> Inventory:
    """Give an inventory in the order of UUIDs, so that it does not depend on who spoke first."""
    ordered = sorted(machines, key=lambda machine: machine.uuid)
    return build([interfaces_of(machine, ports=ports) for machine in ordered])


def inventory_after(
    before: Inventory, changed: Mapping[str, Machine | None], result: Mapping[str, Machine]
) -> Inventory:
    """Give the inventory of ``result``, made from the one ``before`` where machines only say something else.

    It costs what has changed then. ``before`` has to be one that :func:`inventory_of` has made.
    """
    machines = [machine for machine in changed.values() if machine is not None]
    found = None
    if len(machines) == len(changed) and len(before.vms) == len(result):
        found = exchanged(before, [interfaces_of(machine) for machine in machines])
    return found if found is not None else inventory_of(result.values())


def machines_of(inventory: Inventory) -> list[Machine]:
    """Give what an inventory document states: nothing is said of fields that it leaves empty."""
    nics: dict[str, list[Nic]] = {}
    for one in inventory.interfaces:
        nics.setdefault(one.vm.uuid, []).append(
            Nic(
                one.name,
                one.mac,
                one.network or None,
                one.vlan,
                one.addresses or None,
                one.tags or None,
                one.port or None,
            )
        )
    return [
        Machine(vm.uuid, vm.name, vm.os or None, vm.tags or None, tuple(nics.get(vm.uuid, ())))
        for vm in inventory.vms
    ]
