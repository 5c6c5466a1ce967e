"""The provider ``static``: a file, read again whenever it changes. A broken one changes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.hypervisor.emitter import BEAT, Emitter
from appliance.hypervisor.options import first_error
from appliance.inventory.document import load_inventory
from appliance.inventory.machines import Machine, machines_of

_LOOK = 0.2  # seconds between looks at the file

Look = tuple[int, int, int, int] | None


class StaticFile:
    """The file, and what it said when it was last in order."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is read."""
        self._path = path
        self._look: Look = (0, 0, 0, 0)

    def changed(self) -> bool:
        """Tell whether the file is another than at the last call."""
        before, self._look = self._look, self._state()
        return self._look != before

    def _state(self) -> Look:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - one call, no object
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size

    def read(self) -> tuple[list[Machine], str]:
        """Give the machines, or say what is wrong with file, line and field."""
        try:
            inventory, errors = load_inventory(self._path)
        except OSError as error:
            return [], f"{self._path}: {error.strerror}"
        if inventory is None:
            return [], first_error(errors)
        return machines_of(inventory), ""


def run(options: dict[str, Any], emitter: Emitter, pause: Callable[[float], None] = time.sleep) -> None:
    """Tell of the file's machines for ever; ``pause`` waits so many seconds."""
    file, beat, why, told = StaticFile(Path(options["file"])), 0.0, "", False
    while True:
        if file.changed():
            before = why
            machines, why = file.read()
            if not why and told:
                emitter.all(machines)  # who is not in the file any more is gone at once
            if not why and (before or not told):
                emitter.sync(machines)
                told = True
            beat = 0.0
        if beat <= 0.0:
            emitter.trouble(why) if why else emitter.beat()
            beat = BEAT
        pause(_LOOK)
        beat -= _LOOK
