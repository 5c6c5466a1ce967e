"""What all ways to a receiver have in common, and those that send datagrams."""

from __future__ import annotations

import errno
import socket
from typing import Any, Protocol

from typing_extensions import override

from appliance.sinks.resolve import Lookup

SECOND = 1_000_000_000
POLL = SECOND // 20  # how often to look at what no descriptor tells
_LATER = frozenset((errno.EAGAIN, errno.ENOBUFS))


class Transport(Protocol):
    """A connection that is built up and used without ever blocking; trouble is an ``OSError``."""

    @property
    def ready(self) -> bool:
        """Whether messages can be given to :meth:`send`."""

    def step(self, now: int) -> None:
        """Go on with what is under way. Raises OSError when the connection cannot be had or has ended."""

    def send(self, message: bytes) -> bool:
        """Send one message; False when it has to wait. Raises OSError."""

    def confirmed(self) -> int:
        """Give the number of messages that have arrived since the last call."""

    def interest(self) -> tuple[int, bool, int]:
        """Say what to wait for: descriptor (-1: none), also until writable, at most how long (ns)."""

    def close(self) -> None:
        """Close the connection."""


class DatagramTransport:
    """Syslog over UDP (RFC 5426): a message a datagram. Nobody confirms; what was sent counts as arrived."""

    def __init__(self, host: str, port: int) -> None:
        """Look up ``host``; its first address is used."""
        self._lookup: Lookup | None = Lookup(host, port, socket.SOCK_DGRAM)
        self._sock: socket.socket | None = None
        self._sent = 0
        self._full = False

    @property
    def ready(self) -> bool:
        """Whether messages can be given to :meth:`send`."""
        return self._sock is not None

    def step(self, now: int) -> None:
        """Go on with what is under way."""
        del now
        found = self._lookup.result() if self._lookup is not None else None
        if found is None:
            return
        self._lookup = None
        family, address = found[0]
        self._sock = _connected(socket.socket(family, socket.SOCK_DGRAM), address)

    def send(self, message: bytes) -> bool:
        """Send one datagram."""
        if self._sock is None:
            return False
        self._full = not _send(self._sock, message)
        self._sent += not self._full
        return not self._full

    def confirmed(self) -> int:
        """Give the number of messages sent since the last call."""
        count, self._sent = self._sent, 0
        return count

    def interest(self) -> tuple[int, bool, int]:
        """Say what to wait for."""
        if self._sock is None:
            return -1, False, POLL
        return (self._sock.fileno(), True, SECOND) if self._full else (-1, False, SECOND)

    def close(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()


class UnixTransport(DatagramTransport):
    """Syslog to a daemon of this machine, by a datagram socket such as ``/dev/log``."""

    def __init__(self, path: str) -> None:
        """Connect at the first step."""
        self._lookup = None
        self._path = path
        self._sock = None
        self._sent = 0
        self._full = False

    @override
    def step(self, now: int) -> None:
        """Connect, when that is not done yet."""
        del now
        if self._sock is None:
            self._sock = _connected(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), self._path)


def _connected(sock: socket.socket, address: Any) -> socket.socket:
    """Connect a new socket, and close it when that fails."""
    try:
        sock.setblocking(False)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _send(sock: socket.socket, message: bytes) -> bool:
    try:
        sock.send(message)
    except OSError as error:
        if error.errno in _LATER:
            return False
        raise
    return True
