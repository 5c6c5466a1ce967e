"""Syslog over TCP (RFC 6587, octet counting) and TLS (RFC 5425)."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import ssl
import termios
from collections import deque

from appliance.sinks.resolve import Address, Lookup
from appliance.sinks.tls import TlsChannel
from appliance.sinks.transport import POLL, SECOND

_ATTEMPT = 10 * SECOND  # for a connection to one address, and for its handshake
_SETTLE = SECOND  # for a server that does not say anything after the handshake
_MAX_UNSENT = 256 << 10
_CHUNK = 1 << 16
_MAX_READS = 8  # of one step: a receiver that talks without end must not hold us
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 4))
_DEAD_AFTER = 180_000  # milliseconds without an acknowledgement of what was sent


class StreamTransport:
    """A connection over which each message is preceded by its length.

    Neither protocol has acknowledgements of its own. A message counts as arrived when the receiver's TCP has
    acknowledged its last byte; what was not acknowledged when a connection ends is to be sent again over the
    next.
    """

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext | None = None, server_name: str = ""
    ) -> None:
        """Connect to one address of ``host`` after the other; with ``context`` speak TLS."""
        self._lookup: Lookup | None = Lookup(host, port, socket.SOCK_STREAM)
        self._addresses: list[Address] = []
        self._sock: socket.socket | None = None
        self._tls = TlsChannel(context, server_name or host) if context is not None else None
        self._deadline = 0
        self._connecting = False
        self._securing = False
        self._settling = False
        self._unsent = bytearray()
        self._made = 0  # bytes given to the connection in all, encrypted ones where it is
        self._left = 0  # of those, bytes that the kernel has taken
        self._ends: deque[int] = deque()  # where in those bytes each message that is under way ends
        self.ready = False

    def step(self, now: int) -> None:
        """Go on with what is under way.

        Raises:
            OSError: there is no connection to be had, or it has ended.
        """
        if self._sock is None:
            self._begin(now)
        elif self._connecting:
            self._connected(now)
        elif self._securing:
            self._secure(now)
        else:
            heard = self._listen(self._sock)
            if self._settling and (heard or now >= self._deadline):
                self._settling, self.ready = False, True
            self._flush()

    def send(self, message: bytes) -> bool:
        """Put one message on its way; False when too much waits for the network already."""
        if not self.ready or len(self._unsent) >= _MAX_UNSENT:
            return False
        frame = b"%d %b" % (len(message), message)
        self._put(self._tls.encode(frame) if self._tls is not None else frame)
        self._ends.append(self._made)
        if len(self._unsent) >= _CHUNK:
            self._flush()
        return True

    def confirmed(self) -> int:
        """Give the number of messages that have arrived since the last call."""
        if not self._ends or self._sock is None:
            return 0
        waiting = int.from_bytes(fcntl.ioctl(self._sock, termios.TIOCOUTQ, b"\0" * 4), "little")
        arrived, count = self._left - waiting, 0
        while self._ends and self._ends[0] <= arrived:
            self._ends.popleft()
            count += 1
        return count

    def interest(self) -> tuple[int, bool, int]:
        """Say what to wait for."""
        if self._sock is None:
            return -1, False, POLL
        return (
            self._sock.fileno(),
            self._connecting or bool(self._unsent),
            POLL if self._ends or not self.ready else SECOND,
        )

    def close(self) -> None:
        """Say farewell where that can be done at once, and close the connection."""
        if self._sock is None:
            return
        try:
            if self.ready:
                self._put(self._tls.farewell() if self._tls is not None else b"")
                self._flush()
        except OSError:  # it is lost already
            pass
        finally:
            self._sock.close()
            self._sock = None

    def _begin(self, now: int) -> None:
        """Take the next address."""
        if self._lookup is not None:
            found = self._lookup.result()
            if found is None:
                return
            self._lookup, self._addresses = None, found
        if not self._addresses:
            raise OSError(errno.EHOSTUNREACH, "no address answers")
        family, address = self._addresses.pop(0)
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._tune(self._sock)
        self._connecting, self._deadline = True, now + _ATTEMPT
        code = self._sock.connect_ex(address)
        if code not in {0, errno.EINPROGRESS}:
            self._next_address(code, now)

    @staticmethod
    def _tune(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, number in _KEEP_ALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, number)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER)

    def _next_address(self, code: int, now: int) -> None:
        """Give up on an address; the error is raised when it was the last."""
        if self._sock is not None:
            self._sock.close()
        self._sock, self._connecting = None, False
        if not self._addresses:
            raise OSError(code, os.strerror(code))
        self._begin(now)

    def _connected(self, now: int) -> None:
        """See whether the connection stands."""
        sock = self._sock
        if sock is None:
            return
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._next_address(code, now)
            return
        try:
            sock.getpeername()
        except OSError:
            if now >= self._deadline:
                self._next_address(errno.ETIMEDOUT, now)
            return
        self._connecting = False
        if self._tls is None:
            self.ready = True
        else:
            self._securing, self._deadline = True, now + _ATTEMPT
            self._secure(now)

    def _secure(self, now: int) -> None:
        """Go on with the handshake."""
        tls, sock = self._tls, self._sock
        if tls is None or sock is None:
            return
        data = _receive(sock)
        if data:
            tls.feed(data)
        elif data is not None:
            raise OSError(errno.ECONNRESET, "the receiver closed the connection during the handshake")
        try:
            done = tls.handshake()
        finally:
            self._put(tls.output())  # also the alert that says why not
            self._flush()
        if done:
            # A TLS 1.3 server looks at our certificate after that, and refuses it or sends a ticket.
            self._securing, self._settling, self._deadline = False, True, now + _SETTLE
        elif now >= self._deadline:
            raise OSError(errno.ETIMEDOUT, "the handshake takes too long")

    def _listen(self, sock: socket.socket) -> bool:
        """Notice the end of the connection; what a receiver says means nothing, only that it spoke."""
        heard = False
        for _ in range(_MAX_READS):
            data = _receive(sock)
            if data is None:
                break
            if not data or (self._tls is not None and not self._tls.receive(data)):
                raise OSError(errno.ECONNRESET, "the receiver closed the connection")
            heard = True
        if self._tls is not None:
            self._put(self._tls.output())
        return heard

    def _put(self, data: bytes) -> None:
        self._unsent += data
        self._made += len(data)

    def _flush(self) -> None:
        """Give the kernel what it takes."""
        while self._unsent and self._sock is not None:
            try:
                done = self._sock.send(self._unsent)
            except BlockingIOError:
                return
            self._left += done
            del self._unsent[:done]


def _receive(sock: socket.socket) -> bytes | None:
    """Read what is there; None when nothing is, ``b""`` at the end."""
    try:
        return sock.recv(_CHUNK)
    except BlockingIOError:
        return None
