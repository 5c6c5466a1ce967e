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

    __slots__ = ("node",)

    def __init__(self, node: Entropy) -> None:
        """Take over the node."""
        super().__init__()
        self.node = node

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
