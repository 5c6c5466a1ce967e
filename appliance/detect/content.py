"""The ``content`` keyword: look for bytes at places that may depend on the match before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.steps import Step, follow, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.detect.context import Context
    from appliance.rulelang.tree import Content, Number


class ContentStep(Step):
    """One ``content`` with its modifiers; -1 in a ``*_var`` field means the constant counts."""

    __slots__ = (
        "absolute_depth",
        "depth",
        "depth_var",
        "distance",
        "distance_var",
        "endswith",
        "fixed",
        "has_within",
        "negated",
        "nocase",
        "offset",
        "offset_var",
        "pattern",
        "replace",
        "size",
        "within",
        "within_var",
    )

    def __init__(self, node: Content, names: Mapping[str, int]) -> None:
        """Take over the node; ``names`` gives the variables their indexes."""
        super().__init__()
        self.nocase: bool = node.nocase
        self.pattern: bytes = node.pattern.lower() if node.nocase else node.pattern
        self.size: int = len(node.pattern)
        self.negated: bool = node.negated
        self.endswith: bool = node.endswith
        self.replace: bytes | None = node.replace
        self.relative = node.distance is not None or node.within is not None
        self.distance, self.distance_var = split_number(node.distance, names)
        self.within, self.within_var = split_number(node.within, names)
        self.has_within: bool = node.within is not None
        self.offset, self.offset_var = split_number(node.offset, names)
        depth = node.depth
        if node.startswith and depth is None:
            depth = self.size
        self.depth, self.depth_var = split_number(depth, names)
        self.absolute_depth: bool = depth is not None
        # A failure that no earlier choice can mend ends the inspection.
        variables = (self.distance_var, self.within_var, self.offset_var, self.depth_var)
        self.fixed: bool = not self.relative and max(variables) < 0

    @property
    def open_ended(self) -> bool:
        """Tell whether any place behind the cursor, or behind a distance from it, will do."""
        return self.relative and not (self.negated or self.has_within or self.absolute_depth)

    @override
    def run(self, chain: list[Step], index: int, ctx: Context) -> int:
        """Try each occurrence in the window, in order, until the rest of the chain holds."""
        data = ctx.lower() if self.nocase else ctx.data
        size = len(data)
        # Variables reach 2^64: bring both ends to what a place in the data can be.
        low = min(self.low(ctx), size + 1)
        high = max(self.high(ctx, size), -1)
        if self.endswith:
            low = max(low, size - self.size) if high == size and ctx.final else high + 1
        failed = ABORT if self.fixed else NO
        place = data.find(self.pattern, low, high) if low <= high and high > 0 else -1
        if self.negated:
            return follow(chain, index + 1, ctx) if place < 0 and ctx.final else failed
        while place >= 0:
            ctx.cursor = place + self.size
            result = follow(chain, index + 1, ctx)
            if result == MATCH and self.replace is not None:
                ctx.replaces.append((place, self.replace))
            if result != NO or not self.retry:
                return result
            place = data.find(self.pattern, place + 1, high)
        return failed

    def low(self, ctx: Context) -> int:
        """First place at which the pattern may start."""
        offset = number(self.offset, self.offset_var, ctx)
        if not self.relative:
            return max(offset - ctx.base, 0)
        start = ctx.cursor + number(self.distance, self.distance_var, ctx)
        return max(start, offset - ctx.base, 0)

    def high(self, ctx: Context, size: int) -> int:
        """Place before which the pattern must end; negative when the window lies before the data."""
        high = size
        if self.relative and self.has_within:
            reach = number(self.within, self.within_var, ctx) + number(self.distance, self.distance_var, ctx)
            high = min(high, ctx.cursor + reach)
        if self.absolute_depth:
            depth = number(self.depth, self.depth_var, ctx)
            # Depth counts from the offset where the rule gives both.
            offset = 0 if self.relative else number(self.offset, self.offset_var, ctx)
            start = ctx.cursor if self.relative else offset - ctx.base
            high = min(high, start + depth)
        return high


def split_number(value: Number | None, names: Mapping[str, int]) -> tuple[int, int]:
    """Split a number or variable name into (constant, index of the variable or -1)."""
    if value is None:
        return 0, -1
    if isinstance(value, int):
        return value, -1
    return 0, names[value]
