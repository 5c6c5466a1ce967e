"""The worker's end of the way to the reporter: takes encoded records, never blocks, counts what it loses."""

from __future__ import annotations

import errno
import select
import socket
import time

BATCH = 48 << 10  # bytes of whole lines in one message
MAX_LINE = 256 << 10  # bytes of the longest record; the reporter refuses longer ones
MAX_MESSAGE = BATCH + MAX_LINE
_SOCKET_BUFFER = 4 << 20
_FULL = frozenset((errno.EAGAIN, errno.ENOBUFS))
_SO_SNDBUFFORCE = 32  # Linux socket(7), not in the socket module


def record_channel() -> tuple[socket.socket, socket.socket]:
    """Make the way from one worker to the reporter: the reporter's end, then the worker's.

    Messages keep their bounds (``SOCK_SEQPACKET``), so that a process killed at any time leaves no half
    line behind. Who keeps both ends open can give them to a worker or a reporter that is started anew, and
    what lies in between survives.
    """
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader.setblocking(False)
    writer.setblocking(False)
    try:
        writer.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SOCKET_BUFFER)
    except OSError:  # not privileged: the kernel gives what net.core.wmem_max allows
        writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
    return reader, writer


class RecordSender:
    """Sends lines to the reporter in batches; stands in for the stream of an ``EveWriter``.

    At most ``limit`` bytes wait here when the reporter is slow or absent; records beyond that are lost and
    counted. Call :meth:`flush` when a batch of packets is done, and when :meth:`fileno` is ready for
    writing while :attr:`pending` says that there is something to send.
    """

    def __init__(self, sock: socket.socket, limit: int = 8 << 20) -> None:
        """Send over the worker's end of a :func:`record_channel`; :meth:`close` closes it."""
        sock.setblocking(False)
        self._sock = sock
        self._limit = limit
        self._lines: list[bytes] = []  # not in a message yet
        self._size = 0
        self._messages: list[tuple[bytes, int]] = []  # with their number of records, oldest first
        self._held = 0
        self.records = 0
        self.sent = 0
        self.lost = 0

    def fileno(self) -> int:
        """Give the socket's descriptor, to wait until it can be written."""
        return self._sock.fileno()

    @property
    def pending(self) -> int:
        """Bytes that wait here."""
        return self._held + self._size

    def statistics(self) -> dict[str, int]:
        """Give the records taken, sent and lost, and the bytes that wait."""
        return {"records": self.records, "sent": self.sent, "lost": self.lost, "pending": self.pending}

    def write(self, line: str) -> int:
        """Take one record, a line with its end. It is encoded JSON, so plain ASCII."""
        data = line.encode("utf-8", "backslashreplace")
        size = len(data)
        if not size:
            return 0
        self.records += 1
        if size > MAX_LINE or self._held + self._size + size > self._limit:
            self.lost += 1
            return 0
        self._lines.append(data)
        self._size += size
        if self._size >= BATCH:
            self.flush()
        return size

    def flush(self) -> bool:
        """Send what can be sent now; True when nothing is left."""
        if self._lines:
            self._messages.append((b"".join(self._lines), len(self._lines)))
            self._held += self._size
            self._lines, self._size = [], 0
        done = 0
        for message, records in self._messages:
            if not self._send(message, records):
                break
            done += 1
            self._held -= len(message)
        del self._messages[:done]
        return not self._messages

    def _send(self, message: bytes, records: int) -> bool:
        """Send one message; False when it has to wait. One that can never go is lost."""
        try:
            self._sock.send(message)
        except OSError as error:
            if error.errno in _FULL:
                return False
            self.lost += records
        else:
            self.sent += records
        return True

    def close(self, within: float = 0.0) -> None:
        """Send what can be sent in ``within`` seconds, count the rest as lost, and close the socket."""
        if self._sock.fileno() < 0:
            return
        deadline = time.monotonic() + within
        writable = select.poll()
        writable.register(self._sock, select.POLLOUT)
        while not self.flush() and (left := deadline - time.monotonic()) > 0:
            writable.poll(left * 1000)
        if self._messages:
            self.lost += sum(records for _, records in self._messages)
            self._messages, self._held = [], 0
        self._sock.close()
