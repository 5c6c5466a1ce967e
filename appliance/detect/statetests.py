"""Conditions on how far a transaction has come: hooks of the rule header and ``app-layer-state``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.context import ABORT, MATCH, NO
from appliance.detect.txtests import TxTest, TxView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.detect.context import Context

AT_OR_PAST = "hook"


class StateTest(TxTest):
    """Compare the progress of a direction with a named step of the protocol.

    A hook holds from its step on. It holds again with each piece of data while the step lasts, so that a
    rule on a body hook sees every update of the body. ``app-layer-state`` also means the step of the same
    place in the other direction, once there is data in it.
    """

    __slots__ = ("operator", "places")

    def __init__(self, places: Mapping[str, tuple[int, int]], operator: str) -> None:
        """``places``: (direction, progress) by protocol; ``operator``: "=", "<", ">" or ``AT_OR_PAST``."""
        self.places = places
        self.operator = operator

    @override
    def directions(self, protocols: frozenset[str] | None) -> set[int]:
        """Give the directions that the step belongs to, or means."""
        if self.operator != AT_OR_PAST:
            return {0, 1}
        return {way for name, (way, _) in self.places.items() if protocols is None or name in protocols}

    @override
    def repeats(self, view: TxView) -> bool:
        """Tell whether the direction is at the step itself, where more of the same may come."""
        place = self.places.get(view.protocol)
        if place is None or view.final or self.operator != AT_OR_PAST:
            return False
        return bool(view.progress == place[1])

    @override
    def check(self, view: TxView, ctx: Context) -> int:
        """Compare; what can no longer hold ends the rule."""
        place = self.places.get(view.protocol)
        if place is None or (self.operator == AT_OR_PAST and place[0] != view.direction):
            return ABORT
        if self.operator != AT_OR_PAST and not ctx.flow.app.fed[view.direction]:
            return NO
        progress, step = view.progress, place[1]
        if self.operator == "<":
            return MATCH if progress < step else ABORT
        if self.operator == AT_OR_PAST:
            return MATCH if progress >= step else NO
        if self.operator == ">":
            return MATCH if progress > step else NO
        return MATCH if progress == step else NO if progress < step else ABORT
