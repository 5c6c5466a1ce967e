"""Lines for the service manager's log: nobody who does not read them may hold up what has to be done."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TextIO

MOST = 1000  # lines that may wait
_PATIENCE = 1.0  # seconds at the end for what waits


class Lines:
    """Writes lines to a stream from a thread of its own; what finds no room is counted, and said."""

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self.lost = 0
        self._stream = stream
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST)
        self._thread = threading.Thread(target=self._write, name="lines", daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Have a line written as soon as it goes; never waits."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Write what waits, as far as somebody reads it."""
        with contextlib.suppress(queue.Full):  # then it ends with the process
            self._waiting.put(None, timeout=_PATIENCE)
            self._thread.join(_PATIENCE)

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            lost, self.lost = self.lost, 0
            more = f"\neastwall: {lost} lines were not written, since nobody read them" if lost else ""
            try:
                print(line + more, file=self._stream, flush=True)
            except (OSError, ValueError):
                continue  # the reader is gone: records tell the same
