"""The file store writes what is complete, under its digest, and survives a folder that cannot be written."""

import hashlib
import json
from collections import Counter

import pytest

from appliance.config.settings import AppSettings, FileStoreSettings
from appliance.model.app import FileObject, Transaction
from appliance.model.event import FileDataEvent, FileEvent
from appliance.model.flow import Flow
from appliance.protocols.files import FileTracker
from appliance.protocols.spool import Spool
from appliance.sinks.filestore import FileStore


class Upload(Transaction):
    def log(self):
        return {"url": "/"}


@pytest.fixture
def counts():
    return Counter()


def store(folder, counts, **settings):
    def count(name, amount):
        counts[name] += amount

    return FileStore(FileStoreSettings(enabled=True, **settings), folder, count)


def file(number, name=b"../../etc/passwd"):
    made = FileObject(0, name, 0, 0)
    made.store, made.store_id = True, number
    return made


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def placed(data):
    digest = hashlib.sha256(data).hexdigest()
    return f"{digest[:2]}/{digest}"


@pytest.mark.parametrize("max_open", [1, 2, 10])
def test_files_come_in_pieces_side_by_side(tmp_path, counts, max_open):
    sink = store(tmp_path, counts, max_open=max_open)
    files = [file(number) for number in (1, 2, 3)]
    for piece in (b"ab", b"", b"cd"):
        for one in files:
            sink.write(FileDataEvent(1, one, piece + str(one.store_id).encode(), False))
    for one in files:
        sink.write(FileDataEvent(1, one, b"", True))
    assert names(tmp_path) == sorted(placed(f"ab{n}{n}cd{n}".encode()) for n in (1, 2, 3))
    assert counts["file_store.open_files"] == 0
    assert counts["file_store.fs_errors"] == 0


def test_what_does_not_end_leaves_nothing(tmp_path, counts):
    sink = store(tmp_path, counts)
    one, other = file(1), file(2)
    sink.write(FileDataEvent(1, one, b"x", False))
    sink.write(FileDataEvent(1, other, b"y", False))
    other.store = False
    sink.write(FileDataEvent(1, other, b"", True))
    sink.close()
    assert names(tmp_path) == []


def test_an_empty_file(tmp_path, counts):
    sink = store(tmp_path, counts)
    sink.write(FileDataEvent(1, file(1), b"", True))
    assert names(tmp_path) == [placed(b"")]


def test_a_folder_that_cannot_be_made(tmp_path, counts):
    (tmp_path / "f").write_text("in the way")
    sink = store(tmp_path / "f", counts)
    sink.write(FileDataEvent(1, file(1), b"x", False))
    sink.write(FileDataEvent(1, file(1), b"x", True))
    sink.close()
    assert counts["file_store.fs_errors"] >= 1


def test_the_record_stands_beside_the_file(tmp_path, counts):
    sink = store(tmp_path, counts, write_fileinfo=True)
    one = file(7)
    flow = Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 1, 2)
    sink.write(FileDataEvent(1, one, b"x", True))
    one.stored, one.sha256 = True, hashlib.sha256(b"x").hexdigest()
    sink.write(FileEvent(5_000_000_000, flow, Upload(0), one, "http"))
    record = tmp_path / f"{placed(b'x')}.5.7.json"
    assert json.loads(record.read_text())["fileinfo"]["file_id"] == 7


def test_the_spool_gives_room_back():
    spool = Spool(limit=10, total_limit=15)
    tracker = FileTracker.of(AppSettings(spool=spool))
    one, other, late = (tracker.open(b"n", 0, 0) for _ in range(3))
    tracker.append(one, b"x" * 8)
    tracker.append(other, b"x" * 8)
    assert (one.spool.lost, other.spool.lost, spool.held) == (False, True, 8)
    tracker.append(one, b"x" * 3)
    assert one.spool.lost
    assert spool.held == 0
    tracker.append(late, b"xyz")
    assert (late.spool.take(), spool.held) == (b"xyz", 0)
    tracker.append(late, b"xyz")
    del late
    assert spool.held == 0
