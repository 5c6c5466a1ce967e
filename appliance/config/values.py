"""Values as they are written in configurations: sizes, durations, truth, lists."""

from __future__ import annotations

from typing import Any

TRUE = frozenset(("1", "yes", "true", "on"))
FALSE = frozenset(("0", "no", "false", "off"))
_UNITS = {
    "": 1,
    "b": 1,
    "k": 10,
    "kb": 10,
    "kib": 10,
    "m": 20,
    "mb": 20,
    "mib": 20,
    "g": 30,
    "gb": 30,
    "gib": 30,
}
_SECONDS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}
_NANO = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_SECOND = 1_000_000_000
_MAX_DIGITS = 18
_MAX_VALUE = (1 << 62) - 1


def is_true(text: str | None) -> bool:
    """Tell whether a word means yes; everything else means no, as Suricata reads it."""
    return text is not None and text.strip().lower() in TRUE


def _split(text: str) -> tuple[str, str]:
    """Part a number from the unit behind it."""
    text = text.strip()
    end = 0
    while end < len(text) and text[end] in "0123456789.":
        end += 1
    return text[:end], text[end:].strip().lower()


def _scaled(number: str, factor: int) -> int | None:
    """Give ``number * factor`` with a decimal part taken exactly; None when it is not a number."""
    whole, point, part = number.partition(".")
    if not whole.isdigit() or (point and not part.isdigit()) or len(number) > _MAX_DIGITS:
        return None
    value = int(whole + part) * factor // 10 ** len(part)
    return value if value <= _MAX_VALUE else None


def parse_size(text: str) -> int | None:
    """Read bytes: ``64mb``, ``100 KiB``, ``1.5 gb``, ``4096``. Units are powers of 1,024."""
    number, unit = _split(text)
    if unit not in _UNITS:
        return None
    return _scaled(number, 1 if unit in {"", "b"} else 1 << _UNITS[unit])


def parse_duration(text: str) -> int | None:
    """Read a time in nanoseconds: ``30`` and ``30s`` are seconds, ``5m``, ``2h``, ``1 day``, ``10ms``."""
    number, unit = _split(text)
    unit = unit if unit in _NANO or unit == "s" or not unit.endswith("s") else unit[:-1]
    factor = _NANO.get(unit) or _SECONDS.get(unit, 0) * _SECOND
    return _scaled(number, factor) if factor else None


def parse_int(text: str) -> int | None:
    """Read a whole number, decimal or 0x hexadecimal."""
    text = text.strip().lower()
    body = text[2:] if text.startswith("0x") else text.lstrip("-")
    if not body or len(body) > _MAX_DIGITS or not body.isalnum() or not body.isascii():
        return None
    try:
        return int(text, 16 if text.startswith("0x") else 10)
    except ValueError:
        return None


def split_list(text: str) -> list[str]:
    """Part ``[a, b, c]`` or ``a, b`` at its commas."""
    return [part.strip() for part in text.strip().strip("[]").split(",") if part.strip()]


def plain(text: str | None) -> Any:
    """Give an option whose type nobody declared: a bool, an int (sizes in bytes) or the text."""
    if text is None:
        return None
    word = text.strip().lower()
    if word in TRUE - {"1"} or word in FALSE - {"0"}:
        return word in TRUE
    number = parse_int(word)
    if number is not None:
        return number
    _, unit = _split(word)
    size = parse_size(word) if unit and unit not in {"b", "k", "m", "g"} else None
    return text if size is None else size
