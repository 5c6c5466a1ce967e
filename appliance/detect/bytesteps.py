"""The keywords that compute with bytes: byte_test, byte_jump, byte_extract, byte_math, isdataat, bsize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.compare import Comparison
from appliance.detect.content import split_number
from appliance.detect.numbers import BASES, MASK64, apply_mask, read_binary, read_text
from appliance.detect.steps import Check, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.detect.context import Context
    from appliance.rulelang.tree import ByteExtract, ByteJump, ByteMath, ByteTest, IntMatch, IsDataAt


class Reader(Check):
    """A step that reads a number at an offset from the start or the cursor."""

    __slots__ = ("base", "bitmask", "count", "count_var", "endian", "offset", "offset_var", "value")

    def __init__(self, node: ByteTest | ByteJump | ByteExtract | ByteMath, names: Mapping[str, int]) -> None:
        """Take over what the four keywords share."""
        super().__init__()
        self.relative = node.relative
        self.count, self.count_var = split_number(node.nbytes, names)
        self.offset, self.offset_var = split_number(node.offset, names)
        self.endian: str = node.endian
        self.base: int = BASES.get(node.string, 0)
        self.bitmask: int | None = node.bitmask
        self.value: int = 0

    def read(self, ctx: Context) -> int:
        """Leave the number in ``value`` and give the place after it; -1 when it is not there."""
        place = number(self.offset, self.offset_var, ctx)
        count = number(self.count, self.count_var, ctx)
        if self.relative:
            place += ctx.cursor
            if place >= len(ctx.data) and count:
                return -1
        if self.base:
            self.value, used = read_text(ctx.data, place, count, self.base)
            return place + used if used else -1
        if count > 8:
            return -1
        endian = ctx.endian if self.endian == "dce" else self.endian
        self.value = read_binary(ctx.data, place, count, endian)
        return place + count if self.value >= 0 else -1


class ByteTestStep(Reader):
    """``byte_test``: compare the number with a constant or variable."""

    __slots__ = ("negated", "operator", "operand", "operand_var")

    def __init__(self, node: ByteTest, names: Mapping[str, int]) -> None:
        """Take over the node."""
        super().__init__(node, names)
        self.operator: str = node.operator
        self.negated: bool = node.negated
        self.operand, self.operand_var = split_number(node.value, names)

    @override
    def test(self, ctx: Context) -> bool:
        """Compare; a number that is not there fails whether negated or not."""
        if self.read(ctx) < 0:
            return False
        value = apply_mask(self.value, self.bitmask)
        return self._compare(value, number(self.operand, self.operand_var, ctx)) != self.negated

    def _compare(self, value: int, operand: int) -> bool:
        """Apply the operator."""
        operator = self.operator
        if operator == "&":
            return value & operand != 0
        if operator == "^":
            return value ^ operand != 0
        if operator == "<":
            return value < operand
        if operator == ">":
            return value > operand
        if operator == "<=":
            return value <= operand
        if operator == ">=":
            return value >= operand
        return value == operand


class ByteJumpStep(Reader):
    """``byte_jump``: move the cursor by the number read."""

    __slots__ = ("align", "from_beginning", "from_end", "multiplier", "post", "post_var")

    def __init__(self, node: ByteJump, names: Mapping[str, int]) -> None:
        """Take over the node."""
        super().__init__(node, names)
        self.multiplier: int = node.multiplier
        self.align: bool = node.align
        self.from_beginning: bool = node.from_beginning
        self.from_end: bool = node.from_end
        self.post, self.post_var = split_number(node.post_offset, names)

    @override
    def test(self, ctx: Context) -> bool:
        """Jump; a place behind the end fails, one before the start is the start."""
        after = self.read(ctx)
        if after < 0:
            return False
        step = apply_mask(self.value, self.bitmask) * self.multiplier
        if self.align:
            step += -step % 4
        step += number(self.post, self.post_var, ctx)
        start = 0 if self.from_beginning else len(ctx.data) if self.from_end else after
        place = max(start + step, 0)
        if place >= len(ctx.data):
            return False
        ctx.cursor = place
        return True


class ByteExtractStep(Reader):
    """``byte_extract``: keep the number in a variable."""

    __slots__ = ("align", "multiplier", "variable")

    def __init__(self, node: ByteExtract, names: Mapping[str, int]) -> None:
        """Take over the node."""
        super().__init__(node, names)
        self.multiplier: int = node.multiplier
        self.align: int = node.align
        self.variable: int = names[node.name]

    @override
    def test(self, ctx: Context) -> bool:
        """Read and store; the cursor moves behind the number."""
        after = self.read(ctx)
        if after < 0:
            return False
        value = apply_mask(self.value, self.bitmask) * self.multiplier
        if self.align:
            value += -value % self.align
        ctx.values[self.variable] = value & MASK64
        ctx.cursor = after
        return True


class ByteMathStep(Reader):
    """``byte_math``: combine the number with another and keep the result in a variable."""

    __slots__ = ("operand", "operand_var", "operator", "variable")

    def __init__(self, node: ByteMath, names: Mapping[str, int]) -> None:
        """Take over the node."""
        super().__init__(node, names)
        self.operator: str = node.operator
        self.operand, self.operand_var = split_number(node.rvalue, names)
        self.variable: int = names[node.result]

    @override
    def test(self, ctx: Context) -> bool:
        """Compute in 64 bits; division by zero fails."""
        after = self.read(ctx)
        operand = number(self.operand, self.operand_var, ctx)
        if after < 0 or (self.operator == "/" and operand == 0):
            return False
        value = self._combine(operand) & MASK64
        ctx.values[self.variable] = apply_mask(value, self.bitmask)
        ctx.cursor = after
        return True

    def _combine(self, operand: int) -> int:
        """Apply the operator; shifts of 64 and more leave nothing."""
        operator = self.operator
        value = self.value
        if operator == "+":
            return value + operand
        if operator == "-":
            return value - operand
        if operator == "*":
            return value * operand
        if operator == "/":
            return value // operand
        if operand >= 64:
            return 0
        return value << operand if operator == "<<" else value >> operand


class IsDataAtStep(Check):
    """``isdataat``: is there a byte at this place."""

    __slots__ = ("negated", "offset", "offset_var")

    def __init__(self, node: IsDataAt, names: Mapping[str, int]) -> None:
        """Take over the node."""
        super().__init__()
        self.relative = node.relative
        self.negated: bool = node.negated
        self.offset, self.offset_var = split_number(node.offset, names)

    @override
    def test(self, ctx: Context) -> bool:
        """Compare the place with the size; that something is missing is certain only at the end."""
        offset = number(self.offset, self.offset_var, ctx)
        size = len(ctx.data)
        there = ctx.cursor + offset <= size if self.relative else offset < size
        return not there and ctx.final if self.negated else there


class SizeStep(Check):
    """``bsize`` and ``urilen``: compare the size of the buffer."""

    __slots__ = ("comparison",)

    def __init__(self, node: IntMatch) -> None:
        """Take over the comparison."""
        super().__init__()
        self.comparison = Comparison(node.operator, node.low, node.high)

    @override
    def test(self, ctx: Context) -> bool:
        """Compare; a buffer that still grows can only be found too long or long enough."""
        if not ctx.final and self.comparison.operator not in {">", ">="}:
            return False
        return self.comparison.holds(len(ctx.data))
