"""What has happened to machines lately is bounded, in number and in bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.daemon.live import history as module
from appliance.daemon.live.history import History
from appliance.inventory.events import EventKind, VmEvent


def events(machine: int, count: int) -> Iterator[VmEvent]:
    uuid = f"00000000-0000-4000-8000-{machine:012}"
    for number in range(count):
        yield VmEvent(EventKind.CHANGED, uuid, f"vm-{machine}", at=number, provider="p")


def fill(history: History, machines: int, count: int) -> None:
    for machine in range(machines):
        for event in events(machine, count):
            history.add(event)


def test_a_machine_keeps_its_latest(tmp_path: Path) -> None:
    history = History(tmp_path)
    fill(history, 1, 100)
    assert [one["at"] for one in history.of("00000000-0000-4000-8000-000000000000")] == list(range(36, 100))


def test_the_one_silent_for_longest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10_000)
    history = History(tmp_path)
    fill(history, 20, 10)
    kept = [history.of(f"00000000-0000-4000-8000-{machine:012}") for machine in range(20)]
    held = sum(len(json.dumps(one, separators=(",", ":"))) for machine in kept for one in machine)
    assert 9_000 < held <= 10_000
    assert [bool(one) for one in kept] == sorted(bool(one) for one in kept)
    assert history.named("vm-0") == ""
    assert history.named("vm-19")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    history = History(tmp_path)
    fill(history, 3, 5)
    history.save(history.take_unsaved())
    again = History(tmp_path)
    assert again.of("00000000-0000-4000-8000-000000000002") == history.of(
        "00000000-0000-4000-8000-000000000002"
    )
    assert again.named("vm-2")
