"""``http2.settings`` of rules."""

from __future__ import annotations

from typing import Any

from appliance.protocols.http2.frames import SETTINGS_NAMES

_NUMBERS = {f"SETTINGS_{name}": number for number, name in SETTINGS_NAMES.items()}
_NUMBERS |= {name.replace("_", ""): number for name, number in _NUMBERS.items()}
_OPERATORS = (("<=", int.__le__), (">=", int.__ge__), ("<", int.__lt__), (">", int.__gt__), ("!", int.__ne__))
_MAX_DIGITS = 20


def test_setting(value: Any, argument: str) -> bool:
    """Compare an (identifier, value) pair with ``SETTINGS_NAME``, ``NAME>1000``, ``NAME 1-5``, ``NAME=4``."""
    text = argument.strip()
    size = next((i for i, c in enumerate(text) if not (c.isalnum() or c == "_")), len(text))
    name, condition = text[:size].upper(), text[size:].replace(" ", "")
    number = _NUMBERS.get(name, int(name) if name.isdigit() and len(name) <= _MAX_DIGITS else -1)
    return bool(value[0] == number) and _holds(int(value[1]), condition)


def _holds(value: int, condition: str) -> bool:
    """Compare with a number, or with an open range."""
    if not condition:
        return True
    for mark in ("<>", "-"):
        low, found, high = condition.partition(mark)
        if found and low:
            return _number(low) < value < _number(high)
    for sign, compare in _OPERATORS:
        if condition.startswith(sign):
            return bool(compare(value, _number(condition[len(sign) :].lstrip("="))))
    return value == _number(condition.lstrip("="))


def _number(digits: str) -> int:
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) <= _MAX_DIGITS else -1
