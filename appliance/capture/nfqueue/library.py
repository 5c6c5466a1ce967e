"""NFQUEUE through the ``netfilterqueue`` package: one packet and one verdict at a time.

The package receives into 4,096 bytes and never sees a larger packet, which then stays in the queue for
ever. So it is given whole messages from its own socket (``run_socket`` with a receiver of ours), after the
queue was told, over the same socket, to hand over whole and unsegmented packets. The package tells neither
the link layer's header nor the state of checksums; those are read from the same messages.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
from collections.abc import Callable
from typing import cast

from netfilterqueue import COPY_PACKET, NetfilterQueue, Packet

from appliance.capture.base import CaptureError, LiveCounters
from appliance.capture.frame import Frame
from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.config import Queue, QueueConfig
from appliance.capture.nfqueue.framer import Framer
from appliance.capture.nfqueue.intake import QUEUE_SHIFT, Intake
from appliance.capture.nfqueue.link import Link
from appliance.capture.nfqueue.verdicts import ACCEPT, DROP, Outbox, code_of
from appliance.inventory.ports import PortMap
from appliance.model.verdict import Decision


class _Lane:
    """One queue: the package's object for it, and what its ``run_socket`` receives from."""

    def __init__(self, config: QueueConfig, queue: Queue, owner: LibraryReader) -> None:
        self.owner = owner
        self.number = queue.number
        self.left = 0
        try:
            self.queue = NetfilterQueue()
            self.queue.bind(queue.number, self._seen, config.length, COPY_PACKET, 0xFFFF, config.buffer)
        except OSError as problem:
            raise CaptureError(f"queue {queue.number}: {problem} (CAP_NET_ADMIN is needed)") from problem
        only = QueueConfig((queue,), config.length, config.buffer, config.batch)
        self.link = Link(only, os.dup(self.queue.get_fd()))

    def run(self, most: int) -> None:
        """Have the package handle up to ``most`` messages that are there."""
        self.left = most
        self.queue.run_socket(cast(socket.socket, self))  # it only calls recv

    def recv(self, size: int) -> bytes:
        """Give the package one message, whatever ``size`` it asks for."""
        del size
        if self.left <= 0:
            raise BlockingIOError(errno.EAGAIN, "enough for this time")
        self.left -= 1
        raw = self.link.socket.recv(nl.MESSAGE_ROOM, socket.MSG_DONTWAIT)
        self.owner.message(raw)
        return raw

    def _seen(self, packet: Packet) -> None:
        self.owner.packets[self.number << QUEUE_SHIFT | packet.id] = packet

    def close(self) -> None:
        """Close the queue."""
        self.queue.unbind()
        self.link.close()


class LibraryReader:
    """Frames of one or more queues by way of the package; a :class:`~appliance.capture.base.LiveSource`."""

    tries: int = 1  # each costs a few microseconds

    def __init__(self, config: QueueConfig, ports: PortMap, clock: Callable[[], int]) -> None:
        """Open the queues. ``clock`` gives nanoseconds since the epoch.

        Raises:
            CaptureError: a queue cannot be opened: no permission, or somebody reads it.
        """
        self._clock = clock
        self._most = config.batch
        self._framer = Framer(ports)
        self._outboxes = {
            queue.number: Outbox(queue.number, ACCEPT if queue.fail_open else DROP) for queue in config.queues
        }
        self._intake = Intake(self._framer, self._outboxes)
        self._frames: list[Frame] = []
        self.packets: dict[int, Packet] = {}
        self._lanes: dict[int, _Lane] = {}
        try:
            for queue in config.queues:
                self._lanes[queue.number] = _Lane(config, queue, self)
        except BaseException:
            self._close_lanes()
            raise

    def filenos(self) -> tuple[int, ...]:
        """Give one descriptor for each queue."""
        return tuple(lane.link.socket.fileno() for lane in self._lanes.values())

    def receive(self, timeout: float) -> list[Frame]:
        """Give up to a batch of frames of each queue, waiting up to ``timeout`` seconds for the first.

        Raises:
            CaptureError: the kernel says that a queue is not ours any more.
        """
        self._run()
        if not self._frames and timeout > 0 and self._wait(timeout):
            self._run()
        if self._intake.lost:
            raise CaptureError(f"queue lost: {os.strerror(self._intake.lost)}")
        frames, self._frames = self._frames, []
        return frames

    def _run(self) -> None:
        for lane in self._lanes.values():
            for raw in lane.link.early:
                self.message(raw)
            lane.link.early.clear()
            lane.run(self._most)

    def _wait(self, timeout: float) -> bool:
        lanes = list(self._lanes.values())
        if len(lanes) == 1:
            return lanes[0].link.wait(timeout)
        waiter = select.poll()
        for fd in self.filenos():
            waiter.register(fd, select.POLLIN)
        return bool(waiter.poll(math.ceil(timeout * 1000)))

    def message(self, raw: bytes) -> None:
        """Read a message that the package is about to handle."""
        data = bytearray(raw)
        self._intake.take(data, memoryview(data), 0, len(data), self._clock(), self._frames)

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        """Give a verdict; the package sends it at once. With ``mark`` 0 the packet keeps the mark it has."""
        code = code_of(decision, mark)
        packet = self.packets.pop(token, None)
        if packet is None:  # the package could make nothing of its message
            self._intake.judged(token, code)
            return
        outbox = self._outboxes[token >> QUEUE_SHIFT]
        outbox.open -= 1
        outbox.sent += 1
        if code & 0xFFFFFFFF:
            packet.set_mark(code & 0xFFFFFFFF)
        if code >= ACCEPT:
            packet.accept()
        else:
            packet.drop()

    def flush(self) -> None:
        """Send the verdicts of packets that the package did not take."""
        for number, lane in self._lanes.items():
            data = self._outboxes[number].take()
            if data:
                lane.link.socket.send(data)

    def swap_ports(self, ports: PortMap) -> None:
        """Use other ports from the next frame on."""
        self._framer.swap(ports)

    def counters(self) -> LiveCounters:
        """Give all counts; those of the kernel are since the queues were opened."""
        intake = self._intake
        held = [lane.link.kernel().get(number, (0, 0, 0)) for number, lane in self._lanes.items()]
        return LiveCounters(
            received=intake.received,
            bytes=intake.bytes,
            verdicts=sum(outbox.sent for outbox in self._outboxes.values()),
            waiting=sum(one[0] for one in held),
            queue_drops=sum(one[1] for one in held),
            user_drops=sum(one[2] for one in held),
            overruns=sum(lane.link.overruns() for lane in self._lanes.values()),
            malformed=intake.malformed,
            truncated=self._framer.truncated,
            refused=intake.refused,
        )

    def close(self) -> None:
        """Close the queues; the kernel drops what they still hold."""
        try:
            self.flush()
        finally:
            self._close_lanes()

    def _close_lanes(self) -> None:
        self.packets.clear()
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()
