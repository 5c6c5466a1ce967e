"""One child process of the supervisor: started, spoken to, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable

from appliance.daemon.live.channel import Channel, ChannelClosedError, Message, channel_pair

_CALM = 10.0  # seconds after which a child counts as well
_MAX_PAUSE = 10.0
_GRACE = 10.0  # seconds for a child to stop by itself

Receive = Callable[["Child", Message], None]
Started = Callable[["Child"], None]


class Child:
    """Runs ``python -m MODULE FD`` and keeps it running until told to stop.

    ``receive`` is called with each message, ``started`` each time a process has been started and can be
    sent its first orders.
    """

    def __init__(self, name: str, module: str, started: Started, receive: Receive) -> None:
        """Name the child; nothing runs yet."""
        self.name = name
        self.starts = 0
        self.ready = False
        self.gave_up = ""
        self._module = module
        self._started = started
        self._receive = receive
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        """Process number, 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    async def run(self) -> None:
        """Start the process, and start it again after a growing pause whenever it ends."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            if self._stopping:
                return
            begun = asyncio.get_running_loop().time()
            await self._run_once()
            lived = asyncio.get_running_loop().time() - begun
            pause = 0.0 if lived > _CALM else min(_MAX_PAUSE, max(0.1, pause * 2))

    async def _run_once(self) -> None:
        channel, theirs = channel_pair()
        loop = asyncio.get_running_loop()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, str(theirs.fileno()), pass_fds=(theirs.fileno(),)
            )
        self.starts += 1
        self._channel = channel
        loop.add_reader(channel.fileno(), self._readable)
        try:
            self._started(self)
            await self._process.wait()
        finally:
            self.ready = False
            loop.remove_reader(channel.fileno())
            self._channel = None
            channel.close()
            self._process = None

    def _readable(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            messages = channel.receive()
        except ChannelClosedError:
            asyncio.get_running_loop().remove_reader(channel.fileno())
            self.kill()  # a child that cannot be spoken to is of no use
            return
        for message in messages:
            self._receive(self, message)

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> bool:
        """Send an order; tells whether there was somebody to take it."""
        if self._channel is None:
            return False
        try:
            self._channel.send(message, fds)
        except ChannelClosedError:
            self.kill()
            return False
        return True

    def take_fds(self) -> list[int]:
        """Give descriptors that the child has sent."""
        return self._channel.take_fds() if self._channel is not None else []

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the process to end, and insist after a while."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        self.send({"do": "stop"})
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            self.kill()
            await process.wait()
