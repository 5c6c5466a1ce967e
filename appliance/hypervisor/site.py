"""What a vCenter says of its objects, by property paths, and the machines that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.config.addresses import parse_mac
from appliance.hypervisor.options import clean
from appliance.inventory.machines import MAX_NICS, Machine, Nic, Power

PATHS = {
    "VirtualMachine": (
        "name",
        "config.instanceUuid",
        "config.template",
        "config.hardware.device",
        "config.guestId",
        "customValue",
        "parent",
        "runtime.host",
        "runtime.powerState",
    ),
    "HostSystem": ("name", "parent"),
    "ComputeResource": ("name",),
    "Folder": ("name", "parent"),
    "Network": ("name",),
    "DistributedVirtualPortgroup": ("name", "key", "config.defaultPortConfig"),
    "CustomFieldsManager": ("field",),
}
_VM = "VirtualMachine"
_MAX_DEPTH = 32  # of folders
_POWER = {"poweredOn": Power.ON, "poweredOff": Power.OFF, "suspended": Power.SUSPENDED}
_SYSTEMS = (("win", "windows"), ("freebsd", "bsd"), ("darwin", "macos"), ("solaris", "solaris"))

Properties = dict[str, Any]


def ident(reference: Any) -> str:
    """Give the identity of a managed object, "" for none."""
    return str(getattr(reference, "_moId", "") or "")


class Site:
    """All objects of a vCenter that matter; ``host`` is its name of this host, "" where nobody has said."""

    def __init__(self, host: str) -> None:
        """Start with nothing known."""
        self.tags: dict[str, frozenset[str]] = {}  # vSphere's own, by the identity of the machine
        self._host = host
        self._objects: dict[str, dict[str, Properties]] = {}
        self._uuids: dict[str, set[str]] = {}
        self._fields: dict[int, str] = {}
        self._groups: dict[str, Properties] = {}

    def update(self, kind: str, key: str, changes: Iterable[tuple[str, Any]]) -> set[str]:
        """Take properties of an object; gives the UUIDs of machines that may differ now."""
        mine = self._objects.setdefault(kind, {}).setdefault(key, {})
        before = str(mine.get("config.instanceUuid") or "")
        mine.update(changes)
        if kind == _VM:
            return self._identify(key, before, str(mine.get("config.instanceUuid") or ""))
        if kind == "DistributedVirtualPortgroup":
            self._groups = {str(one.get("key")): one for one in self._objects[kind].values()}
        if kind == "CustomFieldsManager":
            self._fields = {int(one.key): clean(str(one.name)) for one in mine.get("field") or ()}
        return set(self._uuids)

    def remove(self, kind: str, key: str) -> set[str]:
        """Forget an object; gives the UUIDs of machines that may differ now."""
        gone = self._objects.get(kind, {}).pop(key, {})
        if kind != _VM:
            return set(self._uuids)
        return self._identify(key, str(gone.get("config.instanceUuid") or ""), "")

    def _identify(self, key: str, before: str, now: str) -> set[str]:
        if before != now and before:
            self._uuids[before].discard(key)
            if not self._uuids[before]:
                del self._uuids[before]
        if now:
            self._uuids.setdefault(now, set()).add(key)
        return {uuid for uuid in (before, now) if uuid}

    def machine(self, uuid: str) -> Machine | None:
        """Give a machine. Of several with one UUID it is always the same one that counts."""
        keys = self._uuids.get(uuid)
        found = self._objects[_VM][min(keys)] if keys else None
        if found is None or found.get("config.template"):
            return None
        host = self._name("HostSystem", found.get("runtime.host"))
        return Machine(
            uuid,
            clean(str(found.get("name") or "")) or None,
            _system(str(found.get("config.guestId") or "")),
            self._tags(min(keys or ()), found),
            tuple(self._nics(found.get("config.hardware.device") or ())),
            _POWER.get(str(found.get("runtime.powerState"))),
            host or None,
            host == self._host if self._host and host else None,
        )

    def machines(self) -> list[Machine]:
        """Give all machines."""
        found = (self.machine(uuid) for uuid in self._uuids)
        return [machine for machine in found if machine is not None]

    def uuid_of(self, key: str) -> str:
        """Give the UUID of a machine by the identity of its object, "" when it is not known."""
        return str(self._objects.get(_VM, {}).get(key, {}).get("config.instanceUuid") or "")

    def on_host(self, key: str) -> list[str]:
        """Give the UUIDs of machines on a host, by the identity of its object."""
        machines = self._objects.get(_VM, {})
        return [self.uuid_of(vm) for vm, one in machines.items() if ident(one.get("runtime.host")) == key]

    def is_here(self, host: str) -> bool | None:
        """Tell whether a host of this name is this one; None where nobody has said which is."""
        return host == self._host if self._host and host else None

    def _name(self, kind: str, reference: Any) -> str:
        return clean(str(self._objects.get(kind, {}).get(ident(reference), {}).get("name") or ""))

    def _tags(self, key: str, found: Properties) -> frozenset[str]:
        host = self._objects.get("HostSystem", {}).get(ident(found.get("runtime.host")), {})
        cluster = self._name("ComputeResource", host.get("parent"))
        tags = [f"folder:{name}" for name in self._folders(found.get("parent"))]
        tags += [f"cluster:{cluster}"] if cluster else []
        for value in found.get("customValue") or ():
            name = self._fields.get(int(value.key))
            if name and getattr(value, "value", ""):
                tags.append(f"{name}={value.value}")
        return frozenset(clean(tag) for tag in tags) | self.tags.get(key, frozenset())

    def _folders(self, parent: Any) -> list[str]:
        """Name the folders that a machine is in, but for the one of its data centre that holds all."""
        names: list[str] = []
        folders = self._objects.get("Folder", {})
        for _ in range(_MAX_DEPTH):
            folder = folders.get(ident(parent))
            above = folders.get(ident(folder.get("parent"))) if folder is not None else None
            if folder is None or above is None:
                break
            names.append(str(folder.get("name") or ""))
            parent = folder.get("parent")
        return [name for name in names if name]

    def _nics(self, devices: Iterable[Any]) -> list[Nic]:
        nics = []
        for device in devices:
            try:
                mac = parse_mac(str(getattr(device, "macAddress", None) or ""))
            except ValueError:
                continue  # a disk, say, or an interface that has never been powered on
            label = getattr(getattr(device, "deviceInfo", None), "label", "") or mac.hex(":")
            network, vlan = self._network(getattr(device, "backing", None))
            nics.append(Nic(clean(str(label)), mac, network, vlan))
        return nics[:MAX_NICS]

    def _network(self, backing: Any) -> tuple[str | None, int | None]:
        """Name the port group of an interface, with its VLAN where a distributed switch says so."""
        port = getattr(backing, "port", None)
        if port is not None:
            group = self._groups.get(str(port.portgroupKey), {})
            vlan = getattr(getattr(group.get("config.defaultPortConfig"), "vlan", None), "vlanId", None)
            return clean(str(group.get("name") or "")) or None, vlan if isinstance(
                vlan, int
            ) and vlan else None
        name = self._name("Network", getattr(backing, "network", None))
        return name or clean(str(getattr(backing, "deviceName", None) or "")) or None, None


def _system(guest: str) -> str | None:
    if not guest:
        return None
    lowered = guest.lower()
    return next((name for start, name in _SYSTEMS if lowered.startswith(start)), "linux")
