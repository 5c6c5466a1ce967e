"""How Python's collector of cyclic garbage runs beside the engine."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

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
