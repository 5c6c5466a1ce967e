"""The way from the reporter's loop to the thread of one output: bounded, never waits."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence

from appliance.daemon.reporter.record import Record


class Inbox:
    """Records for one output. The descriptor of :meth:`fileno` can be read while there is something to do."""

    def __init__(self, limit: int) -> None:
        """Hold records of up to ``limit`` bytes; those beyond are lost and counted."""
        self._limit = limit
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._bytes = 0
        self._reopen = False
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.lost = 0
        self.closed = False
        self.deadline = 0

    def fileno(self) -> int:
        """Give the descriptor to wait for."""
        return self._event

    @property
    def held(self) -> int:
        """Records that wait here."""
        return len(self._records)

    def offer(self, records: Sequence[Record]) -> None:
        """Put records in, as many as there is room for."""
        with self._lock:
            for at, record in enumerate(records):
                if self._bytes + record.cost > self._limit:
                    self.lost += len(records) - at
                    break
                self._records.append(record)
                self._bytes += record.cost
        os.eventfd_write(self._event, 1)

    def take(self, limit: int) -> tuple[list[Record], bool]:
        """Take out at most ``limit`` records, and whether to open files and connections anew."""
        with self._lock:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._event)
            records, self._records = self._records[:limit], self._records[limit:]
            self._bytes -= sum(record.cost for record in records)
            if self._records:
                os.eventfd_write(self._event, 1)
            reopen, self._reopen = self._reopen, False
            return records, reopen

    def reopen(self) -> None:
        """Ask the output to open its file or connection anew."""
        with self._lock:
            self._reopen = True
        os.eventfd_write(self._event, 1)

    def finish(self, deadline: int) -> None:
        """Let the output end once all is delivered, at ``deadline`` (monotonic nanoseconds) at the latest."""
        self.deadline = deadline
        self.closed = True
        os.eventfd_write(self._event, 1)

    def abandon(self) -> None:
        """Count what is still here as lost; the output has ended."""
        with self._lock:
            self.lost += len(self._records)
            self._records, self._bytes = [], 0

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._event)
