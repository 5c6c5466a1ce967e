"""What hypervisors have told, kept in a file: used at a start until they answer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance.daemon.live.finder import Identity, Whereabouts
from appliance.hypervisor.messages import MessageError, plain, read_machine
from appliance.inventory.inventory import Inventory
from appliance.inventory.machines import Machine, inventory_after, inventory_of

FILE = "inventory.json"
_VERSION = 1
_MAX_FILE = 256 << 20

View = dict[str, Machine]


@dataclass(slots=True)
class Change:
    """Machines (by UUID, without where they are) as they are to be in force from now on; None for those gone.

    ``result`` are all machines after it, ``digest`` tells them apart from others.
    """

    machines: dict[str, Machine | None] = field(default_factory=dict)
    result: View = field(default_factory=dict)
    digest: str = ""

    def inventory(self) -> Inventory:
        """Give the inventory after the change; takes some 10 µs for each interface."""
        return inventory_of(self.result.values())

    def inventory_after(self, before: Inventory) -> Inventory:
        """Give the same, made from the inventory in force: it costs what has changed where it can."""
        return inventory_after(before, self.machines, self.result)

    def order(self) -> dict[str, Any]:
        """Write the change down for workers."""
        return {uuid: plain(one) if one is not None else None for uuid, one in self.machines.items()}


def settled(machine: Machine | None) -> Machine | None:
    """Give a machine without what changes as it moves: policies and workers have no use for that."""
    if machine is None:
        return None
    nics = tuple(replace(nic, port=None) for nic in machine.nics)
    return replace(machine, nics=nics, power=None, host=None, here=None)


def where(machines: Iterable[Machine]) -> Whereabouts:
    """Say where machines are, for whoever looks for them at the ports of this host."""
    ports: dict[Identity, str] = {}
    elsewhere = set()
    for machine in machines:
        if machine.here is False:
            elsewhere.add(machine.uuid)
        elif machine.here:
            ports |= {(machine.uuid, nic.name): nic.port for nic in machine.nics if nic.port}
    return Whereabouts(ports, frozenset(elsewhere))


def digest_of(machine: Machine) -> int:
    """Give a number for a machine; their sum stands for all of them, in whatever order they came."""
    text = json.dumps(plain(machine), sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(text).digest())


def unpack(data: Mapping[str, Any]) -> dict[str, Machine | None]:
    """Read a change that :meth:`Change.order` has written."""
    return {uuid: read_machine(one) if one is not None else None for uuid, one in data.items()}


def pack_all(machines: Iterable[Machine]) -> bytes:
    """Write machines down for a worker that starts."""
    return json.dumps([plain(one) for one in machines], separators=(",", ":")).encode()


def unpack_all(data: bytes) -> View:
    """Read what :func:`pack_all` has written."""
    return {one.uuid: one for one in map(read_machine, json.loads(data))}


class Notebook:
    """Writes down what each provider has said last, each machine's words once."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``."""
        self._path = path
        self._texts: dict[str, dict[str, tuple[Machine, str]]] = {}

    def save(self, views: Mapping[str, Iterable[Machine]]) -> None:
        """Write all views.

        Raises:
            OSError: it did not work; the file is as it was.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(f'{{"version":{_VERSION},"views":{{')
            parts = (f"{json.dumps(name)}:[{self._texts_of(name, view)}]" for name, view in views.items())
            file.write(f"{','.join(parts)}}}}}")
        beside.replace(self._path)

    def _texts_of(self, name: str, view: Iterable[Machine]) -> str:
        before, now = self._texts.get(name, {}), {}
        for machine in view:
            known = before.get(machine.uuid)
            if known is None or known[0] is not machine:
                known = (machine, json.dumps(plain(machine), separators=(",", ":")))
            now[machine.uuid] = known
        self._texts[name] = now
        return ",".join(text for _, text in now.values())


def load(path: Path) -> tuple[dict[str, View], str]:
    """Read what each provider had said; says what is wrong with the file, "" for nothing.

    Where machines were is not taken from it: devices may have other guests by now. A machine that makes no
    sense is left out, so that its interfaces are unknown until a provider tells of them.
    """
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_MAX_FILE))
        if data["version"] != _VERSION:
            return {}, f"{path}: is of another version"
        return {str(name): _view(machines) for name, machines in data["views"].items()}, ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, f"{path}: makes no sense"


def _view(machines: Iterable[Any]) -> View:
    found = {}
    for data in machines:
        try:
            machine = settled(read_machine(data))
        except MessageError:
            continue
        if machine is not None:
            found[machine.uuid] = machine
    return found
