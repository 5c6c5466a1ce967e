"""What queues to read and how, and the messages that tell the kernel."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.verdicts import prefix


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue number. One that fails open lets packets through that find it full."""

    number: int
    fail_open: bool = False


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Queues of one reader and their sizes.

    ``length`` is how many packets the kernel holds per queue, ``buffer`` the socket's receive buffer in
    bytes, ``batch`` the most frames that one ``receive`` gives.
    """

    queues: tuple[Queue, ...]
    length: int = 4096
    buffer: int = 32 << 20
    batch: int = 64

    def __post_init__(self) -> None:
        """Refuse what the kernel could not do.

        Raises:
            ValueError: no queue, a number twice or out of range, a size that is not positive.
        """
        numbers = [queue.number for queue in self.queues]
        if not numbers or len(set(numbers)) != len(numbers):
            raise ValueError("queues: each number must be there once, and at least one")
        if not all(0 <= number <= 0xFFFF for number in numbers):
            raise ValueError("queues: numbers are 0 to 65535")
        if min(self.length, self.buffer, self.batch) < 1:
            raise ValueError("length, buffer and batch must be at least 1")


def bind(queue: Queue, length: int) -> bytes:
    """Give the message that opens a queue with all its settings: no packet finds only half of them.

    Packets come whole (copy range 65,535) and unsegmented (``NFQA_CFG_F_GSO``).
    """
    flags = nl.F_GSO | (nl.F_FAIL_OPEN if queue.fail_open else 0)
    return _message(
        queue.number,
        _attribute(nl.CFG_CMD, struct.pack(">BBH", nl.CMD_BIND, 0, 0))
        + _attribute(nl.CFG_PARAMS, struct.pack(">IB", nl.COPY_RANGE, nl.COPY_PACKET))
        + _attribute(nl.CFG_MAXLEN, struct.pack(">I", length))
        + _attribute(nl.CFG_MASK, struct.pack(">I", nl.F_GSO | nl.F_FAIL_OPEN))
        + _attribute(nl.CFG_FLAGS, struct.pack(">I", flags)),
    )


def settings(queue: Queue, length: int) -> bytes:
    """Give the message that sets up a queue which is bound already."""
    flags = nl.F_GSO | (nl.F_FAIL_OPEN if queue.fail_open else 0)
    return _message(
        queue.number,
        _attribute(nl.CFG_PARAMS, struct.pack(">IB", nl.COPY_RANGE, nl.COPY_PACKET))
        + _attribute(nl.CFG_MAXLEN, struct.pack(">I", length))
        + _attribute(nl.CFG_MASK, struct.pack(">I", nl.F_GSO | nl.F_FAIL_OPEN))
        + _attribute(nl.CFG_FLAGS, struct.pack(">I", flags)),
    )


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def _message(queue: int, attributes: bytes) -> bytes:
    size = nl.HEADER + nl.GENERIC + len(attributes)
    return prefix(nl.CONFIG, size, queue, nl.NLM_F_REQUEST | nl.NLM_F_ACK) + attributes
