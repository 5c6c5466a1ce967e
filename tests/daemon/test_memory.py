"""The worker looks for garbage in small steps, and for all of it when that holds nobody up."""

from __future__ import annotations

import gc
import weakref

import pytest

from appliance.daemon.memory import Collector


class Ring:
    """Refers to itself, so that reference counts do not free it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def _as_before():
    thresholds = gc.get_threshold()
    gc.collect()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def ring() -> weakref.ref[Ring]:
    return weakref.ref(Ring())


def old_ring(collector: Collector) -> weakref.ref[Ring]:
    """Give garbage that was in use at a look."""
    held = Ring()
    collector.look(idle=False, loading=False)
    return weakref.ref(held)


def test_nothing_is_collected_between_looks_and_the_young_at_each():
    collector = Collector(lambda: 0)
    assert not gc.isenabled()
    gone = ring()
    assert gone() is not None
    collector.look(idle=False, loading=False)
    assert gone() is None


def test_what_has_lived_for_a_look_waits_until_no_packet_comes():
    collector = Collector(lambda: 0)
    seen = old_ring(collector)
    for _ in range(6300):
        collector.look(idle=False, loading=False)
    assert seen() is not None
    collector.look(idle=True, loading=False)
    assert seen() is None


def test_an_idle_worker_does_not_go_through_everything_again_and_again():
    collector = Collector(lambda: 0)
    seen = old_ring(collector)
    for _ in range(6300):
        collector.look(idle=True, loading=False)
    assert seen() is not None


def test_memory_that_has_grown_much_is_reason_enough():
    memory = [400 << 20]
    collector = Collector(lambda: memory[0])
    seen = old_ring(collector)
    memory[0] = 650 << 20
    for _ in range(100):
        collector.look(idle=False, loading=False)
    assert seen() is not None
    memory[0] = 660 << 20
    for _ in range(100):
        collector.look(idle=False, loading=False)
    assert seen() is None


def test_what_is_being_loaded_is_never_gone_through():
    collector = Collector(lambda: 0)
    collector.look(idle=False, loading=True)
    documents = [[] for _ in range(5000)]
    collector.look(idle=False, loading=True)
    frozen = gc.get_freeze_count()
    collector.look(idle=False, loading=False)
    assert gc.get_freeze_count() >= frozen + len(documents)
    gone = ring()
    collector.look(idle=False, loading=False)
    assert gone() is None
