"""Where a message ends inside the client's bytes: a dot on a line of its own, or a count."""

from __future__ import annotations


class DotReader:
    """Takes the content of DATA (RFC 5321 section 4.5.2): ends at a lone dot, undoes dot stuffing."""

    __slots__ = ("_fresh", "ended")

    def __init__(self) -> None:
        self._fresh = True  # at the beginning of a line
        self.ended = 0  # bytes of the line with the lone dot, once it was found

    def take(self, buffer: bytearray) -> tuple[bytes, bool]:
        """Remove content from the front of ``buffer``.

        Returns:
            The content, and whether its end was found; what may be the beginning of the end stays.
        """
        end, size = self._end(buffer)
        self.ended = size
        cut = end if end >= 0 else len(buffer) - self._pending(buffer)
        piece = bytes(buffer[:cut])
        del buffer[: cut + size]
        if not piece:
            return b"", end >= 0
        fresh, self._fresh = self._fresh, piece.endswith(b"\n")
        piece = piece.replace(b"\n.", b"\n")
        if fresh and piece.startswith(b"."):
            piece = piece[1:]
        return piece, end >= 0

    def lose(self) -> None:
        """Go on somewhere inside a line."""
        self._fresh = False

    def _end(self, buffer: bytearray) -> tuple[int, int]:
        """Give where the lone dot is and the length of its line, (-1, 0) when there is none."""
        if self._fresh:
            for mark in (b".\r\n", b".\n"):
                if buffer.startswith(mark):
                    return 0, len(mark)
        at = buffer.find(b"\n.")
        while at >= 0:
            for mark in (b".\r\n", b".\n"):
                if buffer.startswith(mark, at + 1):
                    return at + 1, len(mark)
            at = buffer.find(b"\n.", at + 1)
        return -1, 0

    def _pending(self, buffer: bytearray) -> int:
        """Count the bytes at the end that may be the beginning of a lone dot's line."""
        for tail in (b".", b".\r"):
            if buffer.endswith(b"\n" + tail) or (self._fresh and bytes(buffer[:3]) == tail):
                return len(tail)
        return 0
