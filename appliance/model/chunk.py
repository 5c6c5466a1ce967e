"""A piece of a reassembled byte stream."""

from __future__ import annotations


class Chunk:
    """Next bytes of one direction, or a hole in it.

    ``offset`` is the place in the stream (first payload byte is 0), ``data`` the bytes, and ``gap``
    how many bytes are missing at ``offset`` when ``data`` is empty. ``eof`` marks the last piece.
    """

    __slots__ = ("data", "direction", "eof", "gap", "offset")

    def __init__(self, direction: int, offset: int, data: bytes, gap: int = 0, eof: bool = False) -> None:
        """Make a piece of the stream in ``direction``."""
        self.direction: int = direction
        self.offset: int = offset
        self.data: bytes = data
        self.gap: int = gap
        self.eof: bool = eof
