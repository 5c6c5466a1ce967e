"""Each output has a thread, so that none waits for another: not for a disk, not for a receiver."""

from __future__ import annotations

import select
import threading
import time
from typing import Any

from typing_extensions import override

from appliance.daemon.reporter.inbox import Inbox
from appliance.daemon.reporter.outputs import Output

_MILLISECOND = 1_000_000
_SHORT = 20  # milliseconds between looks while an output ends


class OutputThread(threading.Thread):
    """Runs one output until its inbox is finished."""

    def __init__(self, label: str, kind: str, output: Output, inbox: Inbox) -> None:
        super().__init__(name=label[:15], daemon=True)
        self.label = label
        self.kind = kind
        self.inbox = inbox
        self.ended = False
        self._output = output

    @override
    def run(self) -> None:
        """Deliver until the end."""
        while True:
            finishing = self.inbox.closed
            records, reopen = self.inbox.take(self._output.appetite())
            now = time.time_ns()
            if reopen:
                self._output.reopen(now)
            self._output.step(records, now)
            delivered = finishing and not self.inbox.held and self._output.idle()
            if delivered or (finishing and time.monotonic_ns() >= self.inbox.deadline):
                break
            self._wait(finishing)
        self._output.close()
        self.inbox.abandon()
        self.ended = True

    def statistics(self) -> dict[str, Any]:
        """Give the output's counters, with what was lost or waits on the way to it."""
        found = self._output.statistics()
        found["lost"] += self.inbox.lost
        found["buffered"] += self.inbox.held
        return {"type": self.kind, **found}

    def _wait(self, finishing: bool) -> None:
        poll = select.poll()
        if self._output.appetite():
            poll.register(self.inbox, select.POLLIN)
        descriptor, writable, longest = self._output.interest(time.time_ns())
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN | (select.POLLOUT if writable else 0))
        timeout = min(-(-longest // _MILLISECOND), _SHORT if finishing else 1000)
        poll.poll(timeout)
