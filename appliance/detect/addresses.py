"""Matching of addresses and ports, one matcher for each distinct set of the rule files."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.rulelang.tree import AddressSet, PortSet


# Addresses whose sets are remembered; senders choose theirs, so that the memory starts anew beyond that.
MAX_KNOWN = 4096


class AddressMatcher:
    """Membership of an address in sorted intervals; remembers the last answer.

    The packets of one flow ask about the same two addresses over and over.
    """

    __slots__ = ("_first", "_first6", "_known", "_last", "_last6", "any")

    def __init__(self, addresses: AddressSet) -> None:
        """Sort the ranges of both versions."""
        self.any: bool = addresses.any
        four = _merge([r[1:] for r in addresses.ranges if r[0] == 4])
        six = _merge([r[1:] for r in addresses.ranges if r[0] == 6])
        self._first = [low for low, _ in four]
        self._last = [high for _, high in four]
        self._first6 = [low for low, _ in six]
        self._last6 = [high for _, high in six]
        self._known: dict[bytes, bool] = {}

    def has(self, address: bytes) -> bool:
        """Tell whether the 4 or 16 bytes are in the set; no address is only in "any"."""
        if self.any:
            return True
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= 64:
                self._known.clear()
            known = self._known[address] = self._search(address)
        return known

    def _search(self, address: bytes) -> bool:
        """Find the interval that starts last before the address."""
        size = len(address)
        if size not in {4, 16}:
            return False
        starts, ends = (self._first, self._last) if size == 4 else (self._first6, self._last6)
        value = int.from_bytes(address, "big")
        place = bisect_right(starts, value) - 1
        return place >= 0 and value <= ends[place]


class PortMatcher:
    """Membership of a port in disjoint sorted ranges."""

    __slots__ = ("any", "ranges")

    def __init__(self, ports: PortSet) -> None:
        """Take over the ranges."""
        self.any: bool = ports.any or ports.ranges == ((0, 65535),)
        self.ranges: tuple[tuple[int, int], ...] = ports.ranges

    def has(self, port: int) -> bool:
        """Tell whether the port is in the set."""
        if self.any:
            return True
        for first, last in self.ranges:
            if port <= last:
                return port >= first
        return False

    def few(self, limit: int) -> list[int] | None:
        """Give all ports when there are at most ``limit``, else None."""
        if self.any or sum(last - first + 1 for first, last in self.ranges) > limit:
            return None
        return [port for first, last in self.ranges for port in range(first, last + 1)]


class AddressIndex:
    """Which of many address sets contain an address: one bisection, however many sets."""

    __slots__ = ("_known", "_starts", "_starts6", "_values", "_values6", "always")

    def __init__(self, entries: list[tuple[AddressSet, int]]) -> None:
        """Index ``(addresses, number)`` pairs."""
        self.always: list[int] = [number for addresses, number in entries if addresses.any]
        rest = [entry for entry in entries if not entry[0].any]
        self._starts, self._values = _segments(4, rest)
        self._starts6, self._values6 = _segments(6, rest)
        self._known: dict[bytes, tuple[int, ...]] = {}

    def collect(self, source: bytes, destination: bytes, into: set[int]) -> None:
        """Add the numbers of the sets that contain one of the two addresses."""
        if self.always:
            into.update(self.always)
        for address in (source, destination):
            found = self.lookup(address)
            if found:
                into.update(found)

    def lookup(self, address: bytes) -> tuple[int, ...]:
        """Give the numbers of the sets (other than "any") that contain the address."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[address] = self._search(address)
        return known

    def _search(self, address: bytes) -> tuple[int, ...]:
        """Find the segment that the address is in."""
        four = len(address) == 4
        starts, values = (self._starts, self._values) if four else (self._starts6, self._values6)
        place = bisect_right(starts, int.from_bytes(address, "big")) - 1
        return values[place] if place >= 0 else ()


def _segments(version: int, entries: list[tuple[AddressSet, int]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Cut the address space where any set begins or ends, and name the sets of each piece."""
    edges: dict[int, tuple[list[int], list[int]]] = {}
    for addresses, number in entries:
        for low, high in _merge([r[1:] for r in addresses.ranges if r[0] == version]):
            edges.setdefault(low, ([], []))[0].append(number)
            edges.setdefault(high + 1, ([], []))[1].append(number)
    starts = sorted(edges)
    values = []
    active: set[int] = set()
    for start in starts:
        begin, end = edges[start]
        active.difference_update(end)
        active.update(begin)
        values.append(tuple(sorted(active)))
    return starts, values


def _merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort ranges and join those that touch."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged
