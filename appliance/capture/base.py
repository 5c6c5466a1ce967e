"""What a packet source is: frames come out, verdicts go back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from appliance.model.verdict import Decision


class CaptureError(Exception):
    """A source cannot be opened or set up: a missing file, no permission, a bad filter."""


@dataclass(frozen=True, slots=True)
class CaptureProblem:
    """Why reading a capture stopped before its end; ``offset`` is in its uncompressed bytes."""

    path: str
    offset: int
    what: str


class Frame:
    """One frame as it was on the wire.

    ``linktype`` is a LINKTYPE number of the pcap format, ``now`` nanoseconds since the epoch,
    ``wirelen`` the length on the wire (at least that of ``data``), ``number`` counts from 1 in the
    whole source. ``token`` is what the source needs to recognise the frame in a verdict.
    """

    __slots__ = ("data", "interface", "linktype", "now", "number", "token", "wirelen")

    def __init__(
        self,
        data: bytes,
        linktype: int,
        now: int,
        wirelen: int,
        number: int,
        interface: str | None = None,
        token: int = 0,
    ) -> None:
        """Make a frame; see the class for units."""
        self.data = data
        self.linktype = linktype
        self.now = now
        self.wirelen = wirelen
        self.number = number
        self.interface = interface
        self.token = token


class Source(Protocol):
    """Where frames come from: a capture file, a queue of the kernel, a mirror port."""

    def __iter__(self) -> Iterator[Frame]:
        """Give frames until the source ends.

        Raises:
            CaptureError: the source cannot be opened.
        """
        ...

    def verdict(self, token: int, decision: Decision) -> None:
        """Carry the decision about the frame with this token back to where it came from."""
        ...
