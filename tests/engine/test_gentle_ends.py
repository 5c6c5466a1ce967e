"""Flows that are over end all at once in a replay, and few at a time where packets wait meanwhile."""

from __future__ import annotations

import pytest

from appliance.config.settings import Settings
from appliance.engine.build import build_pipeline
from appliance.engine.engine import Engine

START = 10**18
HOUR = 3600 * 10**9
ETHER = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00"
IP = bytes.fromhex("4500001c00000000401166cf0a0000010a000002")


def _opened(count: int) -> Engine:
    engine = Engine(build_pipeline(Settings()))
    for number in range(1, count + 1):
        ports = (1024 + number).to_bytes(2, "big") + b"\x16\x2e"
        engine.process(ETHER + IP + ports + b"\x00\x08\x00\x00", 1, START, number)
    assert len(engine.pipeline.table) == count
    return engine


@pytest.mark.parametrize(("live", "left"), [(False, 0), (True, 136)])
def test_one_look_ends_as_many_flows_as_there_is_time_for(live: bool, left: int) -> None:
    engine = _opened(200)
    engine.live = live
    engine.tick(START + HOUR)
    assert len(engine.pipeline.table) == left


def test_the_rest_is_looked_at_again_soon() -> None:
    engine = _opened(200)
    engine.live = True
    ends = [len(engine.tick(START + HOUR))]
    for step in range(1, 5):
        now = START + HOUR + step * 20_000_000
        ends.append(len(engine.process(ETHER + b"\xff", 1, now, 200 + step).events))
    assert len(engine.pipeline.table) == 0
    assert all(count < 80 for count in ends)
