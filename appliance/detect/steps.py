"""Steps of a buffer inspection and the way from one to the next.

A buffer is inspected by a chain of steps. Each either fails or moves the cursor and goes on to the
next; a step that others refer to tries its later occurrences when they fail. The number of steps of
one inspection is bounded, so hostile data cannot make the search long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.context import ABORT, MATCH, NO, STEP_LIMIT

if TYPE_CHECKING:
    from appliance.detect.context import Context


class Step:
    """Base of all steps. ``relative`` starts at the cursor; ``retry`` means that a later step does."""

    __slots__ = ("relative", "retry")

    def __init__(self) -> None:
        """Make a step that stands alone."""
        self.relative: bool = False
        self.retry: bool = False

    def run(self, chain: list[Step], index: int, ctx: Context) -> int:
        """Try this step and all that follow: MATCH, NO or ABORT."""
        raise NotImplementedError


class Check(Step):
    """A step that has one way to succeed; subclasses say in :meth:`test` whether they do."""

    __slots__ = ()

    @override
    def run(self, chain: list[Step], index: int, ctx: Context) -> int:
        """Go on when the test holds."""
        return follow(chain, index + 1, ctx) if self.test(ctx) else NO

    def test(self, ctx: Context) -> bool:
        """Tell whether the buffer passes, moving the cursor where the keyword does."""
        raise NotImplementedError


def follow(chain: list[Step], index: int, ctx: Context) -> int:
    """Run the chain from ``index`` on, within the step limit."""
    if index >= len(chain):
        return MATCH
    ctx.steps += 1
    if ctx.steps > STEP_LIMIT:
        ctx.count("detect.step_limit")
        return ABORT
    step = chain[index]
    return step.run(chain, index, ctx)


def inspect(chain: list[Step], data: bytes, base: int, final: bool, ctx: Context) -> bool:
    """Tell whether ``data``, whose first byte has stream offset ``base``, passes all of ``chain``."""
    ctx.look_at(data, base, final)
    return follow(chain, 0, ctx) == MATCH


def number(constant: int, variable: int, ctx: Context) -> int:
    """Give a constant, or the value of the variable of that index when it is not negative."""
    return constant if variable < 0 else ctx.values[variable]
