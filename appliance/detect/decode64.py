"""``base64_decode`` with ``base64_data``: decode at the cursor and inspect the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.content import split_number
from appliance.detect.context import MATCH
from appliance.detect.steps import Check, Step, follow, number
from appliance.detect.transforms import decode_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.detect.context import Context
    from appliance.rulelang.tree import Base64Decode

# Bytes decoded at one place.
INPUT_LIMIT = 65_536


class Base64Step(Check):
    """Decode a piece of the buffer; the chain on the decoded bytes has to hold, if there is one."""

    __slots__ = ("chain", "count", "count_var", "offset", "offset_var")

    def __init__(self, node: Base64Decode, names: Mapping[str, int], chain: list[Step]) -> None:
        """Take over the node."""
        super().__init__()
        self.relative = node.relative
        self.count, self.count_var = split_number(node.nbytes, names)
        self.offset, self.offset_var = split_number(node.offset, names)
        self.chain = chain

    @override
    def test(self, ctx: Context) -> bool:
        """Decode, inspect and come back to the outer buffer."""
        start = number(self.offset, self.offset_var, ctx) + (ctx.cursor if self.relative else 0)
        count = number(self.count, self.count_var, ctx) or INPUT_LIMIT
        if start < 0 or start >= len(ctx.data):
            return False
        decoded = decode_base64(ctx.data[start : start + min(count, INPUT_LIMIT)], "rfc4648")
        if not decoded:
            return False
        return not self.chain or self._inspect(decoded, ctx)

    def _inspect(self, decoded: bytes, ctx: Context) -> bool:
        """Run the inner chain; the step count goes on."""
        outer, base, final, cursor, steps = ctx.data, ctx.base, ctx.final, ctx.cursor, ctx.steps
        ctx.look_at(decoded, 0, True)
        ctx.steps = steps
        held = follow(self.chain, 0, ctx) == MATCH
        steps = ctx.steps
        ctx.look_at(outer, base, final)
        ctx.steps, ctx.cursor = steps, cursor
        return held
