"""The netlink socket of a set of queues: opened or taken over, set up, and the kernel's own counters."""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import struct
from typing import BinaryIO

from appliance.capture.base import CaptureError
from appliance.capture.batch import widen
from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.config import Queue, QueueConfig, bind, settings

PROC = "/proc/thread-self/net/netfilter/nfnetlink_queue"
_PATIENCE = 5000  # ms that the kernel has for its answer to a setting

_WHY = {
    errno.EPERM: "no permission (CAP_NET_ADMIN is needed), or another process reads this queue",
    errno.EBUSY: "another process reads this queue",
    errno.ENODEV: "this socket does not own the queue",
}


class Link:
    """The socket. ``early`` holds messages that came while the kernel was still answering."""

    def __init__(self, config: QueueConfig, adopt: int | None = None) -> None:
        """Open the queues, or take them over with the socket ``adopt`` of their last owner.

        Raises:
            CaptureError: the kernel refuses a queue; none is open then.
        """
        self.early: list[bytes] = []
        self.socket = _open() if adopt is None else socket.socket(fileno=adopt)
        try:
            self.socket.setblocking(True)
            self._buffers(config.buffer)
            for queue in config.queues:
                self._ask(queue, (bind if adopt is None else settings)(queue, config.length))
            self.proc = _proc()
        except BaseException:
            self.socket.close()
            raise
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN)

    def _buffers(self, size: int) -> None:
        widen(self.socket, size)
        self.socket.setsockopt(nl.SOL_NETLINK, nl.NETLINK_NO_ENOBUFS, 1)

    def _ask(self, queue: Queue, message: bytes) -> None:
        """Send a setting and wait for the kernel's answer; packets that come meanwhile are kept."""
        self.socket.send(message)
        waiter = select.poll()
        waiter.register(self.socket, select.POLLIN)
        while waiter.poll(_PATIENCE):
            answer = self.socket.recv(nl.MESSAGE_ROOM)
            kind = struct.unpack_from("=H", answer, 4)[0]
            # The answer repeats the head of what it answers: an older verdict's failure is not ours.
            if kind != nl.NLMSG_ERROR or struct.unpack_from("=H", answer, 24)[0] != nl.CONFIG:
                self.early.append(answer)
                continue
            number = -struct.unpack_from("=i", answer, 16)[0]
            if number:
                raise CaptureError(f"queue {queue.number}: {_WHY.get(number) or os.strerror(number)}")
            return
        raise CaptureError(f"queue {queue.number}: the kernel does not answer")

    def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds, not less than 0, for something to read."""
        return bool(self._poll.poll(math.ceil(timeout * 1000)))

    def overruns(self) -> int:
        """Count messages that found the socket's buffer full."""
        return int(struct.unpack_from("=9I", self.socket.getsockopt(socket.SOL_SOCKET, nl.SO_MEMINFO, 36))[8])

    def kernel(self) -> dict[int, tuple[int, int, int]]:
        """Give per queue of this namespace: held, dropped by a full queue, dropped by a full socket."""
        return parse_proc(_read(self.proc)) if self.proc is not None else {}

    def close(self) -> None:
        """Close the socket, and with it the queues."""
        self.socket.close()
        if self.proc is not None:
            self.proc.close()

    def detach(self) -> int:
        """Give the socket away without closing it."""
        if self.proc is not None:
            self.proc.close()
        return self.socket.detach()


def parse_proc(text: str) -> dict[int, tuple[int, int, int]]:
    """Read ``/proc/net/netfilter/nfnetlink_queue``: queue -> (held, queue drops, user drops)."""
    found = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 8 and all(field.isdigit() for field in fields[:8]):
            found[int(fields[0])] = (int(fields[2]), int(fields[5]), int(fields[6]))
    return found


def _open() -> socket.socket:
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, nl.NETLINK_NETFILTER)
    except OSError as problem:
        raise CaptureError(f"no netlink socket: {problem.strerror}") from problem
    made.bind((0, 0))
    return made


def _proc() -> BinaryIO | None:
    """Open the kernel's list of queues; it stays that of this network namespace."""
    try:
        return open(PROC, "rb", buffering=0)  # noqa: PTH123 - kept open
    except OSError:
        return None


def _read(file: BinaryIO) -> str:
    file.seek(0)
    parts = []
    while part := file.read(1 << 16):
        parts.append(part)
    return b"".join(parts).decode("ascii", "replace")
