"""Durations, hours and days as written in policies."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from appliance.firewall.schedule import DAY_MINUTES, Schedule, week_windows

DAYS = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SECOND = 1_000_000_000
_MAX_SECONDS = 366 * 86400


def _duration(value: Any) -> int:
    """Read seconds or a number with a unit ("5m") into nanoseconds."""
    text = str(value)
    digits, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        message = f"{value!r} is not a duration: write seconds or 30s, 5m, 1h, 1d"
        raise ValueError(message)
    seconds = int(digits) * _UNITS[unit]
    if not 0 < seconds <= _MAX_SECONDS:
        raise ValueError("a duration is between one second and a year")
    return seconds * _SECOND


def _minute(text: str) -> int:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(hours) <= 2 and len(minutes) == 2):
        message = f"{text!r} is not a time of day, write 08:30"
        raise ValueError(message)
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > DAY_MINUTES:
        message = f"{text!r} is not a time of day"
        raise ValueError(message)
    return minute


def _hours(value: Any) -> tuple[tuple[int, int], ...]:
    """Read ``08:00-18:00`` or a list of such."""
    spans = []
    for one in value if isinstance(value, list) else [value]:
        first, dash, last = str(one).partition("-")
        if not dash:
            message = f"{one!r} is not a span of hours, write 08:00-18:00"
            raise ValueError(message)
        spans.append((_minute(first), _minute(last)))
    return tuple(spans)


def _days(value: Any) -> tuple[int, ...]:
    """Read names of days; ``mon-fri`` is a span."""
    days: list[int] = []
    for one in value if isinstance(value, list) else [value]:
        first, dash, last = str(one).lower().partition("-")
        if first[:3] not in DAYS or (dash and last[:3] not in DAYS):
            message = f"{one!r} is not a day (known: {', '.join(DAYS)})"
            raise ValueError(message)
        start = DAYS[first[:3]]
        length = (DAYS[last[:3]] - start) % 7 if dash else 0
        days.extend((start + step) % 7 for step in range(length + 1))
    return tuple(dict.fromkeys(days))


def _zone(value: Any) -> tzinfo:
    if value == "UTC":
        return UTC
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        message = f"{value!r} is not a time zone, write a name such as Europe/Berlin"
        raise ValueError(message) from None


Duration = Annotated[int, BeforeValidator(_duration)]
Hours = Annotated[Any, BeforeValidator(_hours)]
Days = Annotated[Any, BeforeValidator(_days)]
Zone = Annotated[Any, BeforeValidator(_zone)]


def make_schedule(
    name: str, days: tuple[int, ...], hours: tuple[tuple[int, int], ...], zone: tzinfo
) -> Schedule:
    """Make the schedule that rules ask."""
    windows = [window for first, last in hours for window in week_windows(list(days), first, last)]
    return Schedule(name, tuple(windows), zone)
