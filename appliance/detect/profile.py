"""What each rule costs, when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Profile:
    """Evaluations, matches and time by rule index; ``clock`` is given from outside."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """Start with nothing measured."""
        self.clock = clock
        self.rules: dict[int, list[int]] = {}

    def add(self, rule_index: int, matched: bool, started: int) -> None:
        """Note one evaluation that began at ``started``."""
        entry = self.rules.setdefault(rule_index, [0, 0, 0])
        entry[0] += 1
        entry[1] += matched
        entry[2] += self.clock() - started
