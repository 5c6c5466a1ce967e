"""Machines that are cut off until somebody releases them; remembered across restarts."""

from __future__ import annotations

import json
import os
from pathlib import Path

from appliance.inventory.inventory import Inventory
from appliance.model.identity import Vm

POLICY = "quarantine"
_FILE = "quarantine.json"


class Quarantine:
    """The UUIDs of machines that are held, whatever their bindings say."""

    def __init__(self, folder: Path) -> None:
        """Read who was held last. A file that cannot be read is an error: nobody is released by accident.

        Raises:
            ValueError: the file is there and makes no sense.
        """
        self._path = folder / _FILE
        self._held: set[str] = set()
        if self._path.exists():
            held = json.loads(self._path.read_text())
            if not isinstance(held, list) or not all(isinstance(one, str) for one in held):
                raise ValueError(f"{self._path}: not a list of UUIDs")
            self._held = set(held)

    @property
    def forced(self) -> dict[str, str]:
        """Give what compiling policies takes: the policy of each machine that is held."""
        return dict.fromkeys(sorted(self._held), POLICY)

    def hold(self, uuid: str) -> bool:
        """Take a machine in; tells whether that changes anything."""
        return self._change(self._held | {uuid})

    def release(self, uuid: str) -> bool:
        """Let a machine go; tells whether that changes anything."""
        return self._change(self._held - {uuid})

    def _change(self, held: set[str]) -> bool:
        if held == self._held:
            return False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(sorted(held)))
        beside.replace(self._path)
        self._held = held
        return True


def find_vm(inventory: Inventory, name: str) -> Vm | None:
    """Find a machine by its UUID or name."""
    return next((vm for vm in inventory.vms if name in {vm.uuid, vm.name}), None)
