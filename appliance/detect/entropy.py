"""``entropy``: how evenly the bytes of a buffer are spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.steps import Check

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.rulelang.tree import Entropy


def shannon(data: bytes) -> float:
    """Give the Shannon entropy in bits for each byte, 0 to 8."""
    size = len(data)
    if not size:
        return 0.0
    shares = [data.count(bytes((byte,))) / size for byte in set(data)]
    return -sum(share * math.log2(share) for share in shares)


class EntropyStep(Check):
    """Compare the entropy of a piece of the buffer."""

    __slots__ = ("buffer", "node")

    def __init__(self, node: Entropy, buffer: str) -> None:
        """Take over the node; the result is noted on the flow under the name of the ``buffer``."""
        super().__init__()
        self.node = node
        self.buffer = buffer.replace(".", "_") or "content"

    @override
    def test(self, ctx: Context) -> bool:
        """Compute and compare."""
        node = self.node
        piece = ctx.data[node.offset :]
        if node.nbytes:
            piece = piece[: node.nbytes]
        if not piece:
            return False
        value = shannon(piece)
        flow = ctx.flow
        if flow is not None:
            flow.vars = flow.vars or {}
            flow.vars.setdefault("entropy", {})[self.buffer] = value
        answers = {
            "=": value == node.low,
            "!=": value != node.low,
            "<": value < node.low,
            "<=": value <= node.low,
            ">": value > node.low,
            ">=": value >= node.low,
            "range": node.low <= value <= node.high,
            "!range": not node.low <= value <= node.high,
        }
        return answers.get(node.operator, False)
