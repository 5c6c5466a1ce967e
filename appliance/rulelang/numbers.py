"""Keywords that compare an unsigned number, in all the forms Suricata gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.intervals import merge
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.tree import IntMatch, IntSet
from appliance.rulelang.values import UNITS, items, try_integer

_NUMBER = r"(-?(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})(?:\s*[kKmMgG][iI]?[bB])?)"
_COMPARE = re.compile(r"(<=|>=|!=|==|<|>|=|!)?\s*" + _NUMBER)
_RANGE = re.compile(r"(!)?\s*" + _NUMBER + r"\s*(?:<>|-)\s*" + _NUMBER)
_MASK = re.compile(r"(!)?\s*&\s*" + _NUMBER + r"(?:\s*(!=|=)\s*" + _NUMBER + ")?")
_OPERATORS = {
    None: "=",
    "==": "=",
    "=": "=",
    "!": "!=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
MAX_TEXT = 256

Parsed = tuple[str, int, int]


def number(text: str) -> int:
    """Read a number with an optional unit; the caller's expression has checked its form."""
    lower = text.lower()
    for unit, factor in UNITS:
        if lower.endswith(unit):
            return (try_integer(lower.removesuffix(unit).strip()) or 0) * factor
    return try_integer(lower) or 0


def comparison(text: str, bits: int = 32, names: Mapping[str, int] | None = None) -> Parsed:
    """Read ``5``, ``!5``, ``<5``, ``5<>9``, ``5-9``, ``&0x40=0x40``, a name of ``names``, ``!name``.

    Both forms of range exclude their ends. ``bits`` is the width, negative when the number is signed.

    Returns:
        Operator, low and high as in :class:`tree.IntMatch`.

    Raises:
        Refused: it is none of these or out of range.
    """
    if len(text) > MAX_TEXT:
        raise Refused("the number is too long")
    if match := _COMPARE.fullmatch(text):
        operator = _OPERATORS[match[1]]
        parsed = (operator, number(match[2]), 0)
    elif match := _RANGE.fullmatch(text):
        parsed = ("!range" if match[1] else "range", number(match[2]), number(match[3]))
        if parsed[2] - parsed[1] < 2:
            raise Refused(f"no number lies inside {shown(text)}", "both ends are excluded: 4<>7 is 5 and 6")
    elif match := _MASK.fullmatch(text):
        parsed = _mask(match)
    elif names is not None:
        return _named(text, names)
    else:
        raise Refused(f"{shown(text)} is no comparison", "write 5, !5, <5, >=5, 5<>9 or &0x40=0x40")
    _within(parsed, bits)
    return parsed


def _mask(match: re.Match[str]) -> Parsed:
    """Read ``&mask``, ``!&mask`` or ``&mask=value``."""
    mask = number(match[2])
    if match[4] is None:
        return ("!&" if match[1] else "&", mask, 0)
    value = number(match[4])
    if value & ~mask:
        raise Refused(f"{shown(match[0])} can never be: the value has bits outside the mask")
    negated = bool(match[1]) != (match[3] == "!=")
    return ("&!=" if negated else "&=", mask, value)


def _named(text: str, names: Mapping[str, int]) -> Parsed:
    """Read one of the words that stand for numbers."""
    negated = text.startswith("!")
    word = text.removeprefix("!").strip().lower().replace("-", "_")
    if word not in names:
        raise Refused(f"{shown(text)} is neither a number nor a known name", did_you_mean(word, names))
    return ("!=" if negated else "=", names[word], 0)


def _within(parsed: Parsed, bits: int) -> None:
    """See that the numbers fit and that the comparison can both hold and fail."""
    low, high = (0, (1 << bits) - 1) if bits > 0 else (-(1 << (-bits - 1)), (1 << (-bits - 1)) - 1)
    for value in parsed[1:]:
        if not min(low, 0) <= value <= high:
            raise Refused(f"{value} is not between {low} and {high}")
    if (parsed[0] == "<" and parsed[1] == low) or (parsed[0] == ">" and parsed[1] == high):
        raise Refused(f"nothing is {parsed[0]} {parsed[1]}")


def read_number(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read a keyword that takes one comparison."""
    operator, low, high = comparison(value, keyword.bits, keyword.names)
    draft.add(IntMatch(keyword.name, operator, low, high, position=draft.position))


def read_set(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read a comparison or a list of numbers and inclusive ranges (``dcerpc.opnum:1,5-7``)."""
    if "," not in value and "-" not in value:
        read_number(draft, keyword, value)
        return
    negated = value.startswith("!")
    ranges: list[tuple[int, int]] = []
    for piece in items(value.removeprefix("!")):
        first, dash, last = piece.partition("-")
        numeric = dash and try_integer(first.strip()) is not None
        ends = (first.strip(), last.strip()) if numeric else (piece, piece)
        low, high = (comparison(end, keyword.bits, keyword.names) for end in ends)
        if low[0] != "=" or high[0] != "=" or low[1] > high[1]:
            raise Refused(f"{shown(piece)} is neither a number nor a range", "write 1,5-7")
        ranges.append((low[1], high[1]))
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        operator = "!=" if negated else "="
        draft.add(IntMatch(keyword.name, operator, ranges[0][0], position=draft.position))
        return
    draft.add(IntSet(keyword.name, merge(ranges), negated, position=draft.position))


def read_led(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``word,comparison``; the words are in the keyword's ``pattern``."""
    first, comma, rest = value.partition(",")
    word = first.strip().lower()
    if not comma or not re.fullmatch(keyword.pattern, word):
        word, rest = "", value
        if not re.fullmatch(keyword.pattern, ""):
            raise Refused(f"{shown(value)} names no direction", f"write {keyword.name}:{keyword.syntax}")
    operator, low, high = comparison(rest.strip(), keyword.bits, keyword.names)
    draft.add(IntMatch(keyword.name, operator, low, high, word, position=draft.position))


def read_one_way(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``flow.pkts_toclient:…`` as ``flow.pkts:toclient,…``; ``pattern`` is the direction."""
    operator, low, high = comparison(value, keyword.bits)
    draft.add(IntMatch(keyword.buffer, operator, low, high, keyword.pattern, position=draft.position))


def read_trailed(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``comparison[,extra]``; ``pattern`` says what the extra may be."""
    first, comma, rest = value.partition(",")
    extra = rest.strip().lower()
    if comma and not re.fullmatch(keyword.pattern, extra):
        raise Refused(f"{shown(rest)} does not belong here", f"write {keyword.name}:{keyword.syntax}")
    operator, low, high = comparison(first.strip(), keyword.bits, keyword.names)
    draft.add(IntMatch(keyword.name, operator, low, high, extra, position=draft.position))


def read_bsize(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``bsize``: the length of the selected buffer."""
    if not draft.sticky:
        raise Refused("bsize needs a sticky buffer before it", "for the payload use dsize")
    operator, low, high = comparison(value, 64)
    draft.look(IntMatch(keyword.name, operator, low, high, position=draft.position))


def read_flags(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read a number of flags: a comparison, or names joined by commas, each perhaps with ``!``."""
    names = keyword.names or {}
    if not any(char.isalpha() for char in value.replace("0x", "").replace("0X", "")):
        read_number(draft, keyword, value)
        return
    if value[:1] in "<>&=" or try_integer(value.lstrip("!")) is not None:
        read_number(draft, keyword, value)
        return
    mask = wanted = 0
    for piece in items(value):
        word = piece.lstrip("!").strip().lower()
        if word not in names:
            raise Refused(
                f"unknown flag {shown(piece)}", did_you_mean(word, names) or f"known: {', '.join(names)}"
            )
        mask |= names[word]
        wanted |= 0 if piece.startswith("!") else names[word]
    draft.add(IntMatch(keyword.name, "&=", mask, wanted, position=draft.position))
