"""Which interfaces may be behind a device: the inventory, indexed by what devices tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field

from appliance.inventory.inventory import Inventory, differing
from appliance.inventory.ports import NO_VLAN
from appliance.model.identity import VmInterface

_TAP = 0xFE  # libvirt gives a tap the MAC of its guest with this first byte

Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Device:
    """One network device. ``bridge`` is the bridge it is a port of, ``vlan`` the tag that it takes off."""

    name: str
    index: int
    mac: bytes
    bridge: str = ""
    vlan: int = NO_VLAN


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What hypervisors say: the devices of interfaces, and the machines (by UUID) that are on other hosts."""

    ports: Mapping[Identity, str] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()


NOWHERE = Whereabouts()


class Index:
    """The interfaces of an inventory, by number, under what devices tell. It does not change.

    One that the inventory gives a port is found by that and nothing else.
    """

    def __init__(self, inventory: Inventory) -> None:
        """Index ``inventory``."""
        self.inventory = inventory
        self.places: dict[Identity, int] = {}
        self.named: dict[str, list[int]] = {}
        self.tapped: dict[bytes, list[int]] = {}
        self.tagged: dict[int, list[int]] = {}
        self.owning: dict[bytes, list[int]] = {}
        for one in inventory.interfaces:
            self._add(one)

    def _add(self, one: VmInterface) -> None:
        if one.port:
            self.named.setdefault(one.port, []).append(one.index)
            return
        self.places[one.vm.uuid, one.name] = one.index
        self.tapped.setdefault(one.mac[1:], []).append(one.index)
        self.owning.setdefault(one.mac, []).append(one.index)
        if one.vlan is not None:
            self.tagged.setdefault(one.vlan, []).append(one.index)

    def following(self, inventory: Inventory) -> Index:
        """Give the index of another inventory: the same where all interfaces are found by the same."""
        places = differing(self.inventory, inventory)
        before, now = self.inventory.interfaces, inventory.interfaces
        if places is None or any(_found_by(before[place]) != _found_by(now[place]) for place in places):
            return Index(inventory)
        found = copy(self)
        found.inventory = inventory
        return found


def _found_by(one: VmInterface) -> tuple[object, ...]:
    return one.vm.uuid, one.name, one.mac, one.vlan, one.port


class Finder:
    """Answers which interfaces claim a device. It does not change.

    A tap is made by the hypervisor of this host, so it tells more than what is said from afar. A VLAN, or a
    MAC that comes in, counts only for machines that are not known to be elsewhere: a guest can send any MAC.
    """

    def __init__(
        self, inventory: Inventory, where: Whereabouts = NOWHERE, index: Index | None = None
    ) -> None:
        """Take ``inventory``, and its index where there is one already."""
        self.index = index or Index(inventory)
        self._inventory = inventory
        self._where = where
        self._hinted: dict[str, list[int]] = {}
        for identity, port in where.ports.items():
            place = self.index.places.get(identity)
            if place is not None:
                self._hinted.setdefault(port, []).append(place)
        self._near = [one for one in inventory.interfaces if one.vm.uuid not in where.elsewhere]

    def is_of(self, inventory: Inventory, where: Whereabouts) -> bool:
        """Tell whether it was made of these very objects."""
        return self._inventory is inventory and self._where is where

    def named(self, device: Device) -> list[VmInterface]:
        """Give those for which the inventory names the device."""
        return self._all(self.index.named.get(device.name, ()))

    def hinted(self, device: Device) -> list[VmInterface]:
        """Give those for which a hypervisor names the device, unless its MAC says otherwise.

        A hypervisor that was not heard of for a while may speak of a device that has another guest by now.
        """
        found = self._all(self._hinted.get(device.name, ()))
        return [one for one in found if not _is_tap(device) or one.mac[1:] == device.mac[1:]]

    def tapped(self, device: Device) -> list[VmInterface]:
        """Give those whose MAC the device has, as libvirt gives it."""
        return self._all(self.index.tapped.get(device.mac[1:], ())) if _is_tap(device) else []

    def tagged(self, device: Device) -> list[VmInterface]:
        """Give those of the device's VLAN."""
        return self._here(self.index.tagged.get(device.vlan, ())) if device.vlan != NO_VLAN else []

    def owning(self, macs: Iterable[bytes]) -> list[VmInterface]:
        """Give those whose MAC is among ``macs``."""
        return [one for mac in macs for one in self._here(self.index.owning.get(mac, ()))]

    def _all(self, places: Iterable[int]) -> list[VmInterface]:
        return [self._inventory.interfaces[place] for place in places]

    def _here(self, places: Iterable[int]) -> list[VmInterface]:
        """Give those of which nobody says that they are on another host."""
        return [one for one in self._all(places) if one.vm.uuid not in self._where.elsewhere]

    def absent(self, here: Iterable[VmInterface]) -> tuple[str, ...]:
        """Name those that are not ``here`` and of which nobody says that they are on another host."""
        found = {one.index for one in here}
        return tuple(one.label for one in self._near if one.index not in found)


def _is_tap(device: Device) -> bool:
    return bool(device.mac) and device.mac[0] == _TAP


class FinderCache:
    """The finder of what was asked for last."""

    def __init__(self) -> None:
        """Start with none."""
        self._last: Finder | None = None

    def of(self, inventory: Inventory, where: Whereabouts) -> Finder:
        """Give the finder of these very objects."""
        if self._last is None or not self._last.is_of(inventory, where):
            index = self._last.index.following(inventory) if self._last is not None else None
            self._last = Finder(inventory, where, index)
        return self._last
