"""Sweeps over ports and hosts, and the sources that are blocked for a while.

Memory is bounded: at most ``max_sources`` sources are watched, each with no more entries than its
threshold; the source that was quiet for longest makes room. At most ``max_blocks`` blocks are
held; the oldest makes room. Both evictions are counted in ``evicted``.
"""

from __future__ import annotations

from appliance.firewall.bound import ScanAction


class Watch:
    """Distinct targets of one source, in the order in which they were last touched."""

    __slots__ = ("targets",)

    def __init__(self) -> None:
        """Start with no target."""
        self.targets: dict[object, int] = {}

    def touch(self, target: object, action: ScanAction, now: int) -> bool:
        """Note a target; tell whether the window now holds as many as the threshold.

        Exact: targets outside the window are forgotten as time goes on, and reaching the
        threshold starts the count afresh.
        """
        targets = self.targets
        targets.pop(target, None)
        targets[target] = now
        while targets:
            oldest = next(iter(targets))
            if targets[oldest] > now - action.window:
                break
            del targets[oldest]
        if len(targets) < action.threshold:
            return False
        targets.clear()
        return True


class Sweeps:
    """Watches by source; a key says what is counted, for whom."""

    def __init__(self, max_sources: int) -> None:
        """Bound the number of sources that are watched at a time."""
        self.max_sources = max_sources
        self.evicted = 0
        self._watches: dict[object, Watch] = {}

    def __len__(self) -> int:
        return len(self._watches)

    def adopt(self, other: Sweeps) -> None:
        """Take over the watches of another table, which is not used any more."""
        self._watches, self.evicted = other._watches, other.evicted

    def touch(self, key: object, target: object, action: ScanAction, now: int) -> bool:
        """Note that the source of ``key`` touched ``target``; tell whether that makes a sweep."""
        watch = self._watches.pop(key, None)
        if watch is None:
            watch = Watch()
            if len(self._watches) >= self.max_sources:
                del self._watches[next(iter(self._watches))]
                self.evicted += 1
        self._watches[key] = watch
        return watch.touch(target, action, now)


class Blocks:
    """Sources that an interface does not listen to until a time."""

    def __init__(self, max_blocks: int) -> None:
        """Bound the number of blocks."""
        self.max_blocks = max_blocks
        self.evicted = 0
        self._until: dict[tuple[int, bytes], int] = {}

    def __len__(self) -> int:
        return len(self._until)

    def adopt(self, other: Blocks) -> None:
        """Take over the blocks of another table, which is not used any more."""
        self._until, self.evicted = other._until, other.evicted

    def add(self, interface: int, source: bytes, until: int) -> None:
        """Block ``source`` at an interface (a :class:`~appliance.firewall.limits.Tally` number)."""
        key = (interface, source)
        self._until.pop(key, None)
        if len(self._until) >= self.max_blocks:
            del self._until[next(iter(self._until))]
            self.evicted += 1
        self._until[key] = until

    def items(self) -> list[tuple[tuple[int, bytes], int]]:
        """Give (interface, source) and end of each block."""
        return list(self._until.items())

    def blocked(self, interface: int, source: bytes, now: int) -> bool:
        """Tell whether ``source`` is blocked; a block that has run out is removed."""
        if not self._until:
            return False
        until = self._until.get((interface, source))
        if until is None:
            return False
        if now < until:
            return True
        del self._until[interface, source]
        return False


class Recent:
    """What was reported already, so that a scan makes one notice in a while and not one a packet."""

    def __init__(self, limit: int, quiet: int) -> None:
        """Remember ``limit`` reports for ``quiet`` nanoseconds."""
        self._limit = limit
        self._quiet = quiet
        self._seen: dict[object, int] = {}

    def is_news(self, key: object, now: int) -> bool:
        """Tell whether ``key`` was not reported lately, and remember it."""
        seen = self._seen.get(key)
        if seen is not None and seen <= now < seen + self._quiet:
            return False
        self._seen.pop(key, None)
        if len(self._seen) >= self._limit:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = now
        return True
