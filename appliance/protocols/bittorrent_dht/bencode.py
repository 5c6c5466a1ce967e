"""Bencoding (BEP 3), read without recursion and within limits."""

from __future__ import annotations

from typing import Any

_MAX_DEPTH = 8
_MAX_ITEMS = 2048
_MAX_DIGITS = 20
_DIGITS = frozenset(b"0123456789")


def decode(data: bytes) -> Any:
    """Give the one value that ``data`` is: int, bytes, list or dict; None when it is malformed.

    Of keys that come twice the first counts.
    """
    reader = _Reader(data)
    value = reader.run()
    return value if reader.at == len(data) else None


class _Reader:
    """Reading place, and the lists that are open; a dictionary is a list of keys and values until it ends."""

    __slots__ = ("at", "data", "open")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.open: list[tuple[int, list[Any]]] = []

    def run(self) -> Any:
        """Read one value."""
        for _ in range(_MAX_ITEMS):
            if self.at >= len(self.data):
                return None
            mark = self.data[self.at]
            if mark in b"dl" and len(self.open) < _MAX_DEPTH:
                self.open.append((mark, []))
                self.at += 1
                continue
            value = self._close() if mark == 0x65 else self._scalar(mark)
            if value is None:
                return None
            if not self.open:
                return value
            self.open[-1][1].append(value)
        return None

    def _scalar(self, mark: int) -> int | bytes | None:
        return self._integer() if mark == 0x69 else self._string()

    def _close(self) -> Any:
        """End the innermost list or dictionary."""
        if not self.open:
            return None
        self.at += 1
        mark, items = self.open.pop()
        if mark == 0x6C:
            return items
        if len(items) % 2 or not all(isinstance(key, bytes) for key in items[::2]):
            return None
        found: dict[bytes, Any] = {}
        for place in range(0, len(items), 2):
            found.setdefault(items[place], items[place + 1])
        return found

    def _integer(self) -> int | None:
        """Read ``i-12e``."""
        end = self.data.find(b"e", self.at, self.at + _MAX_DIGITS + 3)
        text = self.data[self.at + 1 : end]
        digits = text.removeprefix(b"-")
        if end < 0 or not digits or not _DIGITS.issuperset(digits):
            return None
        self.at = end + 1
        return int(text)

    def _string(self) -> bytes | None:
        """Read ``3:abc``."""
        end = self.data.find(b":", self.at, self.at + 7)
        digits = self.data[self.at : end]
        if end < 0 or not digits or not _DIGITS.issuperset(digits):
            return None
        start = end + 1
        value = self.data[start : start + int(digits)]
        if len(value) < int(digits):
            return None
        self.at = start + len(value)
        return value
