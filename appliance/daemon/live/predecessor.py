"""The worker that had this place before: told to go when its successor is ready, its flows taken over.

A worker without a supervisor goes on judging. So when the supervisor was killed, or starts the program
anew, the queues have a reader until a new worker has read its rules; only then the old one is asked to write
down its flows and leave.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_WAIT = 5.0
_STEP = 0.01
_FRESH = 120.0  # seconds after which what was written down is of connections that have gone on without us
_MODULE = "appliance.daemon.live.workermain"


class Place:
    """Files by which successive workers of one number find each other, in ``folder``."""

    def __init__(self, folder: Path, number: int) -> None:
        """Name the files; nothing is touched."""
        self._pid = folder / f"worker-{number}.pid"
        self._flows = folder / f"worker-{number}.flows"

    def take(self) -> None:
        """Send a predecessor away, if there is one, and write down that the place is ours."""
        pid = self._predecessor()
        if pid:
            _leave(pid)
        self._pid.write_text(str(os.getpid()))

    def give(self) -> None:
        """Give the files to whoever runs us next, also when we run as somebody else by then."""
        if self._pid.exists() and self._pid.read_text() == str(os.getpid()):
            self._pid.unlink()

    def _predecessor(self) -> int:
        try:
            pid = int(self._pid.read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return 0
        return pid if _MODULE.encode() in arguments and pid != os.getpid() else 0

    def save(self, chunks: Iterable[Any]) -> None:
        """Write down flows, one chunk a line; whoever comes next finds all of them or none."""
        beside = self._flows.with_suffix(".new")
        try:
            with beside.open("w", encoding="ascii") as file:
                for chunk in chunks:
                    file.write(json.dumps(chunk) + "\n")
            beside.replace(self._flows)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)

    def load(self, now: float) -> Iterator[Any]:
        """Give what was written down lately, once."""
        taken = self._flows.with_suffix(".taken")
        try:
            age = now - self._flows.stat().st_mtime
            self._flows.replace(taken)
            if age > _FRESH:
                return
            with taken.open(encoding="ascii") as file:
                for line in file:
                    with contextlib.suppress(ValueError):
                        yield json.loads(line)
        except OSError:
            return
        finally:
            with contextlib.suppress(OSError):
                taken.unlink(missing_ok=True)


def _leave(pid: int) -> None:
    """Ask a process to leave, and insist."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + _WAIT
        while time.monotonic() < until:
            if not _alive(pid):
                return
            time.sleep(_STEP)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
