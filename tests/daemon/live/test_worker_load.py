"""A worker whose queue fills up has its engine inspect less, and more again when it has calmed down."""

from __future__ import annotations

from types import SimpleNamespace

from appliance.config.settings import Settings
from appliance.daemon.live.overload import LESS, NONE, NORMAL, Overload
from appliance.daemon.live.worker import Worker
from appliance.engine.build import build_pipeline
from appliance.engine.engine import Engine


class Queue:
    """A source that gives nothing and has as much waiting as it is told."""

    tries = 3
    received = 0
    waiting = 0
    queue_drops = 5

    def filenos(self):
        return []

    def receive(self, timeout):
        self.received += 1
        return []

    def flush(self):
        pass

    def counters(self):
        return SimpleNamespace(waiting=self.waiting, queue_drops=self.queue_drops)


class Reports:
    def __init__(self):
        self.events = []

    def write(self, events):
        self.events += events

    def flush(self):
        pass


def test_the_queue_says_how_much_the_engine_inspects():
    queue, engine, clock = Queue(), Engine(build_pipeline(Settings())), [0]
    worker = Worker(queue, engine, Reports(), None, Overload(50, 80, 1000), lambda: clock[0], 100)
    seen = []

    def stop():
        worker.stopping = True

    worker.look = stop
    for waiting in (10, 55, 90, 10, 10):
        queue.waiting, worker.stopping = waiting, False
        clock[0] += 10**10
        worker.run()
        seen.append(engine.load)
    assert seen == [NORMAL, LESS, NONE, LESS, NORMAL]


def test_what_found_the_queue_full_is_told():
    queue, engine = Queue(), Engine(build_pipeline(Settings()))
    reports = Reports()
    worker = Worker(queue, engine, reports, None, Overload(50, 80, 1000), lambda: 10**10, 100)

    def stop():
        worker.stopping = True

    worker.look = stop
    queue.queue_drops = 12  # five were there before this worker
    worker.run()
    assert [event.details["packets_queue_full"] for event in reports.events] == [7]


def test_an_empty_queue_is_asked_as_often_as_it_says_before_sleep():
    queue, engine = Queue(), Engine(build_pipeline(Settings()))
    worker = Worker(queue, engine, Reports(), None, Overload(50, 80, 1000), lambda: 10**10, 100)

    def stop():
        worker.stopping = True

    worker.look = stop
    worker.run()
    assert queue.received == 1 + queue.tries
