"""Trouble of an output is said once in an interval, not with every record."""

from __future__ import annotations

from collections.abc import Callable

_SECOND = 1_000_000_000
Say = Callable[[str], None]


class Complaints:
    """Says what is wrong with one output, and when it is over.

    ``trouble`` is what is wrong at present, "" when nothing is.
    """

    def __init__(self, who: str, say: Say, interval: int = 60 * _SECOND) -> None:
        """Say lines that begin with ``who``, at most one in ``interval`` nanoseconds."""
        self._who = who
        self._say = say
        self._interval = interval
        self._said = -interval
        self._unsaid = 0
        self._told = False
        self.trouble = ""

    def add(self, what: str, now: int) -> None:
        """Note trouble at ``now`` (nanoseconds, any clock that does not run backwards far)."""
        self.trouble = what
        if abs(now - self._said) < self._interval:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more times since it was last said)" if self._unsaid else ""
        self._say(f"{self._who}: {what}{more}")
        self._said, self._unsaid, self._told = now, 0, True

    def over(self) -> None:
        """Note that it works again."""
        self.trouble = ""
        if self._told:
            self._say(f"{self._who}: works again")
            self._told = False
