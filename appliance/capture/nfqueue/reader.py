"""The default reader of NFQUEUE: batches in, runs of verdicts out, straight on the netlink socket."""

from __future__ import annotations

import os
from collections.abc import Callable

from appliance.capture.base import CaptureError, LiveCounters
from appliance.capture.batch import Batch
from appliance.capture.frame import Frame
from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.config import QueueConfig
from appliance.capture.nfqueue.courier import Courier
from appliance.capture.nfqueue.framer import Framer
from appliance.capture.nfqueue.intake import Intake
from appliance.capture.nfqueue.link import Link
from appliance.capture.nfqueue.verdicts import ACCEPT, DROP, Outbox
from appliance.inventory.ports import PortMap
from appliance.model.verdict import Decision

_LARGE = 16_384  # mean bytes of a message above which a batch is kept small, to stay in the processor's cache
_FEW = 16
_GROUP = 16  # datagrams that are sent on together
_MANY = 32  # verdicts that are worth waking another processor for, those of TCP counted twice; see `flush`
# Tries to receive before sleep: some 40 µs, as long as waking up takes. Who sends segments waits for what
# comes back, and that may need this very processor.
_TRIES = 80
_TRIES_TCP = 16


class NetlinkReader:
    """Frames of one or more queues over one netlink socket; a :class:`~appliance.capture.base.LiveSource`."""

    def __init__(
        self, config: QueueConfig, ports: PortMap, clock: Callable[[], int], adopt: int | None = None
    ) -> None:
        """Open the queues, or take over ``adopt``, the socket that another reader gave away by ``detach``.

        ``clock`` gives nanoseconds since the epoch.

        Raises:
            CaptureError: a queue cannot be opened: no permission, or somebody reads it.
        """
        self._clock: Callable[[], int] = clock
        self._link: Link = Link(config, adopt)
        self._fd: int = self._link.socket.fileno()
        self._courier: Courier = Courier(self._link.socket)
        self._batch: Batch = Batch(config.batch, nl.MESSAGE_ROOM)
        self._most: int = config.batch
        self._framer: Framer = Framer(ports)
        self._outboxes: dict[int, Outbox] = {
            queue.number: Outbox(queue.number, ACCEPT if queue.fail_open else DROP, adopt is not None)
            for queue in config.queues
        }
        self._intake: Intake = Intake(self._framer, self._outboxes)
        self._oversized: int = 0
        self._noted: int = 0  # verdicts since the last were sent
        self.tries: int = _TRIES

    def filenos(self) -> tuple[int, ...]:
        """Give the socket's descriptor."""
        return (self._fd,)

    def receive(self, timeout: float) -> list[Frame]:
        """Give up to a batch of frames, waiting up to ``timeout`` seconds for the first.

        Raises:
            CaptureError: the kernel says that the queue is not ours any more.
        """
        frames: list[Frame] = []
        if self._link.early:
            self._take_early(frames)
        got = self._receive()
        if not got and not frames and timeout > 0 and self._link.wait(timeout):
            got = self._receive()
        if got:
            self._take(got, frames)
        if self._intake.lost:
            raise CaptureError(f"queue lost: {os.strerror(self._intake.lost)}")
        return frames

    def _receive(self) -> int:
        try:
            return self._batch.receive(self._fd, self._most)
        except OSError as problem:
            raise CaptureError(f"queue socket: {problem.strerror}") from problem

    def _take(self, got: int, frames: list[Frame]) -> None:
        batch = self._batch
        data, view, step = batch.data, batch.view, batch.size
        now = self._clock()
        start = total = 0
        for i in range(got):
            size = batch.length(i)
            if size == step and batch.cut(i):
                self._oversized += 1
            self._intake.take(data, view, start, start + size, now, frames)
            start += step
            total += size
        self._most = _FEW if total > _LARGE * got else batch.count

    def _take_early(self, frames: list[Frame]) -> None:
        now = self._clock()
        for raw in self._link.early:
            data = bytearray(raw)
            self._intake.take(data, memoryview(data), 0, len(data), now, frames)
        self._link.early.clear()

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        """Note a verdict. With ``mark`` 0 the packet keeps the mark that it has.

        Datagrams are sent on a few at a time, so that who they are for reads some while others are judged:
        many at once are too many for its buffer.

        Raises:
            CaptureError: the socket does not take them.
        """
        intake = self._intake
        intake.verdict(token, decision, mark)
        self._noted += 1
        if self._noted >= _GROUP and not intake.segments:
            self.flush()

    def flush(self) -> None:
        """Send all verdicts noted, with one system call for each queue.

        Many go by a thread of their own. With few the packets would wait for that one to wake up. What they
        set going counts: the receiver of a TCP segment answers at once, within the same call.

        Raises:
            CaptureError: the socket does not take them.
        """
        for outbox in self._outboxes.values():
            waiting = len(outbox)
            many = waiting + min(waiting, self._intake.segments) >= _MANY
            data = outbox.take()
            if data:
                try:
                    self._courier.send(data, many)
                except OSError as problem:
                    raise CaptureError(f"verdicts: {problem.strerror}") from problem
        if self._noted:
            self.tries = _TRIES_TCP if self._intake.segments else _TRIES
        self._intake.segments = self._noted = 0

    def swap_ports(self, ports: PortMap) -> None:
        """Use other ports from the next frame on."""
        self._framer.swap(ports)

    def counters(self) -> LiveCounters:
        """Give all counts; those of the kernel are since the queues were opened."""
        intake = self._intake
        kernel = self._link.kernel()
        held = [kernel.get(number, (0, 0, 0)) for number in self._outboxes]
        return LiveCounters(
            received=intake.received,
            bytes=intake.bytes,
            verdicts=sum(outbox.sent for outbox in self._outboxes.values()),
            waiting=sum(one[0] for one in held),
            queue_drops=sum(one[1] for one in held),
            user_drops=sum(one[2] for one in held),
            overruns=self._link.overruns(),
            malformed=intake.malformed,
            truncated=self._framer.truncated,
            oversized=self._oversized,
            refused=intake.refused,
        )

    def detach(self) -> int:
        """Send what is judged and give the socket away: the queues live on, and packets wait in them.

        Another process gets the descriptor (over a Unix socket or by inheritance) and opens a reader with
        ``adopt``. Frames that were received and not judged until now are dropped by the new owner.
        """
        self.flush()
        self._courier.close()
        return self._link.detach()

    def close(self) -> None:
        """Send what is judged and close the queues; the kernel drops what they still hold."""
        try:
            self.flush()
        finally:
            self._courier.close()
            self._link.close()
