"""Lines of a text protocol: commands and replies, of bounded length."""

from __future__ import annotations

MAX_LINE = 4096  # bytes kept of one line, unless a protocol's options say otherwise


class LineReader:
    """Cuts one direction into lines; of one that is too long the beginning is kept."""

    __slots__ = ("_limit", "_skip", "buffer", "taken")

    def __init__(self, limit: int = MAX_LINE) -> None:
        """Keep up to ``limit`` bytes of a line."""
        self._limit = limit
        self.buffer = bytearray()
        self._skip = False
        self.taken = 0  # bytes of the line given last, with its end

    def lose(self) -> None:
        """Begin anew at the next line, because bytes are missing."""
        self.buffer.clear()
        self._skip = True

    def next(self) -> tuple[bytes, bool] | None:
        """Give the next line without its end and whether it was cut; None while there is none."""
        buffer = self.buffer
        end = buffer.find(b"\n")
        if self._skip:
            if end < 0:
                buffer.clear()
                return None
            del buffer[: end + 1]
            self._skip = False
            end = buffer.find(b"\n")
        if end < 0 and len(buffer) <= self._limit:
            return None
        cut = end < 0 or end > self._limit
        line = bytes(buffer[: self._limit if cut else end])
        self._skip = end < 0
        self.taken = end + 1 if end >= 0 else len(buffer)
        del buffer[: self.taken]
        return (line if cut else line.rstrip(b"\r")), cut
