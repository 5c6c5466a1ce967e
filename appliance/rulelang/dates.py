"""Dates in rules: the validity of certificates."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.tree import IntMatch, IntSet
from appliance.rulelang.values import bare

_HINT = "write it as 2015-10-22, <2015-10, >2015-10-22T21:00:00, 2015-10<>2016-10 or as seconds since 1970"
_FORMS = (
    "%Y-%m",
    "%Y-%m-%d",
    *(f"%Y-%m-%d{joint}{time}" for joint in ("T", " ") for time in ("%H", "%H:%M", "%H:%M:%S")),
)
_EPOCH = re.compile(r"[0-9]{1,12}")


def read_date(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``date``, ``<date``, ``>date`` or ``date<>date``, in UTC; the ends that are named count."""
    text = bare(value)
    low, between, high = text.partition("<>")
    if between:
        bounds = (_seconds(low), _seconds(high))
        if bounds[0] > bounds[1]:
            raise Refused(f"{shown(value)} ends before it begins", _HINT)
        draft.add(IntSet(keyword.name, (bounds,), position=draft.position))
        return
    operator = {"<": "<=", ">": ">="}.get(text[:1], "=")
    moment = _seconds(text.removeprefix("<").removeprefix(">") if operator != "=" else text)
    draft.add(IntMatch(keyword.name, operator, moment, position=draft.position))


def _seconds(text: str) -> int:
    """Give the seconds since 1970 of a date.

    Raises:
        Refused: it is none.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return int(text)
    for form in _FORMS:
        try:
            moment = datetime.strptime(text.upper(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(moment.timestamp())
    raise Refused(f"{shown(text)} is not a date", _HINT)
