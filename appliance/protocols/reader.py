"""A cursor over the bytes of one message: reading past the end marks it, and gives zeros."""

from __future__ import annotations

from typing import Any

from appliance.model.app import COMPLETE, Transaction


class Reader:
    """Reads numbers and byte strings in order; ``failed`` tells that the bytes did not suffice."""

    __slots__ = ("at", "data", "end", "failed")

    def __init__(self, data: bytes, at: int = 0, end: int = -1) -> None:
        """Begin at ``at``; ``end`` is the first offset that does not belong to the message (-1: the end)."""
        self.data = data
        self.at = at
        self.end = len(data) if end < 0 else min(end, len(data))
        self.failed = at > self.end

    @property
    def left(self) -> int:
        """Number of bytes that follow; 0 after a failure."""
        return 0 if self.failed else self.end - self.at

    def take(self, size: int) -> bytes:
        """Give the next ``size`` bytes, or none when there are not so many."""
        if self.failed or size < 0 or self.at + size > self.end:
            self.failed = True
            return b""
        self.at += size
        return self.data[self.at - size : self.at]

    def rest(self) -> bytes:
        """Give everything that follows."""
        return self.take(self.left)

    def uint(self, size: int) -> int:
        """Read ``size`` bytes as a big-endian number; 0 after a failure."""
        return int.from_bytes(self.take(size), "big")

    def little(self, size: int) -> int:
        """Read ``size`` bytes as a little-endian number; 0 after a failure."""
        return int.from_bytes(self.take(size), "little")

    def string(self) -> bytes:
        """Read bytes up to a zero, which is passed over."""
        end = -1 if self.failed else self.data.find(b"\0", self.at, self.end)
        if end < 0:
            self.failed = True
            return b""
        found = self.data[self.at : end]
        self.at = end + 1
        return found


def text(data: bytes) -> str:
    """Write bytes that ought to be UTF-8; others as a backslash, "x" and two digits."""
    return data.decode("utf-8", "backslashreplace")


class MessageTransaction(Transaction):
    """A transaction that is one message: complete at once, absent in the other direction."""

    __slots__ = ("direction",)

    def __init__(self, tx_id: int, direction: int) -> None:
        """Open transaction ``tx_id`` for a message that travelled in ``direction``."""
        super().__init__(tx_id)
        self.direction = direction
        self.progress = [COMPLETE, COMPLETE]
        self.skip[1 - direction] = True

    def note(self, event: str) -> None:
        """Record an event once."""
        note(self, event)


def note(tx: Transaction, event: str) -> None:
    """Record an event of a transaction once."""
    if event not in tx.events:
        tx.events.append(event)
        tx.updated = True


def yes_no(value: Any, argument: str) -> bool:
    """Compare a truth value with a rule's yes, no, true or false."""
    return bool(value) == (argument.lower() in {"yes", "true", "1", "on"})
