"""Which device of which bridge each VM interface is plugged into: a pure function of what was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from appliance.daemon.live.document import BridgeDocument
from appliance.daemon.live.finder import Device, Finder
from appliance.inventory.inventory import Inventory
from appliance.inventory.ports import NO_VLAN, Port, PortMap
from appliance.model.identity import VmInterface

__all__ = ["Device", "Finder", "Places", "identity_of", "locate", "zone_of"]

_VLAN_BITS = 12


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is: ``ports`` for the datapath, and what could not be placed."""

    ports: PortMap
    unbound: tuple[str, ...] = ()  # devices of bridges that belong to nobody: nothing passes there
    absent: tuple[str, ...] = ()  # labels of interfaces that are on no port of this host
    missing: tuple[str, ...] = ()  # bridges and uplinks that the appliance file names and nobody has made
    foreign: tuple[str, ...] = ()  # ports of bridges that are not ours, to be left alone
    held: tuple[Port, ...] = ()  # ports of interfaces that may not pass anything here for now

    def without(self, closed: Collection[tuple[str, str]]) -> Places:
        """Give the places with nothing passing at interfaces (UUID, name) that are ``closed``."""
        held = tuple(port for port in self.ports.ports if identity_of(port) in closed)
        if not held:
            return self
        return replace(self, ports=PortMap(one for one in self.ports.ports if one not in held), held=held)


def identity_of(port: Port) -> tuple[str, str]:
    """Give UUID and name of the interface at a port; empty for an uplink."""
    one = port.interface
    return (one.vm.uuid, one.name) if one is not None else ("", "")


def zone_of(number: int, vlan: int) -> int:
    """Number the segment of a bridge (counted from 0) and a tag on it: tenants do not mix between them.

    VLAN devices that are ports of one bridge are one segment: a request may come by one and its answer by
    another.
    """
    return (number + 1) << _VLAN_BITS | max(0, vlan)


def locate(
    devices: Iterable[Device],
    bridges: Iterable[BridgeDocument],
    inventory: Inventory,
    seen: Mapping[str, frozenset[bytes]],
    finder: Finder | None = None,
) -> Places:
    """Place the interfaces of ``inventory`` on the devices of ``bridges``.

    Weightiest first: the port that the inventory names, the one that a hypervisor names, the MAC that libvirt
    gives a tap, the VLAN of a trunk (where one interface has it), the only known MAC that was ``seen`` coming
    in by a device. An interface is at one place only, and a device that two interfaces claim is given to
    neither. ``finder`` is the index of this inventory, where there is one already.
    """
    finder = finder or Finder(inventory)
    numbers = {bridge.name: number for number, bridge in enumerate(bridges)}
    uplinks = {name for bridge in bridges for name in bridge.uplinks}
    ordered = sorted(devices, key=lambda device: device.name)
    mine = [device for device in ordered if device.bridge in numbers]
    foreign = tuple(d.name for d in ordered if d.bridge and d.bridge not in numbers)
    taken = _place([d for d in mine if d.name not in uplinks], finder, seen)
    ports, unbound = [], []
    for device in mine:
        zone = zone_of(numbers[device.bridge], NO_VLAN)
        if device.name in uplinks:
            ports.append(_port(device, None, zone, uplink=True))
        elif device.name in taken:
            ports.append(_port(device, taken[device.name], zone, uplink=False))
        else:
            unbound.append(device.name)
    there = {device.name for device in ordered}
    named = [name for bridge in bridges for name in (bridge.name, *bridge.uplinks)]
    missing = tuple(name for name in named if name not in there)
    return Places(PortMap(ports), tuple(unbound), finder.absent(taken.values()), missing, foreign)


def _port(device: Device, interface: VmInterface | None, zone: int, *, uplink: bool) -> Port:
    # A VLAN device takes the tag off: on the bridge its frames have none.
    return Port(device.name, device.index, interface, NO_VLAN, zone, device.bridge, uplink)


def _place(
    devices: list[Device], finder: Finder, seen: Mapping[str, frozenset[bytes]]
) -> dict[str, VmInterface]:
    taken: dict[str, VmInterface] = {}
    placed: set[int] = set()
    claims = (
        finder.named, finder.hinted, finder.tapped, finder.tagged,
        lambda device: finder.owning(seen.get(device.name, frozenset())),
    )  # fmt: skip
    for claim in claims:
        wanted: dict[str, list[VmInterface]] = {}
        for device in devices:
            if device.name not in taken:
                wanted[device.name] = [one for one in claim(device) if one.index not in placed]
        counts: dict[int, int] = {}
        for found in wanted.values():
            for one in found:
                counts[one.index] = counts.get(one.index, 0) + 1
        for name, found in wanted.items():
            if len(found) == 1 and counts[found[0].index] == 1:
                taken[name] = found[0]
        placed = {one.index for one in taken.values()}
    return taken
