"""Bytes of files that wait until it is known whether the file is to be stored.

The core opens nothing: what is to be stored is fetched from here and written by a sink.
"""

from __future__ import annotations

FILE_LIMIT = 16 << 20  # bytes of one file that wait
TOTAL_LIMIT = 256 << 20  # of all files


class Spool:
    """The room that all waiting bytes share.

    ``everything``: files are stored without a rule that asks. ``depth`` is how many bytes of a body are
    followed for a file that is stored, 0 for all of it.
    """

    def __init__(
        self,
        *,
        everything: bool = False,
        depth: int = 0,
        limit: int = FILE_LIMIT,
        total_limit: int = TOTAL_LIMIT,
    ) -> None:
        """Start empty."""
        self.everything = everything
        self.depth = depth
        self.limit = limit
        self.total_limit = total_limit
        self.held = 0

    def buffer(self) -> SpoolBuffer:
        """Make the buffer of a file."""
        return SpoolBuffer(self)


class SpoolBuffer:
    """Bytes of one file. One that did not fit is ``lost``: it takes no more, and the file cannot be stored.

    The room is given back when the bytes are taken, or when the file is forgotten.
    """

    __slots__ = ("data", "lost", "shared")

    def __init__(self, shared: Spool) -> None:
        """Start empty."""
        self.shared = shared
        self.data = bytearray()
        self.lost = False

    def add(self, data: bytes) -> None:
        """Keep the next bytes, as long as there is room."""
        if self.lost:
            return
        shared = self.shared
        if len(self.data) + len(data) > shared.limit or shared.held + len(data) > shared.total_limit:
            self.lost = True
            self.take()
            return
        shared.held += len(data)
        self.data += data

    def take(self) -> bytes:
        """Give what waits and make room."""
        data = bytes(self.data)
        self.data.clear()
        self.shared.held -= len(data)
        return data

    def __del__(self) -> None:
        """Give the room back."""
        self.shared.held -= len(self.data)
