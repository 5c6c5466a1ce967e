"""What comes out of the queue's socket: packets become frames, answers to verdicts are counted."""

from __future__ import annotations

from typing import Final

from appliance.capture.frame import Frame
from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.framer import Framer
from appliance.capture.nfqueue.message import Message, read
from appliance.capture.nfqueue.verdicts import Outbox, code_of
from appliance.model.verdict import Decision

_LOW: Final = nl.LOW
_HIGH: Final = nl.HIGH
_PACKET: Final = nl.PACKET
_ERROR: Final = nl.NLMSG_ERROR
_GONE: Final = (1, 19)  # EPERM, ENODEV: the queue is not, or no longer, this socket's
QUEUE_SHIFT: Final = 32
_SHIFT: Final = QUEUE_SHIFT  # declared as a C integer beside this file
_NUMBER: Final = 0xFFFFFFFF
_TCP: Final = 6


class Intake:
    """Reads datagrams of the socket; counts what it saw, and in ``segments`` those of TCP since it was reset.

    ``lost`` is the error number with which the kernel refused a verdict for good, 0 while all is well. A
    frame's token is its queue's number and, in the lower 32 bits, the packet's.
    """

    __slots__ = (
        "_framer",
        "_latest",
        "_message",
        "bytes",
        "lost",
        "malformed",
        "outboxes",
        "received",
        "refused",
        "segments",
    )

    def __init__(self, framer: Framer, outboxes: dict[int, Outbox]) -> None:
        """Give packets of the queues in ``outboxes`` to ``framer``."""
        self._framer: Framer = framer
        self._message: Message = Message()
        self._latest: Outbox | None = None  # what was looked up last
        self.outboxes: dict[int, Outbox] = outboxes
        self.received: int = 0
        self.bytes: int = 0
        self.malformed: int = 0
        self.refused: int = 0
        self.segments: int = 0
        self.lost: int = 0

    def take(
        self, data: bytearray, view: memoryview, start: int, end: int, now: int, frames: list[Frame]
    ) -> None:
        """Read one datagram, ``data[start:end]``, and append the frames in it.

        A packet whose message is damaged gets the verdict of its queue for such; it never stays in the queue.
        """
        while end - start >= 20:
            size = _native32(data, start)
            kind = data[start + 4 + _LOW] | data[start + 4 + _HIGH] << 8
            stop = start + size
            whole = 20 <= size <= end - start
            if not whole:
                stop = end
            if kind == _PACKET:
                self._packet(data, view, start, stop, whole, now, frames)
            elif kind == _ERROR:
                self._answer(data, start)
            else:
                self.malformed += 1
            start = stop + (-stop & 3) if whole else end
        if start < end:
            self.malformed += 1

    def _packet(
        self,
        data: bytearray,
        view: memoryview,
        start: int,
        end: int,
        whole: bool,
        now: int,
        frames: list[Frame],
    ) -> None:
        queue = data[start + 18] << 8 | data[start + 19]
        outbox = self._outbox(queue)
        message = self._message
        sound = read(data, start + 20, end, message) and whole
        if outbox is None:
            self.malformed += 1
            return
        number = message.packet_id
        if number < 0:
            self.malformed += 1
            outbox.holes = True
            return
        outbox.received(number)
        if not sound:
            self.malformed += 1
            outbox.judged(number, outbox.fallback)
            return
        self.received += 1
        if _is_tcp(data, message.payload_off, message.payload_len):
            self.segments += 1
        token = queue << _SHIFT | number
        frame = self._framer.frame(data, view, message, now, self.received, token)
        self.bytes += frame.wirelen
        frames.append(frame)

    def verdict(self, token: int, decision: Decision, mark: int) -> None:
        """Note the verdict for a frame."""
        self.judged(token, code_of(decision, mark))

    def judged(self, token: int, code: int) -> None:
        """Note a verdict that is a number already; see ``code_of``."""
        outbox = self._outbox(token >> _SHIFT)
        if outbox is None:
            raise KeyError(token)
        outbox.judged(token & _NUMBER, code)

    def _outbox(self, queue: int) -> Outbox | None:
        """Give the outbox of a queue."""
        found = self._latest
        if found is None or found.queue != queue:
            found = self.outboxes.get(queue)
            if found is not None:
                self._latest = found
        return found

    def _answer(self, data: bytearray, start: int) -> None:
        """Take the kernel's answer to a verdict, a failure: mostly that the packet is gone."""
        error = -_native32(data, start + 16) & 0xFFFFFFFF
        if error == 0:
            return
        self.refused += 1
        if error in _GONE:
            self.lost = error


def _is_tcp(data: bytearray, at: int, size: int) -> bool:
    """Tell whether an IP packet is TCP; one of IPv6 with other headers before it is not recognised."""
    if size < 20:
        return False
    version = data[at] >> 4
    return (version == 4 and data[at + 9] == _TCP) or (version == 6 and data[at + 6] == _TCP)


def _native32(data: bytearray, at: int) -> int:
    """Read 32 bits in the machine's own order."""
    if _LOW == 0:
        top = data[at + 3]
        return top << 24 | data[at + 2] << 16 | data[at + 1] << 8 | data[at]
    top = data[at]
    return top << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
