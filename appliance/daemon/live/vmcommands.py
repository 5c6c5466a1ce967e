"""What may be asked of the running appliance about machines (``eastwall vm``)."""

from __future__ import annotations

from typing import Any

from appliance.config.addresses import format_range
from appliance.daemon.live.channel import Message
from appliance.daemon.live.protection import protection
from appliance.daemon.live.supervisor import Supervisor
from appliance.inventory.machines import Machine
from appliance.inventory.ports import Port
from appliance.model.identity import Vm, VmInterface

_MAX_LIST = 20_000


class VmError(Exception):
    """The request cannot be carried out; the message is for whoever asked."""


class VmCommands:
    """Answers ``vm`` requests: ``action`` is ``list``, ``show`` or ``history``."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Speak for ``supervisor``."""
        self._supervisor = supervisor
        self._actions = {"list": self._list, "show": self._show, "history": self._history}

    async def answer(self, request: Message, fds: list[int]) -> Any:
        """Carry out one request.

        Raises:
            VmError: it cannot be carried out.
        """
        del fds
        action = self._actions.get(str(request.get("action", "")))
        if action is None:
            raise VmError(f"unknown action; known: {', '.join(self._actions)}")
        return action(request)

    def _list(self, request: Message) -> Any:
        """Give every machine in short; with ``here`` those of this host."""
        ports, machines = self._ports(), self._machines()
        found = [
            self._short(vm, machines.get(vm.uuid), ports) for vm in self._supervisor.intent.inventory.vms
        ]
        if request.get("here") is True:
            found = [one for one in found if one["ports"] or one.get("here")]
        found.sort(key=lambda one: (one["name"], one["uuid"]))
        return {"machines": found[:_MAX_LIST]}

    def _show(self, request: Message) -> Any:
        vm = self._vm(request)
        if vm is None:
            raise VmError(f"no machine with the name or UUID {request.get('vm', '')!r} is in the inventory")
        ports, machine = self._ports(), self._machines().get(vm.uuid)
        inventory = self._supervisor.intent.inventory
        own = [one for one in inventory.interfaces if one.vm.uuid == vm.uuid]
        return self._short(vm, machine, ports) | {
            "os": vm.os,
            "quarantined": vm.uuid in self._supervisor.intent.forced,
            "interfaces": [self._interface(one, ports.get((vm.uuid, one.name))) for one in own],
            "history": self._supervisor.hypervisors.history.of(vm.uuid)[-5:],
        }

    def _history(self, request: Message) -> Any:
        """Give what happened to a machine, also to one that is gone."""
        history, name = self._supervisor.hypervisors.history, str(request.get("vm", ""))
        vm = self._vm(request)
        uuid = vm.uuid if vm is not None else name if history.of(name) else history.named(name)
        if not uuid:
            raise VmError(f"nothing is known of a machine with the name or UUID {name!r}")
        return {"uuid": uuid, "events": history.of(uuid)}

    def _vm(self, request: Message) -> Vm | None:
        """Find a machine by UUID or name.

        Raises:
            VmError: several machines have this name.
        """
        name = str(request.get("vm", ""))
        vms = self._supervisor.intent.inventory.vms
        found = [vm for vm in vms if vm.uuid == name] or [vm for vm in vms if vm.name == name]
        if len(found) > 1:
            raise VmError(f"{len(found)} machines have the name {name!r}; say the UUID: "
                          + ", ".join(vm.uuid for vm in found[:10]))  # fmt: skip
        return found[0] if found else None

    def _machines(self) -> dict[str, Machine]:
        return {machine.uuid: machine for machine in self._supervisor.hypervisors.machines()}

    def _ports(self) -> dict[tuple[str, str], Port]:
        return {
            (port.interface.vm.uuid, port.interface.name): port
            for port in self._supervisor.places.ports.ports
            if port.interface is not None
        }

    def _short(self, vm: Vm, machine: Machine | None, ports: dict[tuple[str, str], Port]) -> dict[str, Any]:
        own = machine.nics if machine is not None else ()
        names = [nic.name for nic in own] or [name for uuid, name in ports if uuid == vm.uuid]
        found: dict[str, Any] = {
            "uuid": vm.uuid,
            "name": vm.name,
            "tags": sorted(vm.tags),
            "ports": [ports[vm.uuid, name].name for name in names if (vm.uuid, name) in ports],
        }
        if machine is not None:
            found["host"] = machine.host or ""
            found["here"] = machine.here
            found["power"] = machine.power.value if machine.power is not None else ""
        return found

    def _interface(self, one: VmInterface, port: Port | None) -> dict[str, Any]:
        said = protection(self._supervisor.intent, one)
        return {
            "name": one.name,
            "mac": one.mac.hex(":"),
            "network": one.network,
            "vlan": one.vlan,
            "addresses": [format_range(prefix) for prefix in one.addresses],
            "tags": sorted(one.tags),
            "port": port.name if port is not None else "",
            "policy": said["policy"],
            "binding": said["binding"],
        }
