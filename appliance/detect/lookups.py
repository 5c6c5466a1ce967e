"""Steps that look a buffer up in a set: ``dataset`` and ``datarep``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.compare import Comparison
from appliance.detect.steps import Check

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.detect.datasets import Datasets
    from appliance.rulelang.tree import Datarep, Dataset


class DatasetStep(Check):
    """``dataset``: is the buffer in the set; ``set`` and ``unset`` match when they change something."""

    __slots__ = ("command", "context_key", "subdomain", "values")

    def __init__(self, node: Dataset, datasets: Datasets) -> None:
        """Find the set.

        Raises:
            RefusedError: there is none.
        """
        super().__init__()
        self.command = node.command
        self.context_key = node.context_key
        self.subdomain = node.match == "subdomain"
        self.values = datasets.of(node)

    @override
    def test(self, ctx: Context) -> bool:
        """Look up or change; only a buffer that is complete counts."""
        if not ctx.final:
            return False
        if self.command == "set":
            return self.values.add(ctx.data)
        if self.command == "unset":
            return self.values.remove(ctx.data)
        found = self.values.above(ctx.data) if self.subdomain else self.values.find(ctx.data)
        if found is not None and self.context_key:
            ctx.captures.append((f"alert:{self.context_key}", found))
        return (found is not None) == (self.command == "isset")


class DatarepStep(Check):
    """``datarep``: compare the reputation of the buffer's value."""

    __slots__ = ("comparison", "values")

    def __init__(self, node: Datarep, datasets: Datasets) -> None:
        """Find the set.

        Raises:
            RefusedError: there is none.
        """
        super().__init__()
        self.comparison = Comparison(node.operator, node.value)
        self.values = datasets.of(node)

    @override
    def test(self, ctx: Context) -> bool:
        """Look up and compare; an unknown value matches nothing."""
        found = self.values.find(ctx.data) if ctx.final else None
        return isinstance(found, int) and self.comparison.holds(found)
