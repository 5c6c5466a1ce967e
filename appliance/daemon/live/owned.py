"""What ownership keeps over a restart of the supervisor: which interfaces pass, and under which revision."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.daemon.live.moves import Identity
from appliance.handoff.store import identity_in, is_count

_FILE = "ownership.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MAX_FILE = 32 << 20


class Owned:
    """A file that says who passes.

    It counts until the host is started anew: then nothing passes any more, and another host may have taken
    what was here. A file that makes no sense counts for nothing: its interfaces are claimed anew.
    """

    def __init__(self, folder: Path) -> None:
        """Read the file in ``folder``."""
        self._path = folder / _FILE
        found = _read(self._path)
        self._boot = _boot()
        self._passing = _passing_in(found) if found.get("boot") == self._boot else {}
        instance = found.get("instance")
        self.instance = (
            instance if isinstance(instance, str) and 0 < len(instance) <= 64 else uuid.uuid4().hex
        )

    def passing(self) -> dict[Identity, int]:
        """Give what passed before a restart, with revisions."""
        return self._passing

    def save(self, passing: Mapping[Identity, int]) -> str:
        """Write who passes now; gives what went wrong, "" for nothing.

        Where it cannot be written what is there is removed: it would say of interfaces that were given away
        that they pass.
        """
        listed = [{"uuid": one[0], "name": one[1], "revision": at} for one, at in passing.items()]
        data = {"instance": self.instance, "boot": self._boot, "passing": listed}
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(data))
            beside.replace(self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            return f"{self._path}: {error.strerror}; interfaces will be claimed anew after a restart"
        return ""


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return uuid.uuid4().hex


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _passing_in(found: Mapping[str, Any]) -> dict[Identity, int]:
    listed = found.get("passing")
    passing: dict[Identity, int] = {}
    for one in listed if isinstance(listed, list) else ():
        identity = identity_in(one) if isinstance(one, dict) else None
        if identity is not None and is_count(one.get("revision")):
            passing[identity] = one["revision"]
    return passing
