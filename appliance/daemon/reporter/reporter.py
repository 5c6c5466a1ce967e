"""The reporter's loop: from the workers' sockets to the outputs, by event type."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from appliance.daemon.reporter.inbox import Inbox
from appliance.daemon.reporter.outputs import host_name, inbox_limit, kinds_of, make_output
from appliance.daemon.reporter.record import Record
from appliance.daemon.reporter.thread import OutputThread
from appliance.sinks.complaints import Say
from appliance.sinks.documents import OutputDocument
from appliance.sinks.kinds import event_type_of
from appliance.sinks.sender import MAX_LINE, MAX_MESSAGE

_SECOND = 1_000_000_000
_TURN = 16  # messages of one worker before the next one's turn
_HANGUP = select.POLLHUP | select.POLLERR


def say_to_stderr(text: str) -> None:
    """Write a line to standard error, where the journal takes it from."""
    sys.stderr.write(f"eastwall reporter: {text}\n")
    sys.stderr.flush()


class Reporter:
    """Reads batches of records from workers and hands each record to the outputs that want it.

    What is no record is counted and thrown away: ``invalid`` lines, ``empty`` messages. A worker that has
    ended, with everybody who held its end of the socket, is no source any more.
    """

    def __init__(
        self,
        outputs: Sequence[OutputDocument],
        sources: Sequence[socket.socket],
        host: str = "",
        say: Say = say_to_stderr,
    ) -> None:
        """Begin to report. The sockets, first ones of ``record_channel``s, belong to the reporter."""
        now = time.time_ns()
        self.received = self.received_bytes = self.invalid = self.empty = 0
        self.sources = list(sources)
        self.threads: list[OutputThread] = []
        self._wanted: list[frozenset[str] | None] = []
        self._space = bytearray(MAX_MESSAGE)
        for document in outputs:
            output = make_output(document, host or host_name(), say, now)
            inbox = Inbox(inbox_limit(document))
            self.threads.append(OutputThread(document.label, document.type, output, inbox))
            self._wanted.append(kinds_of(document))
        self._routes = self._make_routes()
        self._to_all = [inbox for inbox, wanted in self._pairs() if wanted is None]
        for source in self.sources:
            source.setblocking(False)
        for thread in self.threads:
            thread.start()

    def read(self, source: socket.socket) -> bool:
        """Take what a worker has sent, up to a limit; False when it has sent nothing."""
        for turn in range(_TURN):
            try:
                size = source.recv_into(self._space)
            except BlockingIOError:
                return turn > 0
            except OSError:  # reset: nothing will come any more
                self._end(source)
                return False
            if size:
                self._distribute(bytes(memoryview(self._space)[:size]))
            elif not self._still_there(source):
                return turn > 0
        return True

    def reopen(self) -> None:
        """Have every output open its file or connection anew."""
        for thread in self.threads:
            thread.inbox.reopen()

    def statistics(self) -> dict[str, Any]:
        """Give all counters, of outputs by their names."""
        return {
            "received": self.received,
            "received_bytes": self.received_bytes,
            "invalid": self.invalid,
            "empty": self.empty,
            "sources": len(self.sources),
            "outputs": {thread.label: thread.statistics() for thread in self.threads},
        }

    def failed(self) -> list[str]:
        """Give the outputs whose threads have ended by an error of ours."""
        return [thread.label for thread in self.threads if not thread.is_alive() and not thread.ended]

    def finish(self, within: float) -> dict[str, Any]:
        """Take what the sockets hold, deliver it in so many seconds, and end; gives the last statistics."""
        deadline = time.monotonic_ns() + int(within * _SECOND)
        while self._read_all() and time.monotonic_ns() < deadline:
            continue
        for thread in self.threads:
            thread.inbox.finish(deadline)
        for thread in self.threads:
            thread.join(max(deadline - time.monotonic_ns(), 0) / _SECOND + 1.0)
        for source in list(self.sources):
            self._end(source)
        last = self.statistics()
        for thread in self.threads:
            if not thread.is_alive():
                thread.inbox.close()
        return last

    def _read_all(self) -> bool:
        """Take a turn of every worker; False when none had anything."""
        turns = [self.read(source) for source in list(self.sources)]
        return any(turns)

    def _pairs(self) -> list[tuple[Inbox, frozenset[str] | None]]:
        return [(thread.inbox, wanted) for thread, wanted in zip(self.threads, self._wanted, strict=True)]

    def _make_routes(self) -> dict[bytes, list[Inbox]]:
        """Give the outputs of each event type that some output names."""
        kinds = frozenset[str]().union(*(wanted for wanted in self._wanted if wanted is not None))
        return {
            kind.encode(): [inbox for inbox, wanted in self._pairs() if wanted is None or kind in wanted]
            for kind in kinds
        }

    def _distribute(self, data: bytes) -> None:
        """Hand the records of one message to the outputs that want them."""
        batches: dict[Inbox, list[Record]] = {}
        for line in data.splitlines(keepends=True):
            kind = event_type_of(line)
            if not kind or line[:1] != b"{" or line[-2:] != b"}\n" or len(line) > MAX_LINE:
                self.invalid += 1
                continue
            self.received += 1
            inboxes = self._routes.get(kind, self._to_all)
            if inboxes:
                record = Record(line)
                for inbox in inboxes:
                    batches.setdefault(inbox, []).append(record)
        self.received_bytes += len(data)
        for inbox, records in batches.items():
            inbox.offer(records)

    def _still_there(self, source: socket.socket) -> bool:
        """Tell an empty message from the end of the worker."""
        poll = select.poll()
        poll.register(source, select.POLLIN)
        if any(events & _HANGUP for _, events in poll.poll(0)):
            self._end(source)
            return False
        self.empty += 1
        return True

    def _end(self, source: socket.socket) -> None:
        if source in self.sources:
            self.sources.remove(source)
        source.close()
