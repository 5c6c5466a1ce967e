"""Addresses and ports of rules, compared once for each direction of a flow."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from appliance.detect.signature import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.context import Context
    from appliance.detect.headers import Header
    from appliance.detect.signature import Signature

# Distinct ends that are told apart. What is rarer shares one number that is never ruled out.
LIMIT = 62
OTHERS = 1 << LIMIT


class Ends:
    """Numbers the distinct ends of the rules on transactions, the most frequent first.

    A set of ends is a number with a bit for each. Most rules of a set share few ends (from the home
    network outwards, say): those that a flow does not have make whole groups of rules superfluous.
    """

    __slots__ = ("headers",)

    def __init__(self, signatures: Sequence[Signature]) -> None:
        """Number them and set :attr:`Signature.ends`."""
        on_transactions = [signature for signature in signatures if signature.kind is Kind.APP]
        counts = Counter(signature.header.ends() for signature in on_transactions)
        numbers = {ends: number for number, (ends, _) in enumerate(counts.most_common(LIMIT))}
        self.headers: list[Header | None] = [None] * len(numbers)
        for signature in on_transactions:
            signature.ends = numbers.get(signature.header.ends(), LIMIT)
            if signature.ends < LIMIT:
                self.headers[signature.ends] = signature.header

    def live(self, wanted: int, ctx: Context) -> int:
        """Give those of ``wanted`` that the packet has, which are those of its flow in its direction."""
        found = OTHERS
        for number, header in enumerate(self.headers):
            bit = 1 << number
            if wanted & bit and header is not None and header.concerns(ctx):
                found |= bit
        return found
