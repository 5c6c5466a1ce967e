"""Copies of frames for recordings: whoever reads too slowly is told how many are missing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.capture.base import Frame
from appliance.daemon.live.taking import HEAD, MAX_FRAME, Takings
from appliance.model.identity import Vm, VmInterface
from appliance.model.origin import Origin
from appliance.model.verdict import Decision, Verdict

VM = Vm("00000000-0000-0000-0000-000000000001", "web")
ORIGIN = Origin(VmInterface(0, VM, "eth0", b"\x02\0\0\0\0\1"))
SIZE = 1000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        yield ours, theirs


def _taken(takings: Takings, count: int) -> None:
    for number in range(1, count + 1):
        frame = Frame(bytes(SIZE), 1, number, SIZE, number)
        frame.origin = ORIGIN
        takings.take(frame, Decision(Verdict.ACCEPT))


def _read(end: socket.socket) -> list[int]:
    """Give how many frames were lost before each that waits."""
    end.setblocking(False)
    found = []
    while True:
        try:
            data = end.recv(HEAD.size + MAX_FRAME)
        except BlockingIOError:
            return found
        found.append(HEAD.unpack_from(data)[2])


def test_a_slow_reader_learns_how_many_frames_it_lost(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    takings = Takings()
    assert takings.start(1, os.dup(theirs.fileno()), frozenset([VM.uuid]), {"web/eth0": 0})
    _taken(takings, 5000)
    first = _read(ours)
    sent, lost = takings.counts()[1]
    assert (len(first), sum(first)) == (sent, 0)
    assert sent + lost == 5000
    assert lost > 0
    _taken(takings, 2)
    assert _read(ours) == [lost, 0]
    takings.stop(1)


def test_a_reader_that_keeps_up_loses_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    takings = Takings()
    takings.start(1, os.dup(theirs.fileno()), frozenset([VM.uuid]), {"web/eth0": 0})
    for _ in range(300):
        _taken(takings, 1)
        assert _read(ours) == [0]
    takings.stop(1)
