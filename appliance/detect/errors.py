"""How building a signature says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.rulelang.tree import Position


class RefusedError(Exception):
    """A rule cannot be used; stays inside the compiler, which turns it into a ``RuleError``."""

    def __init__(self, keyword: str, reason: str, position: Position | None = None, hint: str = "") -> None:
        """Name the keyword and say why."""
        super().__init__(reason)
        self.keyword = keyword
        self.reason = reason
        self.position = position
        self.hint = hint
