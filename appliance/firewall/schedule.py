"""Times of the week in which a rule is in force."""

from __future__ import annotations

from datetime import datetime, tzinfo

MINUTE = 60_000_000_000  # nanoseconds
DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
_LAST_MINUTE = 253_370_764_800 // 60  # end of the year 9998, as far as datetime can go in every zone


class Schedule:
    """A set of windows in the week of one time zone; the answer is kept for the minute it holds."""

    __slots__ = ("_active", "_minute", "name", "windows", "zone")

    def __init__(self, name: str, windows: tuple[tuple[int, int], ...], zone: tzinfo) -> None:
        """Take windows as (first, end) minutes of the week, Monday 00:00 being 0, ``end`` exclusive."""
        self.name = name
        self.windows = windows
        self.zone = zone
        self._minute = -1
        self._active = False

    def active(self, now: int) -> bool:
        """Tell whether ``now`` (nanoseconds since the epoch) lies in a window."""
        minute = min(max(now // MINUTE, 0), _LAST_MINUTE)
        if minute != self._minute:
            self._minute = minute
            self._active = self._evaluate(minute)
        return self._active

    def _evaluate(self, minute: int) -> bool:
        local = datetime.fromtimestamp(minute * 60, self.zone)
        at = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
        return any(first <= at < end for first, end in self.windows)


def week_windows(days: list[int], first: int, end: int) -> tuple[tuple[int, int], ...]:
    """Give the windows of ``first`` to ``end`` (minutes of a day) on ``days`` (Monday is 0).

    An end at or before the start is on the next day: 22:00-06:00 on Sunday ends on Monday.
    """
    windows: list[tuple[int, int]] = []
    length = end - first if end > first else end - first + DAY_MINUTES
    for day in days:
        start = day * DAY_MINUTES + first
        stop = start + length
        windows.append((start, min(stop, WEEK_MINUTES)))
        if stop > WEEK_MINUTES:
            windows.append((0, stop - WEEK_MINUTES))
    return tuple(windows)
