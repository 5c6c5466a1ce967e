"""Flatten overlapping address ranges, so that one bisection finds the narrowest that holds an address."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class IntervalMap(Generic[T]):
    """Maps addresses of one length (network-order bytes) to the value of the narrowest range."""

    def __init__(self, ranges: Iterable[tuple[int, int, T]], size: int) -> None:
        """Take inclusive (first, last, value); ``size`` is the length of an address in bytes.

        Among ranges of equal width the one given first wins. Time is O(n log n).
        """
        self._starts: list[bytes] = []
        self._values: list[T | None] = []
        end = 1 << (8 * size)
        opens = sorted(
            (first, last - first, order, last, value) for order, (first, last, value) in enumerate(ranges)
        )
        edges = sorted({0, *(one[0] for one in opens), *(one[3] + 1 for one in opens if one[3] + 1 < end)})
        live: list[tuple[int, int, int, T]] = []
        place = 0
        for edge in edges:
            while place < len(opens) and opens[place][0] == edge:
                heapq.heappush(live, opens[place][1:])
                place += 1
            while live and live[0][2] < edge:
                heapq.heappop(live)
            self._starts.append(edge.to_bytes(size, "big"))
            self._values.append(live[0][3] if live else None)

    def find(self, address: bytes) -> T | None:
        """Give the value of the narrowest range that holds ``address``."""
        return self._values[bisect_right(self._starts, address) - 1]
