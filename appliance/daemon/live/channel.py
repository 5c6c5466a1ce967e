"""Messages between the supervisor and its children: JSON objects over a socket pair, with descriptors."""

from __future__ import annotations

import array
import json
import socket
import struct
from collections import deque
from typing import Any

_LENGTH = struct.Struct("!I")
MAX_MESSAGE = 64 << 20  # flows handed over come in slices far below this
_READ = 256 << 10
_MAX_FDS = 64

Message = dict[str, Any]


class ChannelClosedError(Exception):
    """The other end has gone."""


class Channel:
    """One end of a socket pair. Reading never blocks; writing waits for a peer that reads slowly.

    Descriptors sent with a message arrive before or with it, in order; :meth:`take_fds` gives them.
    """

    def __init__(self, end: socket.socket, *, timeout: float = 5.0) -> None:
        """Take a connected stream socket; ``timeout`` (s) bounds how long a message may take to send."""
        end.setblocking(False)
        self._socket = end
        self._timeout = timeout
        self._input = bytearray()
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """Give the descriptor to wait on."""
        return self._socket.fileno()

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send one message.

        Raises:
            ChannelClosedError: the peer has gone, or has not read for too long.
        """
        body = json.dumps(message, separators=(",", ":")).encode()
        data = memoryview(_LENGTH.pack(len(body)) + body)
        self._socket.settimeout(self._timeout)
        try:
            if fds:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                data = data[self._socket.sendmsg([data], rights) :]
            self._socket.sendall(data)
        except OSError as error:
            raise ChannelClosedError(str(error)) from error
        finally:
            self._socket.setblocking(False)

    def receive(self) -> list[Message]:
        """Give the messages that have arrived.

        Raises:
            ChannelClosedError: the peer has gone, or sends what is no message.
        """
        closed = self._fill()
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        if closed and not messages:
            raise ChannelClosedError("end of stream")
        return messages

    def take_fd(self) -> int | None:
        """Give the first descriptor that nobody has taken yet, for the first message that needs one."""
        return self._fds.popleft() if self._fds else None

    def take_fds(self) -> list[int]:
        """Give the descriptors that have arrived since the last call; the caller closes them."""
        fds, self._fds = list(self._fds), deque()
        return fds

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _fill(self) -> bool:
        """Read what is there; tells whether the peer has closed."""
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_READ, socket.CMSG_SPACE(_MAX_FDS * 4))
            except BlockingIOError:
                return False
            except OSError:
                return True
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self._fds.extend(array.array("i", content[: len(content) // 4 * 4]))
            if not data:
                return True
            self._input += data

    def _next(self) -> Message | None:
        if len(self._input) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._input)
        if length > MAX_MESSAGE:
            raise ChannelClosedError(f"a message of {length} bytes")
        if len(self._input) < _LENGTH.size + length:
            return None
        body = bytes(self._input[_LENGTH.size : _LENGTH.size + length])
        del self._input[: _LENGTH.size + length]
        try:
            message = json.loads(body)
        except ValueError as error:
            raise ChannelClosedError("a message that is no JSON") from error
        if not isinstance(message, dict):
            raise ChannelClosedError("a message that is no object")
        return message


def channel_pair() -> tuple[Channel, socket.socket]:
    """Make both ends: ours as a channel, the child's as a socket to be inherited."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(ours), theirs
