"""What waits for a receiver: order, bounds, exact counts, restarts, damage."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.sinks.buffer import OVERHEAD, RecordBuffer, segment_size
from appliance.sinks.spool import Spool, SpoolError


def message(number):
    return b"%08d" % number + b"." * 92


def drain(buffer):
    found = []
    while (one := buffer.take()) is not None:
        found.append(int(one[:8]))
        buffer.confirm(1)
    return found


@pytest.fixture
def make(tmp_path):
    opened = []

    def open_buffer(memory=2000, disk=0, segment=1000):
        spool = Spool(str(tmp_path / "spool"), disk, segment) if disk else None
        opened.append(RecordBuffer(memory, spool))
        return opened[-1]

    yield open_buffer
    for buffer in opened:
        buffer.close()


def test_memory_bound_is_exact(make):
    buffer = make(memory=10 * (100 + OVERHEAD))
    pushed = [buffer.push(message(n)) for n in range(25)]
    assert pushed == [True] * 10 + [False] * 15
    assert (buffer.held, buffer.lost, buffer.memory_bytes) == (10, 15, 10 * (100 + OVERHEAD))
    assert drain(buffer) == list(range(10))
    assert (buffer.held, buffer.memory_bytes) == (0, 0)


def test_what_was_not_confirmed_comes_again_in_order(make):
    buffer = make()
    for n in range(6):
        buffer.push(message(n))
    assert [int(buffer.take()[:8]) for _ in range(4)] == [0, 1, 2, 3]
    buffer.confirm(2)
    buffer.give_back()
    buffer.rewind()
    assert drain(buffer) == [2, 3, 4, 5]


def test_disk_takes_over_in_order_and_is_cleared(make, tmp_path):
    buffer = make(disk=100_000)
    for n in range(300):
        assert buffer.push(message(n))
    assert buffer.held == 300
    assert buffer.memory_bytes <= 2000
    assert 0 < buffer.disk_bytes <= 100_000
    assert drain(buffer) == list(range(300))
    assert (buffer.lost, buffer.disk_bytes) == (0, 0)
    assert [entry.name for entry in (tmp_path / "spool").iterdir()] == ["lock"]


def test_disk_bound_is_exact_and_kept(make, tmp_path):
    buffer = make(disk=20_000)
    taken = sum(buffer.push(message(n)) for n in range(400))
    assert taken + buffer.lost == 400
    used = sum(entry.stat().st_size for entry in (tmp_path / "spool").iterdir())
    assert 18_000 < used == buffer.disk_bytes <= 20_000
    assert drain(buffer) == list(range(taken))
    assert buffer.push(message(7))


def test_a_restart_keeps_everything_in_order(make):
    first = make(disk=100_000)
    for n in range(200):
        first.push(message(n))
    for _ in range(3):
        first.take()
    first.confirm(2)
    assert first.close() == 0
    second = make(disk=100_000)
    assert second.held == 198
    for n in range(200, 220):
        second.push(message(n))
    for n in range(2, 32):
        assert int(second.take()[:8]) == n
        second.confirm(1)
    second.close()
    assert drain(make(disk=100_000)) == list(range(32, 220))


def test_memory_bounds_what_is_out_and_not_confirmed(make):
    buffer = make(memory=2000, disk=100_000)
    for n in range(200):
        buffer.push(message(n))
    out = 0
    while buffer.take() is not None:
        out += 1
    assert out < 30
    assert buffer.memory_bytes <= 2000 + 1000
    buffer.rewind()
    assert drain(buffer) == list(range(200))


def test_without_disk_closing_loses_and_counts(make):
    buffer = make()
    for n in range(5):
        buffer.push(message(n))
    buffer.take()
    assert buffer.close() == 5
    assert buffer.lost == 5


_FILL = """
import sys
from appliance.sinks.spool import Spool
spool = Spool(sys.argv[1], 1 << 20, 1000)
for n in range(25):
    spool.append(b"%08d" % n + b"." * 92)
print("filled", flush=True)
sys.stdin.read()
"""


def killed_writer(folder):
    """Let another process fill the folder and kill it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _FILL, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"filled\n"
        with pytest.raises(SpoolError, match="in use by another process"):
            Spool(str(folder), 1 << 20, 1000)
        process.kill()


def test_a_killed_process_leaves_all_it_had_written(tmp_path):
    killed_writer(tmp_path)
    spool = Spool(str(tmp_path), 1 << 20, 1000)
    assert (spool.records, spool.damaged) == (25, 0)
    assert drain(RecordBuffer(2000, spool)) == list(range(25))
    spool.close()


@pytest.mark.parametrize("damage", ["cut", "garbage", "flip"])
def test_a_damaged_end_costs_what_is_damaged(tmp_path, damage):
    killed_writer(tmp_path)
    last = next(tmp_path.glob("*.open"))
    size = last.stat().st_size
    if damage == "cut":
        os.truncate(last, size - 5)
    else:
        with last.open("r+b") as file:
            file.seek(size - 20 if damage == "flip" else size)
            file.write(b"\xff" * 7)
    spool = Spool(str(tmp_path), 1 << 20, 1000)
    expected = 25 if damage == "garbage" else 24
    assert spool.records == expected
    assert spool.damaged == {"cut": 103, "garbage": 7, "flip": 108}[damage]
    assert drain(RecordBuffer(2000, spool)) == list(range(expected))
    spool.close()


def test_damage_in_the_middle_is_counted_exactly(make, tmp_path):
    buffer = make(memory=200, disk=100_000)
    for n in range(50):
        buffer.push(message(n))
    second = sorted((tmp_path / "spool").glob("*.seg"))[1]
    records = int(second.stem.partition("-")[2])
    with second.open("r+b") as file:
        file.seek(8 + 108 * 2 + 50)
        file.write(b"!")
    found = drain(buffer)
    assert buffer.lost == records - 2
    assert len(found) == 50 - buffer.lost
    assert found == sorted(found)


def test_files_of_others_and_broken_ones_do_no_harm(tmp_path):
    (tmp_path / "README").write_text("hello")
    (tmp_path / "1.open").write_text("no magic")
    (tmp_path / "0000000000000005-3.seg").write_text("nonsense")
    spool = Spool(str(tmp_path), 1 << 20, 1000)
    buffer = RecordBuffer(1000, spool)
    buffer.push(message(1))
    assert drain(buffer) == [1]
    assert buffer.lost == 3
    buffer.close()
    assert (tmp_path / "README").exists()


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"Not a directory|File exists"):
        Spool(str(tmp_path / "file"), 1 << 20, 1000)


def test_a_write_that_fails_leaves_whole_records(tmp_path, monkeypatch):
    spool = Spool(str(tmp_path), 1 << 20, 10_000)
    real, room = os.write, [700]

    def small(fd, data):
        taken = min(room[0], len(data))
        if not taken:
            raise OSError(28, "No space left on device")
        room[0] -= taken
        return real(fd, data[:taken])

    with monkeypatch.context() as patch:
        patch.setattr("appliance.sinks.spool.os.write", small)
        assert [spool.append(message(n)) for n in range(9)].count(False) == spool.lost > 0
    assert spool.trouble == "No space left on device"
    kept = 9 - spool.lost
    assert spool.append(message(kept))
    assert spool.trouble == ""
    assert drain(RecordBuffer(100_000, spool)) == list(range(kept + 1))
    spool.close()


@given(
    st.lists(st.sampled_from(["push"] * 4 + ["take"] * 3 + ["confirm", "rewind", "restart"]), max_size=120)
)
def test_any_order_of_calls_loses_nothing_and_keeps_the_order(tmp_path_factory, calls):
    folder = str(tmp_path_factory.mktemp("spool"))
    buffer = RecordBuffer(600, Spool(folder, 1 << 20, 350))
    pushed, out, arrived = 0, [], []
    for call in [*calls, "rewind"]:
        if call == "push":
            buffer.push(message(pushed))
            pushed += 1
        elif call == "take":
            one = buffer.take()
            if one is not None:
                out.append(int(one[:8]))
        elif call == "confirm" and out:
            buffer.confirm(1)
            arrived.append(out.pop(0))
        elif call in {"rewind", "restart"}:
            out = []
            buffer.rewind()
            if call == "restart":
                assert buffer.close() == 0
                buffer = RecordBuffer(600, Spool(folder, 1 << 20, 350))
        assert buffer.held == pushed - len(arrived)
    assert arrived + drain(buffer) == list(range(pushed))
    assert buffer.memory_bytes == 0
    buffer.close()


def test_segment_sizes_fit_their_bounds():
    assert segment_size(16 << 20, 1 << 30) == 4 << 20
    assert segment_size(1 << 20, 8 << 20) == 256 << 10
    assert segment_size(1 << 30, 1 << 40) == 8 << 20
