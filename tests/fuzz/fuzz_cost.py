"""Cost of a piece of work without a clock: how many functions were called in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class Calls:
    """Counts calls of functions, Python's and built-in ones, and gives up over ``limit`` while they run."""

    def __init__(self) -> None:
        self.count = 0
        self.limit = 0

    def of(self, limit: int, work: Callable[[], object]) -> int:
        """Do ``work``; gives its calls.

        Raises:
            AssertionError: there were more than ``limit``.
        """
        self.count, self.limit = 0, limit
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            work()
        finally:
            sys.setprofile(before)
        return self.count

    def _note(self, _frame: FrameType, event: str, _argument: Any) -> None:
        if event in {"call", "c_call"}:
            self.count += 1
            if self.count > self.limit:
                sys.setprofile(None)
                raise AssertionError(f"more than {self.limit} calls")
