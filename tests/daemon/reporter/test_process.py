"""The reporter as a process of its own: orders, signals, death and a new start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from syslog_receiver import wait_for

from appliance.daemon.reporter import ReporterError, ReporterProcess
from appliance.sinks.documents import EveDocument, SyslogDocument
from appliance.sinks.sender import RecordSender


def line(number):
    return json.dumps({"event_type": "alert", "n": number}, separators=(",", ":")) + "\n"


def eve(path):
    return EveDocument(type="eve", file=str(path), rotate={"every": "1d", "size": "1MB", "compress": True})


@pytest.fixture
def reporter():
    made = ReporterProcess(2)
    yield made
    made.stop(0.1)
    made.close()


def numbers(path):
    """Read what is in the file; of a batch that is just being written the whole lines count."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(one)["n"] for one in text[: text.rfind("\n") + 1].splitlines()]


def send(sender, first, end):
    for number in range(first, end):
        sender.write(line(number))
    return sender.flush()


def test_start_report_ask_stop(reporter, tmp_path):
    document = eve(tmp_path / "eve.json")
    absent = SyslogDocument(type="syslog", transport="unix", path=str(tmp_path / "none"))
    reporter.start([document, absent])
    sender = RecordSender(reporter.worker_end(1).dup())
    assert send(sender, 0, 1000)
    assert wait_for(lambda: len(numbers(tmp_path / "eve.json")) == 1000)
    assert wait_for(lambda: reporter.statistics(within=10)["outputs"][absent.label]["buffered"] == 1000)
    found = reporter.statistics(within=10)
    assert (found["received"], found["sources"]) == (1000, 2)
    assert found["outputs"][absent.label]["trouble"] == "No such file or directory"
    (tmp_path / "eve.json").rename(tmp_path / "old.json")
    reporter.reopen()
    assert wait_for((tmp_path / "eve.json").exists)
    os.kill(reporter.pid, signal.SIGHUP)
    assert send(sender, 1000, 1010)
    last = reporter.stop(within=0.5)
    assert last["outputs"][document.label]["written"] == 1010
    assert numbers(tmp_path / "eve.json") == list(range(1000, 1010))
    assert not reporter.running
    sender.close()


def test_a_killed_reporter_is_replaced_and_workers_never_wait(reporter, tmp_path):
    path = tmp_path / "eve.json"
    reporter.start([eve(path)])
    sender = RecordSender(reporter.worker_end(0).dup(), limit=4 << 20)
    send(sender, 0, 100)
    assert wait_for(lambda: len(numbers(path)) == 100)
    os.kill(reporter.pid, signal.SIGKILL)
    assert wait_for(lambda: not reporter.running)
    with pytest.raises(ReporterError):
        reporter.statistics(within=0.5)
    began = time.monotonic()
    send(sender, 100, 3000)
    assert time.monotonic() - began < 5
    assert sender.lost == 0
    reporter.start([eve(path)])
    assert wait_for(lambda: sender.flush() and len(numbers(path)) == 3000)
    assert numbers(path) == list(range(3000))
    sender.close()


def test_while_no_reporter_runs_losses_are_bounded_by_counts(reporter, tmp_path):
    sender = RecordSender(reporter.worker_end(0).dup(), limit=1 << 20)
    count = 60_000
    for number in range(count):
        sender.write(line(number)[:-2] + ',"pad":"' + "x" * 200 + '"}\n')
    assert sender.lost > 0
    path = tmp_path / "eve.json"
    document = EveDocument(type="eve", file=str(path))
    reporter.start([document])
    assert wait_for(lambda: sender.flush() and len(numbers(path)) == count - sender.lost)
    assert numbers(path) == list(range(count - sender.lost))
    sender.close()


_WRITE = """
import socket, sys
from appliance.sinks.sender import RecordSender
sender = RecordSender(socket.socket(fileno=int(sys.argv[1])), limit=1 << 20)
while True:
    sender.write('{"event_type":"alert","n":1}\\n')
"""


def test_a_worker_killed_while_it_writes_leaves_whole_lines(reporter, tmp_path):
    path = tmp_path / "eve.json"
    reporter.start([EveDocument(type="eve", file=str(path))])
    end = reporter.worker_end(0).fileno()
    child = subprocess.Popen([sys.executable, "-c", _WRITE, str(end)], pass_fds=[end])
    assert wait_for(lambda: path.exists() and path.stat().st_size > 100_000)
    child.kill()
    child.wait()
    sender = RecordSender(reporter.worker_end(0).dup())
    sender.write(line(-1))
    sender.flush()
    assert wait_for(lambda: path.read_text().endswith(line(-1)))
    assert reporter.statistics(within=10)["invalid"] == 0
    assert all(isinstance(number, int) for number in numbers(path))
    sender.close()


def test_an_answer_that_comes_too_late_is_not_taken_for_another(reporter, tmp_path):
    reporter.start([EveDocument(type="eve", file=str(tmp_path / "eve.json"))])
    assert wait_for(lambda: reporter.statistics(within=10))
    os.kill(reporter.pid, signal.SIGSTOP)
    with pytest.raises(ReporterError, match="does not answer"):
        reporter.statistics(within=0.1)
    os.kill(reporter.pid, signal.SIGCONT)
    reporter.reopen(within=10)
    assert reporter.statistics(within=10)["received"] == 0


def test_one_that_hangs_is_killed(reporter, tmp_path):
    reporter.start([EveDocument(type="eve", file=str(tmp_path / "eve.json"))])
    assert wait_for(lambda: reporter.statistics(within=10))
    os.kill(reporter.pid, signal.SIGSTOP)
    assert reporter.stop(within=0.1) == {}
    assert not reporter.running


def test_sigterm_ends_it_after_the_workers(tmp_path):
    path = tmp_path / "eve.json"
    reporter = ReporterProcess(1)
    reporter.start([EveDocument(type="eve", file=str(path))])
    sender = RecordSender(reporter.worker_end(0).dup())
    send(sender, 0, 10)
    assert wait_for(lambda: len(numbers(path)) == 10)
    pid = reporter.pid
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.2)
    assert reporter.running
    send(sender, 10, 20)
    sender.close()
    for _, writer in reporter._channels:
        writer.close()
    assert wait_for(lambda: not reporter.running, 5)
    assert numbers(path) == list(range(20))
    reporter.close()


def test_a_start_order_that_cannot_be_read(reporter, capfd):
    document = EveDocument(type="eve", file="/x").model_copy(update={"file": "relative"})
    reporter.start([document])
    assert wait_for(lambda: not reporter.running)
    assert reporter._process.returncode == 2
    assert "must be a path that begins with /" in capfd.readouterr().err
