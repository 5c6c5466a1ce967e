"""The control socket: one request, one answer, to those whom its permissions let in."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from appliance.daemon.live.channel import Channel, ChannelClosedError, Message

_CREDENTIALS = struct.Struct("=iII")
_WAITING = 16
_MAX_CLIENTS = 32
_PATIENCE = 10.0  # seconds for a client to say what it wants

# Answers a request; the descriptors that came with it are closed afterwards.
Answer = Callable[[Message, list[int]], Awaitable[Message]]


class ControlError(Exception):
    """The socket cannot be opened."""


class ControlServer:
    """Listens on a Unix socket. The file's mode and group say who may connect; root always may."""

    def __init__(self, path: Path, group: str, answer: Answer) -> None:
        """Serve at ``path`` for root and members of ``group`` ("" for root alone)."""
        self._path = path
        self._group = group
        self._answer = answer
        self._clients = 0

    def open(self) -> socket.socket:
        """Open the socket, in the place of one that nobody listens on any more.

        Raises:
            ControlError: another appliance is running, the folder cannot be written, there is no such group.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and _answered(self._path):
            raise ControlError(f"{self._path}: another appliance is running here")
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise ControlError(f"{self._path}: {error.strerror}") from error
        finally:
            os.umask(previous)
        self._share(listener)
        listener.listen(_WAITING)
        listener.setblocking(False)
        return listener

    def _share(self, listener: socket.socket) -> None:
        if not self._group:
            return
        try:
            os.chown(self._path, -1, grp.getgrnam(self._group).gr_gid)
        except KeyError:
            listener.close()
            raise ControlError(f"there is no group {self._group!r}, which control.group names") from None
        self._path.chmod(0o660)

    async def serve(self, listener: socket.socket) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    client, _ = await loop.sock_accept(listener)
                    if self._clients >= _MAX_CLIENTS:
                        client.close()
                        continue
                    tasks.create_task(self._talk(client))
        finally:
            listener.close()
            self._path.unlink(missing_ok=True)

    async def _talk(self, client: socket.socket) -> None:
        self._clients += 1
        channel = Channel(client)
        try:
            request = await _request(channel)
            fds = channel.take_fds()
            try:
                answer = await self._answer({**request, "uid": peer_uid(client)}, fds)
            finally:
                for fd in fds:
                    os.close(fd)
            channel.send(answer)
        except (ChannelClosedError, TimeoutError):
            pass  # a client that says nothing, or leaves, gets nothing
        finally:
            self._clients -= 1
            channel.close()


async def _request(channel: Channel) -> Message:
    """Wait for one message."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(channel.fileno(), readable.set)
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                await readable.wait()
                readable.clear()
                messages = channel.receive()
                if messages:
                    return messages[0]
    finally:
        loop.remove_reader(channel.fileno())


def peer_uid(client: socket.socket) -> int:
    """Give the user at the other end, as the kernel knows it."""
    data = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


def _answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.settimeout(1.0)
        probe.connect(str(path))
        return True
    return False
