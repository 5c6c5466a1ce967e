"""Comparison of a number with what a rule says."""

from __future__ import annotations

from appliance.rulelang.tree import IntMatch, IntSet

OPERATORS = frozenset(("=", "!=", "<", "<=", ">", ">=", "range", "!range", "&", "!&", "&=", "&!="))


class Comparison:
    """An operator of ``IntMatch`` with its operands, or a set of ranges."""

    __slots__ = ("high", "low", "operator", "ranges")

    def __init__(
        self, operator: str, low: int, high: int = 0, ranges: tuple[tuple[int, int], ...] = ()
    ) -> None:
        """Take over the operands; with operator "in" or "!in", ``ranges`` count instead."""
        self.operator: str = operator
        self.low: int = low
        self.high: int = high
        self.ranges: tuple[tuple[int, int], ...] = ranges

    def holds(self, value: int) -> bool:
        """Tell whether ``value`` satisfies the comparison."""
        operator = self.operator
        if operator == "=":
            return value == self.low
        if operator == ">":
            return value > self.low
        if operator == "<":
            return value < self.low
        if operator == "range":
            return self.low < value < self.high
        if operator == "!=":
            return value != self.low
        if operator == ">=":
            return value >= self.low
        if operator == "<=":
            return value <= self.low
        if operator == "!range":
            return not self.low < value < self.high
        if operator == "&":
            return value & self.low != 0
        if operator == "!&":
            return value & self.low == 0
        if operator == "&=":
            return value & self.low == self.high
        if operator == "&!=":
            return value & self.low != self.high
        return self._within(value) == (operator == "in")

    def _within(self, value: int) -> bool:
        """Look the value up in the inclusive ranges."""
        for first, last in self.ranges:  # noqa: SIM110 - a generator would not compile
            if first <= value <= last:
                return True
        return False


def comparison_of(node: IntMatch | IntSet) -> Comparison:
    """Make the comparison that a node describes."""
    if isinstance(node, IntSet):
        return Comparison("!in" if node.negated else "in", 0, 0, node.ranges)
    return Comparison(node.operator, node.low, node.high)
