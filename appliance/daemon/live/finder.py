"""Which interfaces may be behind a device: the inventory, indexed by what devices tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.inventory.inventory import Inventory
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


class Finder:
    """Answers which interfaces claim a device. It does not change.

    A tap is made by the hypervisor of this host, so it tells more than what is said from afar. A VLAN, or a
    MAC that comes in, counts only for machines that are not known to be elsewhere: a guest can send any MAC.
    """

    def __init__(self, inventory: Inventory, where: Whereabouts = NOWHERE) -> None:
        """Index ``inventory``."""
        self._inventory = inventory
        self._where = where
        self._named: dict[str, list[VmInterface]] = {}
        self._hinted: dict[str, list[VmInterface]] = {}
        self._tapped: dict[bytes, list[VmInterface]] = {}
        self._tagged: dict[int, list[VmInterface]] = {}
        self._owning: dict[bytes, list[VmInterface]] = {}
        for one in inventory.interfaces:
            self._index(one)

    def _index(self, one: VmInterface) -> None:
        if one.port:
            self._named.setdefault(one.port, []).append(one)
            return
        hint = self._where.ports.get((one.vm.uuid, one.name))
        if hint:
            self._hinted.setdefault(hint, []).append(one)
        self._tapped.setdefault(one.mac[1:], []).append(one)
        if one.vm.uuid in self._where.elsewhere:
            return
        self._owning.setdefault(one.mac, []).append(one)
        if one.vlan is not None:
            self._tagged.setdefault(one.vlan, []).append(one)

    def is_of(self, inventory: Inventory, where: Whereabouts) -> bool:
        """Tell whether it was made of these very objects."""
        return self._inventory is inventory and self._where is where

    def named(self, device: Device) -> list[VmInterface]:
        """Give those for which the inventory names the device."""
        return self._named.get(device.name, [])

    def hinted(self, device: Device) -> list[VmInterface]:
        """Give those for which a hypervisor names the device, unless its MAC says otherwise.

        A hypervisor that was not heard of for a while may speak of a device that has another guest by now.
        """
        found = self._hinted.get(device.name, [])
        return [one for one in found if not _is_tap(device) or one.mac[1:] == device.mac[1:]]

    def tapped(self, device: Device) -> list[VmInterface]:
        """Give those whose MAC the device has, as libvirt gives it."""
        return self._tapped.get(device.mac[1:], []) if _is_tap(device) else []

    def tagged(self, device: Device) -> list[VmInterface]:
        """Give those of the device's VLAN."""
        return self._tagged.get(device.vlan, []) if device.vlan != NO_VLAN else []

    def owning(self, macs: Iterable[bytes]) -> list[VmInterface]:
        """Give those whose MAC is among ``macs``."""
        return [one for mac in macs for one in self._owning.get(mac, ())]

    def absent(self, here: Iterable[VmInterface]) -> tuple[str, ...]:
        """Name those that are not ``here`` and of which nobody says that they are on another host."""
        found = {one.index for one in here}
        elsewhere = self._where.elsewhere
        return tuple(
            one.label
            for one in self._inventory.interfaces
            if one.index not in found and one.vm.uuid not in elsewhere
        )


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
            self._last = Finder(inventory, where)
        return self._last
