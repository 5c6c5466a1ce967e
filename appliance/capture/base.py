"""What a packet source is: frames come out, verdicts go back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from appliance.capture.frame import Frame
from appliance.inventory.ports import PortMap
from appliance.model.verdict import Decision

__all__ = ["CaptureError", "CaptureProblem", "Frame", "LiveCounters", "LiveSource", "Source"]


class CaptureError(Exception):
    """A source cannot be opened or set up: a missing file, no permission, a bad filter."""


@dataclass(frozen=True, slots=True)
class CaptureProblem:
    """Why reading a capture stopped before its end; ``offset`` is in its uncompressed bytes."""

    path: str
    offset: int
    what: str


class Source(Protocol):
    """Where frames come from: a capture file, a queue of the kernel, a mirror port."""

    def __iter__(self) -> Iterator[Frame]:
        """Give frames until the source ends.

        Raises:
            CaptureError: the source cannot be opened.
        """
        ...

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        """Carry the decision about the frame with this token back to where it came from.

        ``mark`` is what the kernel shall remember of the connection (``model/mark.py``), 0 for nothing.
        """
        ...


@dataclass(slots=True)
class LiveCounters:
    """What a live source counted since it was opened.

    ``received`` frames of ``bytes`` bytes were handed on, ``verdicts`` of them went back. ``waiting``
    packets are in the kernel's queue, or judged and not yet answered. ``queue_drops`` found the queue full
    and ``user_drops`` the socket's buffer; ``overruns`` counts how often that buffer was full, whether the
    packet was dropped or let through by a queue that fails open. ``malformed`` messages of the kernel could
    not be read, ``truncated`` frames lack bytes at their end, ``oversized`` ones did not fit the buffer.
    ``refused`` verdicts met a packet that the kernel no longer had.
    """

    received: int = 0
    bytes: int = 0
    verdicts: int = 0
    waiting: int = 0
    queue_drops: int = 0
    user_drops: int = 0
    overruns: int = 0
    malformed: int = 0
    truncated: int = 0
    oversized: int = 0
    refused: int = 0


class LiveSource(Protocol):
    """A source that never ends by itself: the kernel's queues, a mirror port.

    The owner's loop is: ``receive``, judge each frame, ``verdict``, and ``flush`` once at the end of the
    batch. All of it happens in one thread. Who waits on ``filenos`` calls ``receive`` first, until it gives
    nothing: some frames may have come in while the source was opened. ``tries`` says how often it is worth to
    call it again before that, a try taking half a microsecond.
    """

    tries: int

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors that become readable when there is something to receive."""
        ...

    def receive(self, timeout: float) -> list[Frame]:
        """Give what has come, a bounded number; wait up to ``timeout`` seconds when there is nothing.

        Raises:
            CaptureError: the source is gone for good (its queue or device was taken away).
        """
        ...

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        """Note the decision about a frame; it is sent by ``flush`` at the latest.

        A source that only watches ignores it.

        Raises:
            CaptureError: verdicts were due to be sent, and could not be.
        """
        ...

    def flush(self) -> None:
        """Send the verdicts that were noted."""
        ...

    def swap_ports(self, ports: PortMap) -> None:
        """Use other ports from the next received frame on."""
        ...

    def counters(self) -> LiveCounters:
        """Give what was counted so far, the kernel's own counters read anew."""
        ...

    def close(self) -> None:
        """Give up the source; what the kernel still holds for it goes the way of a queue without a reader."""
        ...
