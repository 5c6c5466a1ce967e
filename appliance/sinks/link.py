"""Brings buffered messages to a receiver over connections that may fail, with pauses that grow."""

from __future__ import annotations

from collections.abc import Callable

from appliance.sinks.buffer import RecordBuffer
from appliance.sinks.complaints import Complaints
from appliance.sinks.transport import SECOND, Transport

_FIRST_PAUSE, _LONGEST_PAUSE = SECOND, 60 * SECOND
_TURN = 2000  # messages in one step, so that new ones are taken in meanwhile


class Link:
    """One receiver: connects to it, sends what ``buffer`` holds, and forgets what has arrived.

    After a failure the next attempt is after a second, then two, four, up to a minute; the pause is short
    again as soon as messages arrive. ``jitter`` gives a number from 0 to 1 by which pauses are lengthened by
    up to a quarter, so that many appliances do not come back to a receiver at once.
    """

    def __init__(
        self,
        connect: Callable[[], Transport],
        buffer: RecordBuffer,
        complaints: Complaints,
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.buffer = buffer
        self.written = 0
        self.connections = 0
        self._connect = connect
        self._complaints = complaints
        self._jitter = jitter
        self._transport: Transport | None = None
        self._was_ready = False
        self._more = False  # a turn has ended before the messages did
        self._pause = _FIRST_PAUSE
        self._retry_at = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection that messages can go over."""
        return self._transport is not None and self._transport.ready

    @property
    def trouble(self) -> str:
        """What is wrong at present, "" when nothing is."""
        return self._complaints.trouble

    def step(self, now: int) -> None:
        """Do what can be done without waiting."""
        try:
            if self._transport is None:
                if now < self._retry_at:
                    return
                self._transport, self._was_ready = self._connect(), False
            self._work(self._transport, now)
        except OSError as error:
            self._failed(error, now)

    def interest(self, now: int) -> tuple[int, bool, int]:
        """Say what to wait for: descriptor (-1: none), also until writable, at most how long (ns)."""
        if self._transport is None:
            return -1, False, max(self._retry_at - now, 0)
        descriptor, writable, longest = self._transport.interest()
        return descriptor, writable, 0 if self._more else longest

    def reconnect(self, now: int) -> None:
        """Give up the connection, to begin another with what is configured now."""
        self._drop()
        self._retry_at = now

    def close(self) -> int:
        """Close the connection and the buffer; gives the messages that are lost by it."""
        self._drop()
        return self.buffer.close()

    def _work(self, transport: Transport, now: int) -> None:
        transport.step(now)
        if not transport.ready:
            return
        if not self._was_ready:
            self._was_ready = True
            self.connections += 1
        self._more = self._pump(transport)
        transport.step(now)
        self._confirm(transport)

    def _pump(self, transport: Transport) -> bool:
        """Send messages; True when there are more, and they could go as well."""
        for _ in range(_TURN):
            message = self.buffer.take()
            if message is None or not self._send(transport, message):
                return False
        return True

    def _send(self, transport: Transport, message: bytes) -> bool:
        if transport.send(message):
            return True
        self.buffer.give_back()
        return False

    def _confirm(self, transport: Transport) -> None:
        count = transport.confirmed()
        if count:
            self.buffer.confirm(count)
            self.written += count
            self._pause = _FIRST_PAUSE
            self._complaints.over()

    def _failed(self, error: OSError, now: int) -> None:
        self._drop()
        self._complaints.add(error.strerror or str(error), now)
        self._retry_at = now + self._pause + int(self._pause * self._jitter() / 4)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _drop(self) -> None:
        self._more = False
        if self._transport is None:
            return
        try:
            self._confirm(self._transport)
        except OSError:  # the socket is gone; nothing more can be said of what arrived
            pass
        finally:
            self._transport.close()
            self._transport = None
            self.buffer.rewind()
