"""How Python's collector of cyclic garbage runs beside the engine."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Objects made and not yet freed before the young are looked at, and how many such looks make one at the
# next older ones. Python's own (700, 10, 10) walks all flows again and again while new ones are opened:
# that took a third of the time of a capture with many flows. Reference counts free nearly all that the engine
# makes; what is left to the collector are packets with a packet inside (a few KB each), so that the garbage
# that waits stays in the tens of megabytes.
YOUNG = 20_000
GENERATIONS = 20


@contextmanager
def without_collecting() -> Iterator[None]:
    """Make many objects that all stay: looking for garbage among them would take most of the time.

    At the end they count as old without having been looked at.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.freeze()
            gc.unfreeze()  # into the oldest generation, not where they came from
            gc.enable()


def settle() -> None:
    """Take what was loaded so far out of the collector's sight, and let it run less often.

    To be called once, by a process that has loaded its rules and is about to see packets. A freeze is for
    good: objects that are in it and later belong to a cycle of garbage stay. So a rule set that is replaced
    has to be thawed first (``gc.unfreeze``).
    """
    gc.freeze()
    gc.set_threshold(YOUNG, GENERATIONS, GENERATIONS)


def resident(pid: int = 0) -> int:
    """Give the bytes of memory that a process holds; 0 is our own."""
    return int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Looks between which all objects are gone through when no packet comes, a minute of traffic.
_MANY = 6000
_STEP = 100  # looks between two at the memory held
_ROOM = 256 << 20


class Collector:
    """Looks for cyclic garbage where packets wait, instead of Python's automatic way, which it ends.

    That one counts objects made less those freed. With as many flows ending as begin, it lets the young
    become as many as the flows are, and then goes through all of them: 250 ms in which no packet moves, with
    32,000 connections. Here the young are what came up since the last look. All objects are gone through
    when no packet comes, or when memory has grown much since, as a table that fills up makes it.
    """

    def __init__(self, held: Callable[[], int] = resident) -> None:
        """``held`` gives the memory of the process in bytes. To be made after :func:`settle`."""
        gc.disable()
        self._held = held
        self._looks = 0
        self._loading = False
        self._limit = self._next_limit()

    def look(self, *, idle: bool, loading: bool) -> None:
        """Look at what came up since the last time; to be called every 10 ms or so.

        ``idle`` says that no packet came for a while, ``loading`` that a thread is reading documents: those
        are left in peace, and out of sight once they are there (see :func:`settle`).
        """
        if loading or self._loading:
            if self._loading and not loading:
                gc.freeze()
            self._loading = loading
            return
        gc.collect(0)
        self._looks += not idle
        if (idle and self._looks >= _MANY) or (self._looks % _STEP == 0 and self._held() > self._limit):
            gc.collect()
            self._looks = 0
            self._limit = self._next_limit()

    def _next_limit(self) -> int:
        held = self._held()
        return max(held + held // 4, held + _ROOM)
