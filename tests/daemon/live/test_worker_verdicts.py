"""What a worker tells the kernel of each frame, alone and while a machine's traffic is recorded."""

from __future__ import annotations

import socket
from typing import Any

from appliance.capture.base import LiveCounters
from appliance.capture.frame import Frame
from appliance.config.settings import Settings
from appliance.daemon.live.overload import Overload
from appliance.daemon.live.worker import Worker
from appliance.engine.build import build_pipeline
from appliance.engine.engine import Engine
from appliance.model.identity import Vm, VmInterface
from appliance.model.mark import SETTLED, mark_of
from appliance.model.origin import ORIGINAL, Origin
from appliance.model.verdict import Decision, Verdict

EPOCH = 7
VM = Vm("00000000-0000-0000-0000-000000000001", "web")
MAC = b"\x02\0\0\0\0\x01"
INTERFACE = VmInterface(0, VM, "eth0", MAC)
ETHER = b"\x02\0\0\0\0\x02" + MAC + b"\x08\x00"
UDP = bytes.fromhex("4500001c00000000401100000a0000010a00000204d2162e00080000")


class Source:
    """Gives the frames it was made with, and has the worker stop behind them."""

    tries = 3

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames
        self.verdicts: list[tuple[int, Verdict, int]] = []
        self.flushed: list[int] = []
        self.worker: Any = None

    def filenos(self) -> tuple[int, ...]:
        return ()

    def receive(self, timeout: float) -> list[Frame]:
        del timeout
        batch, self.frames = self.frames[:2], self.frames[2:]
        self.worker.stopping = not self.frames
        return batch

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        self.verdicts.append((token, decision.verdict, mark))

    def flush(self) -> None:
        self.flushed.append(len(self.verdicts))

    def counters(self) -> LiveCounters:
        return LiveCounters()


class Reports:
    def write(self, events: list[Any]) -> None:
        pass

    def flush(self) -> None:
        pass


def _frames(count: int) -> list[Frame]:
    origin = Origin(INTERFACE, None, 0, ORIGINAL)
    origin.checked = True
    data = ETHER + UDP
    return [Frame(data, 1, 10**18 + n, len(data), n, None, 100 + n, origin) for n in range(1, count + 1)]


def _worker(source: Source) -> Worker:
    engine = Engine(build_pipeline(Settings()))
    made = Worker(source, engine, Reports(), None, Overload(50, 80, 1000), lambda: 0, 100)  # type: ignore[arg-type]
    made.epoch = EPOCH
    made.busy = False
    source.worker = made
    return made


def test_every_frame_has_its_verdict_before_the_next_batch() -> None:
    source = Source(_frames(5))
    worker = _worker(source)
    worker.run()
    assert [token for token, _, _ in source.verdicts] == [101, 102, 103, 104, 105]
    assert {verdict for _, verdict, _ in source.verdicts} == {Verdict.ACCEPT}
    assert source.verdicts[-1][2] == mark_of(SETTLED, EPOCH)
    assert source.flushed == [2, 4, 5]
    assert worker.frames == 5


def test_nothing_that_is_recorded_is_left_to_the_kernel() -> None:
    source = Source(_frames(2))
    worker = _worker(source)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours:
        assert worker.takings.start(1, theirs.detach(), frozenset([VM.uuid]), {"web/eth0": 0})
        worker.run()
        assert {mark for _, _, mark in source.verdicts} == {0}
        assert worker.takings.counts()[1] == (2, 0)
        worker.takings.stop(1)
    source.frames = _frames(2)
    worker.stopping = False
    worker.run()
    assert source.verdicts[-1][2] == mark_of(SETTLED, EPOCH)
