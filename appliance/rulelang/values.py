"""Small grammars that many keywords share: quoted text, numbers, comma lists."""

from __future__ import annotations

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.tree import Number

_HEX = frozenset("0123456789abcdefABCDEF")
MAX_ITEMS = 512


def quoted(value: str, negatable: bool = False) -> tuple[str, bool, int]:
    """Take the quotes off ``"…"`` or ``!"…"``.

    Returns:
        The inside, whether it was negated, and the offset of the inside in ``value``.

    Raises:
        Refused: the quotes are missing.
    """
    start = 0
    negated = value.startswith("!")
    if negated:
        if not negatable:
            raise Refused("this keyword cannot be negated", at=0)
        start = 1 + len(value[1:]) - len(value[1:].lstrip())
    if len(value) < start + 2 or value[start] != '"' or value[-1] != '"':
        raise Refused(
            "the argument has to stand in double quotes", 'a ";" inside is written "\\;" or |3B|', start
        )
    return value[start + 1 : -1], negated, start + 1


def bare(value: str) -> str:
    """Take off quotes where they are optional."""
    if len(value) >= 2 and value[0] == '"' and value[-1] == '"':
        return value[1:-1].strip()
    return value


def unescape(text: str) -> str:
    """Resolve backslash escapes of a message: the character after a backslash stands for itself."""
    if "\\" not in text:
        return text
    out: list[str] = []
    escaped = False
    for char in text:
        if not escaped and char == "\\":
            escaped = True
            continue
        if escaped and char not in '\\";:':
            out.append("\\")
        out.append(char)
        escaped = False
    if escaped:
        out.append("\\")
    return "".join(out)


def items(value: str) -> list[str]:
    """Split at commas and strip.

    Raises:
        Refused: there are too many.
    """
    if value.count(",") >= MAX_ITEMS:
        raise Refused(f"more than {MAX_ITEMS} items")
    return [item.strip() for item in value.split(",")]


def integer(text: str, low: int, high: int, what: str = "number") -> int:
    """Read a decimal or 0x number between ``low`` and ``high``.

    Raises:
        Refused: it is none, or outside.
    """
    number = try_integer(text)
    if number is None:
        raise Refused(f"{shown(text)} is not a {what}", f"write a {what} from {low} to {high}")
    if not low <= number <= high:
        raise Refused(f"{what} {shown(text)} is not between {low} and {high}")
    return number


def try_integer(text: str) -> int | None:
    """Read a decimal or 0x number; None when it is none."""
    body = text[1:] if text[:1] in {"-", "+"} else text
    if len(body) > 40 or not body.isascii():
        return None
    if body.isdigit():
        return int(text)
    if body[:2].lower() == "0x" and len(body) > 2 and _HEX.issuperset(body[2:]):
        number = int(body, 16)
        return -number if text[0] == "-" else number
    return None


def number_or_name(draft: Draft, text: str, low: int, high: int, what: str) -> Number:
    """Read a number, or the name of a variable that an earlier option fills.

    Raises:
        Refused: it is neither.
    """
    number = try_integer(text)
    if number is not None:
        return integer(text, low, high, what)
    if text in draft.variables:
        return text
    if text and (text[0].isalpha() or text[0] == "_") and text.replace("_", "").replace(".", "").isalnum():
        raise Refused(
            f"{what} {shown(text)} is neither a number nor a variable",
            "a byte_extract or byte_math that fills it has to come first in the rule",
        )
    raise Refused(f"{shown(text)} is not a {what}")


def one_of(text: str, known: tuple[str, ...], what: str) -> str:
    """Read one of a few words, in any case.

    Raises:
        Refused: it is none of them.
    """
    word = text.lower()
    if word not in known:
        raise Refused(f"unknown {what} {shown(text)}", f"use one of: {', '.join(known)}")
    return word


def size(text: str, what: str) -> int:
    """Read a size in bytes with an optional unit (kb, mb, gb).

    Raises:
        Refused: it is none.
    """
    lower = text.lower()
    for unit, factor in UNITS:
        if lower.endswith(unit):
            return integer(lower.removesuffix(unit).strip(), 0, 1 << 40, what) * factor
    return integer(text, 0, 1 << 40, what)


UNITS = (
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1 << 10),
    ("mb", 1 << 20),
    ("gb", 1 << 30),
)
