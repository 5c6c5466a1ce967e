"""A part of some bytes, at the cost of a copy when compiled: slicing makes an object for the range first."""

from __future__ import annotations


def cut(data: bytes, start: int, stop: int) -> bytes:
    """Give ``data[start:stop]``; neither number may be negative."""
    size = len(data)
    stop = min(stop, size)
    if start < 0 or start >= stop:
        return b""
    base = data  # a pointer when compiled: bounds are checked above
    return base[start:stop]
