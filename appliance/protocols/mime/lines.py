"""Lengths of lines in bodies, whatever pieces they come in."""

from __future__ import annotations

MAX_LINE = 998  # RFC 5322 section 2.1.1
MAX_ENCODED = 76  # RFC 2045 sections 6.7 and 6.8


class LineMeter:
    """Measures lines without their ends."""

    __slots__ = ("_carry", "_cr", "longest")

    def __init__(self) -> None:
        self._carry = 0  # bytes of the unfinished line
        self._cr = False  # it ends with CR
        self.longest = 0

    def feed(self, data: bytes) -> None:
        """Measure the lines of the next piece."""
        first, *lines = data.split(b"\n")
        ends_cr = first.endswith(b"\r") if first else self._cr
        length = self._carry + len(first)
        if not lines:
            self._carry, self._cr = length, ends_cr
            self._see(length - 1)  # the last byte may turn out to belong to the end of the line
            return
        self._see(length - ends_cr)
        last = lines.pop()
        if lines:
            # One comparison for most pieces: only a candidate is measured without its CR.
            longest = max(map(len, lines))
            if longest > self.longest:
                self._see(max(len(line) - line.endswith(b"\r") for line in lines))
        self._carry, self._cr = len(last), last.endswith(b"\r")
        self._see(len(last) - 1)

    def reset(self) -> None:
        """Begin a new line."""
        self._carry, self._cr = 0, False

    def _see(self, length: int) -> None:
        self.longest = max(self.longest, length)
