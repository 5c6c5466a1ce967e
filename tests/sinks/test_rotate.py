"""Files of lines: rotation, and what happens to files from outside."""

from __future__ import annotations

import gzip
import os
import subprocess

import pytest

from appliance.sinks.rotate import RotatingFile, Rotation

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOON = 1_767_355_200 * SECOND  # 2026-01-02T12:00:00Z
PLAIN = Rotation()
LINE = b"x" * 99 + b"\n"


@pytest.fixture
def said():
    return []


@pytest.fixture
def opened(tmp_path, said):
    made = []

    def make(rotation=PLAIN, now=NOON, path=tmp_path / "log" / "eve.json"):
        made.append(RotatingFile(str(path), rotation, said.append, now))
        return made[-1]

    yield make
    for file in made:
        file.close(within=10)


def folder(tmp_path):
    return sorted(entry.name for entry in (tmp_path / "log").iterdir())


def test_lines_are_appended(tmp_path, opened):
    opened().write([LINE, LINE], NOON)
    file = opened()
    file.write([LINE], NOON)
    assert file.path.read_bytes() == LINE * 3
    assert file.path.stat().st_mode & 0o777 == 0o640


def test_size_is_held_within_one_batch(tmp_path, opened):
    file = opened(Rotation(size=1000, keep=100))
    file.write([LINE] * 35, NOON)
    names = folder(tmp_path)
    assert names == ["eve.json", "eve.json-20260102T120000Z"] + [
        f"eve.json-20260102T120000Z.{n:04d}" for n in (1, 2)
    ]
    assert [(tmp_path / "log" / name).stat().st_size for name in names] == [500, 1000, 1000, 1000]
    assert (file.written, file.lost, file.rotated) == (35, 0, 3)


def test_a_line_longer_than_the_size_gets_a_file_of_its_own(tmp_path, opened):
    file = opened(Rotation(size=150, keep=100))
    file.write([LINE, b"y" * 500 + b"\n", LINE], NOON)
    assert sorted((tmp_path / "log" / name).stat().st_size for name in folder(tmp_path)) == [100, 100, 501]


def test_no_more_than_keep_old_files_stay(tmp_path, opened):
    file = opened(Rotation(size=100, keep=3))
    (tmp_path / "log" / "eve.json-notes").write_text("not ours")
    for step in range(9):
        file.write([LINE], NOON + step * SECOND)
    assert folder(tmp_path) == [
        "eve.json",
        *(f"eve.json-20260102T12000{n}Z" for n in (6, 7, 8)),
        "eve.json-notes",
    ]


def test_midnight(tmp_path, opened):
    file = opened(Rotation(every=DAY))
    file.write([b"friday\n"], NOON)
    file.tick(NOON + DAY // 2 - SECOND)
    assert file.rotated == 0
    file.tick(NOON + DAY // 2)
    assert file.rotated == 1
    file.tick(NOON + 3 * DAY)  # nothing to put aside
    assert file.rotated == 1
    assert (tmp_path / "log" / "eve.json-20260103T000000Z").read_bytes() == b"friday\n"


def test_a_file_of_yesterday_is_put_aside_at_the_start(tmp_path, opened):
    opened().write([b"old\n"], NOON)
    path = tmp_path / "log" / "eve.json"
    os.utime(path, ns=(NOON, NOON))
    file = opened(Rotation(every=DAY), now=NOON + DAY)
    file.write([b"new\n"], NOON + DAY)
    assert path.read_bytes() == b"new\n"
    assert file.rotated == 1


def test_old_files_are_compressed_beside_the_writer(tmp_path, opened):
    file = opened(Rotation(size=1000, keep=5, compress=True))
    file.write([LINE] * 20, NOON)
    file.write([LINE] * 5, NOON)
    file.close(within=10)
    names = folder(tmp_path)
    assert names == ["eve.json", "eve.json-20260102T120000Z.0001.gz", "eve.json-20260102T120000Z.gz"]
    assert all(gzip.decompress((tmp_path / "log" / name).read_bytes()) == LINE * 10 for name in names[1:])


def test_compression_that_was_stopped_goes_on_with_the_next_start(tmp_path, opened):
    where = tmp_path / "log"
    where.mkdir()
    (where / "eve.json-20260101T000000Z").write_bytes(LINE)
    (where / "eve.json-20260101T000000Z.gz.part").write_bytes(b"half")
    opened(Rotation(size=1000, compress=True)).close(within=10)
    assert folder(tmp_path) == ["eve.json", "eve.json-20260101T000000Z.gz"]


def test_both_forms_count_as_one_old_file(tmp_path, opened):
    where = tmp_path / "log"
    where.mkdir()
    for name in ("eve.json-20260101T000000Z", "eve.json-20260101T000000Z.gz", "eve.json-20260101T000001Z.gz"):
        (where / name).write_bytes(LINE)
    opened(Rotation(size=100, keep=2)).write([LINE, LINE], NOON)
    assert folder(tmp_path) == ["eve.json", "eve.json-20260101T000001Z.gz", "eve.json-20260102T120000Z"]


def test_a_renamed_file_is_left_at_the_order(tmp_path, opened):
    file = opened()
    file.write([b"one\n"], NOON)
    file.path.rename(tmp_path / "log" / "mine")
    file.reopen(NOON)
    file.write([b"two\n"], NOON)
    assert (tmp_path / "log" / "mine").read_bytes() == b"one\n"
    assert file.path.read_bytes() == b"two\n"


def test_a_removed_file_is_noticed_within_a_second(tmp_path, opened):
    file = opened()
    file.write([b"one\n"], NOON)
    file.path.unlink()
    file.write([b"gone\n"], NOON + SECOND // 2)
    file.write([b"two\n"], NOON + SECOND)
    assert file.path.read_bytes() == b"two\n"


def test_a_folder_that_is_removed_is_made_again(tmp_path, opened):
    file = opened()
    file.path.unlink()
    file.path.parent.rmdir()
    file.write([b"two\n"], NOON + SECOND)
    assert file.path.read_bytes() == b"two\n"


def test_a_file_that_cannot_be_opened_is_said_once_and_tried_again(tmp_path, opened, said):
    path = tmp_path / "log" / "eve.json"
    path.mkdir(parents=True)
    file = opened(path=path)
    for step in range(5):
        file.write([LINE, LINE], NOON + step * SECOND)
    assert (file.written, file.lost) == (0, 10)
    assert said == [f"{path}: cannot be opened: Is a directory"]
    path.rmdir()
    file.write([LINE], NOON + 6 * SECOND)
    assert (file.written, file.lost) == (1, 10)
    assert said[1:] == [f"{path}: works again"]


def test_a_rotation_that_fails_is_tried_again_and_nothing_is_lost(tmp_path, opened, said, monkeypatch):
    file = opened(Rotation(size=100))

    def fail(self, target):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(type(file.path), "rename", fail)
        file.write([LINE] * 5, NOON)
    assert file.path.read_bytes() == LINE * 5
    assert said == [f"{file.path}: cannot be rotated: Permission denied"]
    file.write([LINE], NOON + 11 * SECOND)
    assert file.path.read_bytes() == LINE
    assert (file.written, file.lost, file.rotated) == (6, 0, 1)


def fill(file, lines, now=NOON):
    for _ in range(lines // 50):
        file.write([LINE] * 50, now)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB: real for root, which CI is."""
    where = tmp_path / "log"
    where.mkdir()
    if os.geteuid() != 0:
        pytest.skip(
            "needs root to mount a small file system; test_a_write_that_fails_halfway is its stand-in"
        )
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)], check=True)
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_a_full_disk_costs_lines_not_more(small_disk, opened, said):
    file = opened()
    fill(file, 1000)
    assert file.written + file.lost == 1000
    assert file.path.read_bytes() == LINE * file.written
    assert 600 < file.written < 700
    assert said == [f"{file.path}: cannot be written: No space left on device"]
    os.truncate(file.path, 0)
    fill(file, 50, NOON + SECOND)
    assert file.path.read_bytes() == LINE * 50
    assert said[1:] == [f"{file.path}: works again"]
    file.close()


def test_a_write_that_fails_halfway_leaves_whole_lines(opened, said, monkeypatch):
    file = opened()
    real, room = os.write, [1234]

    def small(fd, data):
        taken = min(room[0], len(data), 512)
        if not taken:
            raise OSError(28, "No space left on device")
        room[0] -= taken
        return real(fd, data[:taken])

    with monkeypatch.context() as patch:
        patch.setattr("appliance.sinks.rotate.os.write", small)
        file.write([LINE] * 20, NOON)
        file.write([LINE] * 20, NOON)
    assert (file.written, file.lost) == (12, 28)
    assert file.path.read_bytes() == LINE * 12
    assert len(said) == 1
    file.write([LINE], NOON)
    assert file.path.read_bytes() == LINE * 13
    assert len(said) == 2
