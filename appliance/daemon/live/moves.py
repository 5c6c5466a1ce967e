"""A worker's part in moving an interface: its flows written down, taken in, let go of, a little at a time.

Descriptors of memory files come along with the orders, so that nothing has to be pushed through a socket
while packets wait. A step works for a few milliseconds at most, and goes on between the next batches.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from appliance.daemon.live.channel import Message
from appliance.engine.engine import Engine
from appliance.engine.restore import Restorer

_BUDGET = 3_000_000  # ns of one step
_MAX_JOBS = 64
_READ = 256 << 10
_MAX_LINE = 64 << 20  # a slice of 64 flows, each with all that waits in it
MAX_FILE = 512 << 20

Identity = tuple[str, str]
Answer = Callable[[Message], None]


class Moves:
    """The moves that a worker is busy with, one after the other."""

    def __init__(
        self, engine: Engine, answer: Answer, clock: Callable[[], int], ticks: Callable[[], int]
    ) -> None:
        """Work on ``engine``; ``clock`` gives ns since the epoch, ``ticks`` ns that never step back."""
        self._engine = engine
        self._answer = answer
        self._clock = clock
        self._ticks = ticks
        self._jobs: deque[Iterator[None]] = deque()

    @property
    def busy(self) -> bool:
        """Tell whether there is something left to do."""
        return bool(self._jobs)

    def start(self, message: Message, fd: int | None) -> None:
        """Take an order: ``export``, ``import`` or ``forget``. ``fd`` is ours from now on."""
        makers = {"export": self._export, "import": self._import, "forget": self._forget}
        if len(self._jobs) >= _MAX_JOBS or (fd is None and message["do"] != "forget"):
            if fd is not None:
                os.close(fd)
            self._answer({"is": "moved", "call": message["call"], "error": "too busy"})
            return
        self._jobs.append(makers[message["do"]](message, fd if fd is not None else -1))

    def step(self) -> None:
        """Go on for a few milliseconds."""
        until = self._ticks() + _BUDGET
        while self._jobs and self._ticks() < until:
            if next(self._jobs[0], self) is self:
                self._jobs.popleft()

    def _export(self, message: Message, fd: int) -> Iterator[None]:
        error = ""
        try:
            for part in self._engine.export((message["uuid"], message["name"])):
                if os.lseek(fd, 0, os.SEEK_CUR) > MAX_FILE:
                    error = "too much to carry"
                    break
                _write(fd, json.dumps(part, separators=(",", ":")).encode() + b"\n")
                yield
        except OSError as failure:
            error = str(failure)
        finally:
            os.close(fd)
        self._answer({"is": "moved", "call": message["call"], "error": error})

    def _import(self, message: Message, fd: int) -> Iterator[None]:
        here = frozenset((uuid, name) for uuid, name in message["here"])
        taking = Restorer(self._engine.pipeline, message["zone"], here)
        error = ""
        try:
            for line in _lines(fd):
                # A reload between two steps has put another pipeline in the place of the old one.
                taking.follow(self._engine.pipeline)
                taking.take(json.loads(line), self._clock())
                yield
        except (OSError, ValueError) as failure:
            error = str(failure)
        finally:
            os.close(fd)
        self._answer({"is": "moved", "call": message["call"], "error": error, "counts": taking.counts})

    def _forget(self, message: Message, fd: int) -> Iterator[None]:
        del fd
        here = frozenset((uuid, name) for uuid, name in message["here"])
        count = self._engine.forget((message["uuid"], message["name"]), here)
        self._answer({"is": "moved", "call": message["call"], "error": "", "counts": {"flows": count}})
        yield


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _lines(fd: int) -> Iterator[bytes]:
    """Give the lines of a file that others read too: each reader has a place of its own."""
    place, rest = 0, b""
    while data := os.pread(fd, _READ, place):
        place += len(data)
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > _MAX_LINE:
            raise ValueError("a line that is too long")
        yield from lines


def read_slices(fd: int) -> list[dict[str, Any]]:
    """Read what a worker has written down.

    Raises:
        ValueError: it is not what a worker writes.
    """
    return [json.loads(line) for line in _lines(fd)]
