"""What was put together in a buffer, as bytes: slicing a bytearray makes another one first."""

from __future__ import annotations

from typing import Any

import cython


def taken(room: bytearray, size: int) -> bytes:
    """Give the first ``size`` bytes of ``room``; none when it has not as many."""
    if size <= 0 or size > len(room):
        return b""
    if not cython.compiled:
        return bytes(room[:size])
    base: Any = room  # a pointer, and what is cut from it bytes
    made: bytes = base[:size]
    return made
