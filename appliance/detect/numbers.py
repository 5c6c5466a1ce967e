"""Reading numbers out of hostile bytes, as the byte_* keywords need them."""

from __future__ import annotations

MASK64 = (1 << 64) - 1
# Longest text that is read as a number.
TEXT_LIMIT = 23
BASES = {"hex": 16, "dec": 10, "oct": 8}
_DIGITS = {16: b"0123456789abcdef", 10: b"0123456789", 8: b"01234567"}
_BLANK = b" \t\n\v\f\r"


def read_binary(data: bytes, place: int, count: int, endian: str) -> int:
    """Read ``count`` bytes as an unsigned number; -1 when they are not there."""
    if place < 0 or count < 0 or place + count > len(data):
        return -1
    return int.from_bytes(data[place : place + count], "little" if endian == "little" else "big")


def read_text(data: bytes, place: int, count: int, base: int) -> tuple[int, int]:
    """Read a number written in ``base`` within ``count`` bytes: (value, bytes used); (-1, 0) if none.

    Like C's ``strtoull``: blanks and a sign may come first, what follows the digits is left.
    """
    if place < 0 or count <= 0 or count > TEXT_LIMIT or place + count > len(data):
        return -1, 0
    text = data[place : place + count].lower()
    at = count - len(text.lstrip(_BLANK))
    minus = text[at : at + 1] == b"-"
    if text[at : at + 1] in {b"-", b"+"}:
        at += 1
    digits = _DIGITS[base]
    if base == 16 and text[at : at + 2] == b"0x" and text[at + 2 : at + 3] in _members(digits):
        at += 2
    start = at
    value = 0
    while at < count and text[at] in digits:
        value = value * base + digits.index(text[at])
        at += 1
    if at == start:
        return -1, 0
    value = min(value, MASK64)
    return (-value & MASK64 if minus else value), at


def apply_mask(value: int, mask: int | None) -> int:
    """Keep the bits of ``mask``, moved down by its trailing zeros."""
    if not mask:
        return value
    return (value & mask) >> ((mask & -mask).bit_length() - 1)


def _members(digits: bytes) -> set[bytes]:
    return {bytes((digit,)) for digit in digits}
