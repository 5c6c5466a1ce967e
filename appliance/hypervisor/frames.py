"""Frames on the pipe between a provider and the supervisor: a line of JSON each, of bounded size."""

from __future__ import annotations

import json
from typing import Any

VERSION = 1
MAX_FRAME = 256 << 10  # bytes; a machine with all it may have takes some 100 KiB

Frame = dict[str, Any]


class FrameError(Exception):
    """What came is no frame, so that nothing after it can be trusted either."""


def encode(frame: Frame) -> bytes:
    """Write a frame.

    Raises:
        FrameError: it is too large.
    """
    line = json.dumps(frame, separators=(",", ":")).encode() + b"\n"
    if len(line) > MAX_FRAME:
        raise FrameError(f"a frame of {len(line)} bytes")
    return line


class FrameReader:
    """Puts frames together from pieces as they arrive."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; gives the frames that are complete.

        Raises:
            FrameError: a line is too long, or no JSON object.
        """
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        if any(len(line) > MAX_FRAME for line in (*lines, rest)):
            raise FrameError("a frame is too long")
        return [_decode(line) for line in lines if line]


def _decode(line: bytes) -> Frame:
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FrameError("a frame that is no JSON") from error
    if not isinstance(frame, dict):
        raise FrameError("a frame that is no object")
    return frame
