"""Kinds of fields in a snapshot: how each is written, checked and read.

``pack`` cuts what is longer than the bound, so that what was written can be read again.
"""

from __future__ import annotations

from typing import Any, Protocol

_HEX = frozenset("0123456789abcdef")
_INT63 = (1 << 63) - 1


class Field(Protocol):
    """One kind of field. ``unpack`` may be called only with data that ``fits``."""

    def pack(self, value: Any) -> Any:
        """Give the value as JSON-able data."""

    def fits(self, data: object) -> bool:
        """Tell whether the data is of this kind and within bounds; never raises."""

    def unpack(self, data: Any) -> Any:
        """Give the value again."""


def _is_int(data: object, lowest: int, highest: int) -> bool:
    return isinstance(data, int) and not isinstance(data, bool) and lowest <= data <= highest


def _is_text(data: object, longest: int) -> bool:
    return isinstance(data, str) and len(data) <= longest


class Int:
    """An integer between two bounds."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest = lowest
        self.highest = highest

    def pack(self, value: Any) -> int:
        """Give the nearest integer within the bounds."""
        return min(max(int(value), self.lowest), self.highest)

    def fits(self, data: object) -> bool:
        """Tell whether this is an integer within the bounds."""
        return _is_int(data, self.lowest, self.highest)

    def unpack(self, data: Any) -> int:
        """Give the integer."""
        return int(data)


class Flag:
    """True or false."""

    def pack(self, value: Any) -> bool:
        """Give a bool."""
        return bool(value)

    def fits(self, data: object) -> bool:
        """Tell whether this is a bool."""
        return isinstance(data, bool)

    def unpack(self, data: Any) -> bool:
        """Give the bool."""
        return bool(data)


class Text:
    """A string of limited length."""

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def pack(self, value: Any) -> str:
        """Give the string, cut."""
        return str(value)[: self.longest]

    def fits(self, data: object) -> bool:
        """Tell whether this is a string, not too long."""
        return _is_text(data, self.longest)

    def unpack(self, data: Any) -> str:
        """Give the string."""
        return str(data)


class Hex:
    """Bytes of one of several lengths, as lower-case hexadecimal digits."""

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.lengths = lengths

    def pack(self, value: Any) -> str:
        """Give the digits; bytes of another length are as none."""
        return value.hex() if len(value) in self.lengths else ""

    def fits(self, data: object) -> bool:
        """Tell whether these are digits of the right number."""
        return isinstance(data, str) and len(data) / 2 in self.lengths and _HEX.issuperset(data)

    def unpack(self, data: Any) -> bytes:
        """Give the bytes."""
        return bytes.fromhex(data)


class Ints:
    """A tuple of integers."""

    def __init__(self, most: int, lowest: int, highest: int) -> None:
        self.most = most
        self.item = Int(lowest, highest)

    def pack(self, value: Any) -> list[int]:
        """Give a list, cut."""
        return [self.item.pack(item) for item in value[: self.most]]

    def fits(self, data: object) -> bool:
        """Tell whether this is a list of such integers."""
        return (
            isinstance(data, list) and len(data) <= self.most and all(self.item.fits(item) for item in data)
        )

    def unpack(self, data: Any) -> tuple[int, ...]:
        """Give the tuple."""
        return tuple(data)


class Texts:
    """A set of strings, or None."""

    def __init__(self, most: int, longest: int) -> None:
        self.most = most
        self.longest = longest

    def pack(self, value: Any) -> list[str] | None:
        """Give a sorted list, cut."""
        return sorted(str(item)[: self.longest] for item in value)[: self.most] if value is not None else None

    def fits(self, data: object) -> bool:
        """Tell whether this is a list of such strings, or None."""
        if data is None:
            return True
        return (
            isinstance(data, list)
            and len(data) <= self.most
            and all(_is_text(item, self.longest) for item in data)
        )

    def unpack(self, data: Any) -> set[str] | None:
        """Give the set."""
        return set(data) if data is not None else None


class IntMap:
    """Integers by name, or None."""

    def __init__(self, most: int, longest: int) -> None:
        self.most = most
        self.longest = longest

    def pack(self, value: Any) -> dict[str, int] | None:
        """Give a sorted mapping, cut."""
        if value is None:
            return None
        item = Int(-_INT63, _INT63)
        return {str(name)[: self.longest]: item.pack(value[name]) for name in sorted(value)[: self.most]}

    def fits(self, data: object) -> bool:
        """Tell whether this is a mapping of such names to 64-bit integers, or None."""
        if data is None:
            return True
        if not isinstance(data, dict) or len(data) > self.most:
            return False
        return all(
            _is_text(name, self.longest) and _is_int(number, -_INT63, _INT63) for name, number in data.items()
        )

    def unpack(self, data: Any) -> dict[str, int] | None:
        """Give the mapping."""
        return dict(data) if data is not None else None
