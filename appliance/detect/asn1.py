"""``asn1``: lengths in BER (X.690) that no honest encoder would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.errors import RefusedError
from appliance.detect.steps import Check

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.rulelang.tree import Text

# Elements looked at, and bytes of one tag number or length.
ELEMENTS = 256
_LONGEST_TAG = 6
_BIT_STRING, _REAL = 3, 9
_DOUBLE = 256  # characters of a number that a parser could be expected to hold
_FLAGS = frozenset(("bitstring_overflow", "double_overflow"))
_NUMBERS = frozenset(("oversize_length", "absolute_offset", "relative_offset"))


class Asn1Step(Check):
    """Walk over elements from a place in the payload; one that shows any of the signs is enough."""

    __slots__ = ("bits", "doubles", "oversize", "place")

    def __init__(self, node: Text) -> None:
        """Read the options.

        Raises:
            RefusedError: one of them is not known, or says nothing.
        """
        super().__init__()
        options = _options(node)
        self.bits = "bitstring_overflow" in options
        self.doubles = "double_overflow" in options
        self.oversize: int = options.get("oversize_length", -1)
        self.relative = "relative_offset" in options
        self.place: int = options.get("relative_offset", options.get("absolute_offset", 0))
        if not (self.bits or self.doubles or self.oversize >= 0):
            raise RefusedError("asn1", "asn1 asks for nothing", node.position)

    @override
    def test(self, ctx: Context) -> bool:
        """Walk; constructed elements are entered, so that no depth has to be kept."""
        data = ctx.data
        at = self.place + (ctx.cursor if self.relative else 0)
        for _ in range(ELEMENTS):
            if at < 0 or at + 2 > len(data):
                return False
            kind = data[at]
            start = _after_tag(data, at)
            length, start = _length(data, start)
            if length < 0:
                return False
            if self._odd(kind, length, data[start : start + 1]):
                return True
            at = start if kind & 0x20 else start + length
        return False

    def _odd(self, kind: int, length: int, first: bytes) -> bool:
        """Tell whether an element shows one of the signs."""
        if 0 <= self.oversize < length:
            return True
        if kind & 0xE0:
            return False  # neither of the universal, primitive types
        if self.bits and kind == _BIT_STRING and first:
            return first[0] > (length - 1) * 8
        return self.doubles and kind == _REAL and bool(first) and not first[0] & 0xC0 and length > _DOUBLE


def _options(node: Text) -> dict[str, int]:
    """Read ``name`` and ``name number``, with commas or blanks between."""
    words = node.argument.replace(",", " ").split()
    found: dict[str, int] = {}
    while words:
        name = words.pop(0)
        if name in _FLAGS:
            found[name] = 1
        elif name in _NUMBERS and words and words[0].lstrip("+-").isdigit():
            found[name] = int(words.pop(0))
        else:
            raise RefusedError("asn1", f"asn1 has no option {name}, or it lacks its number", node.position)
    return found


def _after_tag(data: bytes, at: int) -> int:
    """Give the place behind a tag, which may be of several bytes."""
    if data[at] & 0x1F != 0x1F:
        return at + 1
    for place in range(at + 1, min(at + _LONGEST_TAG, len(data))):
        if not data[place] & 0x80:
            return place + 1
    return len(data)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length; gives it and the place behind it, -1 when it is not there."""
    if at >= len(data):
        return -1, at
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count > 8 or at + 1 + count > len(data):
        return -1, at
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count
