"""The reporter's loop and outputs: fan-out, garbage, slow outputs, ends."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from syslog_receiver import DatagramReceiver, StreamReceiver, take_apart, wait_for

from appliance.daemon.reporter import outputs as outputs_module
from appliance.daemon.reporter import reporter as reporter_module
from appliance.daemon.reporter.inbox import Inbox
from appliance.daemon.reporter.record import OVERHEAD, Record
from appliance.daemon.reporter.reporter import Reporter
from appliance.daemon.reporter.service import Service
from appliance.sinks.documents import CefDocument, EveDocument, SyslogDocument
from appliance.sinks.sender import MAX_LINE, RecordSender, record_channel


def compact(kind, number=0, **more):
    return json.dumps(
        {"timestamp": "2026-01-02T03:04:05.678901+0000", "event_type": kind, "n": number, **more},
        separators=(",", ":"),
    ) + "\n"  # fmt: skip


class Running:
    """A service in a thread with a supervisor's and a worker's end."""

    def __init__(self, documents, workers=1, host="host-1"):
        channels = [record_channel() for _ in range(workers)]
        self.senders = [RecordSender(writer) for _, writer in channels]
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.said = []
        self.control.settimeout(20)
        self.reporter = Reporter(documents, [reader for reader, _ in channels], host, self.said.append)
        self.service = Service(self.reporter, theirs, self.said.append)
        self.status = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        self.status = self.service.run()

    def ask(self, order, **more):
        self.control.send(json.dumps({"order": order, **more}).encode())
        return json.loads(self.control.recv(1 << 18))

    def statistics(self):
        return self.ask("statistics")["statistics"]

    def stop(self, within=10.0):
        try:
            return self.ask("stop", within=within)["statistics"]
        finally:
            self.end()

    def end(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.control.close()
        for sender in self.senders:
            sender.close()


@pytest.fixture
def run():
    started = []

    def make(*documents, **given):
        started.append(Running(documents, **given))
        return started[-1]

    yield make
    for one in started:
        if one.thread.is_alive():
            one.stop(0.1)


def eve(path, **more):
    return EveDocument(type="eve", file=str(path), **more)


def syslog(port, **more):
    return SyslogDocument(type="syslog", transport="tcp", host="127.0.0.1", port=port, **more)


def test_every_output_gets_the_types_it_asks_for(run, tmp_path):
    with StreamReceiver() as tcp, DatagramReceiver(str(tmp_path / "log")) as unix:
        service = run(
            eve(tmp_path / "all.json"),
            eve(tmp_path / "some.json", types=("dns", "files")),
            CefDocument(type="cef", file=str(tmp_path / "cef.log")),
            syslog(tcp.port),
            SyslogDocument(
                type="syslog", transport="unix", path=str(tmp_path / "log"), format="cef", events=("alert",)
            ),
            workers=2,
        )
        for number, kind in enumerate(("alert", "dns", "fileinfo", "flow", "drop", "unheard-of")):
            service.senders[number % 2].write(compact(kind, number))
        for sender in service.senders:
            assert sender.flush()
        assert wait_for(lambda: len(tcp.messages) == 2 and unix.messages)
        last = service.stop()
        bodies = [json.loads(take_apart(message)["body"])["event_type"] for message in tcp.messages]
        assert sorted(bodies) == ["alert", "drop"]
        assert b" alert [meta " in unix.messages[0]
        assert b" CEF:0|Eastwall|" in unix.messages[0]
    kinds = sorted(
        json.loads(line)["event_type"] for line in (tmp_path / "all.json").read_text().splitlines()
    )
    assert kinds == ["alert", "dns", "drop", "fileinfo", "flow", "unheard-of"]
    some = [json.loads(line)["event_type"] for line in (tmp_path / "some.json").read_text().splitlines()]
    assert sorted(some) == ["dns", "fileinfo"]
    assert (tmp_path / "cef.log").read_text().count("CEF:0|") == 2
    assert (last["received"], last["invalid"], last["sources"]) == (6, 0, 0)
    written = [output["written"] for output in last["outputs"].values()]
    assert written == [6, 2, 2, 2, 1]
    assert service.status == 0
    assert service.said == []


def test_garbage_from_a_worker_is_counted_and_harms_nobody(run, tmp_path):
    service = run(eve(tmp_path / "eve.json"), CefDocument(type="cef", file=str(tmp_path / "cef.log")))
    raw = service.senders[0]._sock
    good = compact("alert").encode()
    for message in (
        b"",
        b"\n\n",
        b"\0" * 1000,
        b"{}\n",
        good[:-1],  # without its end
        good[:-5] + b"\n",  # without its tail
        b"x" + good,
        b'{"event_type":"alert"' + b"," * (MAX_LINE) + b"}\n",
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\r\n\r" + good,
    ):
        raw.setblocking(True)
        raw.send(message)
    raw.send(b'{"event_type":"alert","a":' + b"[" * 100_000 + b"}\n")  # looks like a record, and is none
    raw.send(good)
    wait_for(lambda: service.statistics()["received"] == 3)
    last = service.stop()
    assert last["invalid"] == 11
    assert last["empty"] == 1
    assert last["received"] == 3
    assert last["outputs"][str(tmp_path / "cef.log")]["written"] == 2
    assert last["outputs"][str(tmp_path / "cef.log")]["lost"] == 1
    assert (tmp_path / "eve.json").read_bytes().endswith(good)


def test_a_worker_that_ends_is_no_source_any_more(run, tmp_path):
    service = run(eve(tmp_path / "eve.json"), workers=2)
    service.senders[0].write(compact("alert"))
    service.senders[0].close()
    assert wait_for(lambda: service.statistics()["sources"] == 1)
    service.senders[1].write(compact("alert"))
    service.senders[1].flush()
    assert wait_for(lambda: service.statistics()["received"] == 2)
    assert service.stop()["outputs"][str(tmp_path / "eve.json")]["written"] == 2


class Stuck:
    """An output that hangs, as a file on a dead server does."""

    def __init__(self):
        self.go_on = threading.Event()
        self.got = 0

    def step(self, records, now):
        if records:
            self.go_on.wait(30)
            self.got += len(records)

    def appetite(self):
        return 1 << 30

    def interest(self, now):
        return -1, False, 10**9

    def idle(self):
        return True

    def statistics(self):
        return {"written": self.got, "lost": 0, "buffered": 0}

    def close(self):
        pass


@pytest.fixture
def stuck(monkeypatch):
    output, real = Stuck(), reporter_module.make_output
    monkeypatch.setattr(
        reporter_module,
        "make_output",
        lambda document, *rest: output if document.label == "stuck" else real(document, *rest),
    )
    yield output
    output.go_on.set()


def test_no_output_waits_for_another_and_what_is_lost_is_counted(run, tmp_path, stuck):
    bound = 1 << 20
    service = run(eve("/stuck", name="stuck", backlog=bound), eve(tmp_path / "eve.json"))
    sender, line = service.senders[0], compact("flow", payload="x" * 900)
    sender.write(line)
    sender.flush()
    assert wait_for(lambda: service.statistics()["received"] == 1)
    assert wait_for(lambda: service.statistics()["outputs"]["stuck"]["buffered"] == 0)  # it has the first
    for _ in range(5000):
        sender.write(line)
        while sender.pending > 1 << 19:
            sender.flush()
    assert wait_for(sender.flush)
    path = str(tmp_path / "eve.json")
    assert wait_for(lambda: service.statistics()["outputs"][path]["written"] == 5001)
    room = bound // (len(line) + OVERHEAD)
    found = service.statistics()["outputs"]["stuck"]
    assert (found["lost"], found["buffered"]) == (5000 - room, room)
    assert sender.lost == 0
    stuck.go_on.set()
    assert wait_for(lambda: service.statistics()["outputs"]["stuck"]["written"] == room + 1)


def test_a_stop_keeps_its_time_limit_when_an_output_hangs(run, tmp_path, stuck):
    service = run(eve("/stuck", name="stuck"), eve(tmp_path / "eve.json"))
    service.senders[0].write(compact("flow"))
    service.senders[0].flush()
    wait_for(lambda: service.statistics()["received"] == 1)
    began = time.monotonic()
    last = service.stop(within=0.5)
    assert time.monotonic() - began < 10
    assert last["outputs"][str(tmp_path / "eve.json")]["written"] == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_output_that_fails_by_an_error_of_ours_ends_the_reporter(run, tmp_path, stuck, monkeypatch):
    def broken(records, now):
        raise RuntimeError("a mistake of ours")

    stuck.step = broken
    service = run(eve("/stuck", name="stuck"), eve(tmp_path / "eve.json"))
    service.senders[0].write(compact("flow"))
    service.senders[0].flush()
    service.end()
    assert service.status == 1
    assert (tmp_path / "eve.json").read_text().count("\n") == 1


def test_a_stop_delivers_all_that_was_sent(run, tmp_path):
    with StreamReceiver() as receiver:
        service = run(eve(tmp_path / "eve.json"), syslog(receiver.port, buffer={"memory": "64MB"}))
        assert wait_for(
            lambda: service.statistics()["outputs"][f"tcp:127.0.0.1:{receiver.port}"]["connected"]
        )
        for number in range(3000):
            service.senders[0].write(compact("alert", number))
        assert wait_for(service.senders[0].flush)
        last = service.stop()
        assert wait_for(lambda: len(receiver.messages) == 3000)
    assert (tmp_path / "eve.json").read_text().count("\n") == 3000
    found = last["outputs"][f"tcp:127.0.0.1:{receiver.port}"]
    assert (found["written"], found["lost"], found["buffered"]) == (3000, 0, 0)


def test_the_spool_carries_over_a_restart_with_the_receiver_absent(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    document = syslog(port, buffer={"memory": "1MB", "disk": "8MB", "folder": str(tmp_path / "spool")})
    label = document.label
    first = run(document)
    for number in range(5000):
        first.senders[0].write(compact("alert", number, pad="x" * 200))
    assert wait_for(first.senders[0].flush)
    began = time.monotonic()
    last = first.stop(within=30)["outputs"][label]
    assert time.monotonic() - began < 10  # nothing is gained by waiting for one who is not there
    assert (last["written"], last["lost"]) == (0, 0)
    with StreamReceiver(port) as receiver:
        second = run(document)
        assert wait_for(lambda: len(receiver.messages) == 5000)
        second.stop()
        found = [json.loads(take_apart(message)["body"])["n"] for message in receiver.messages]
        assert found == list(range(5000))


def test_without_a_spool_a_stop_counts_what_it_loses(run):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    service = run(syslog(port))
    for number in range(10):
        service.senders[0].write(compact("alert", number))
    service.senders[0].flush()
    assert wait_for(lambda: service.statistics()["received"] == 10)
    found = service.stop(within=0.2)["outputs"][f"tcp:127.0.0.1:{port}"]
    assert (found["written"], found["lost"], found["buffered"]) == (0, 10, 0)
    assert service.said == [f"tcp:127.0.0.1:{port}: Connection refused"]


def test_a_burst_beyond_the_buffer_waits_in_front_of_it(run):
    with StreamReceiver() as receiver:
        service = run(syslog(receiver.port, buffer={"memory": "1MB"}))
        for number in range(8000):
            service.senders[0].write(compact("alert", number, pad="x" * 700))
        assert wait_for(service.senders[0].flush)
        assert wait_for(lambda: len(receiver.messages) == 8000)
        found = service.stop()["outputs"][f"tcp:127.0.0.1:{receiver.port}"]
    assert (found["written"], found["lost"]) == (8000, 0)


def test_what_is_beyond_buffer_and_burst_is_lost_and_the_sum_is_right(run, monkeypatch):
    monkeypatch.setattr(outputs_module, "_BURST", 1 << 20)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    service = run(syslog(port, buffer={"memory": "1MB"}))
    for number in range(8000):
        service.senders[0].write(compact("alert", number, pad="x" * 700))
    assert wait_for(service.senders[0].flush)
    assert wait_for(lambda: service.statistics()["received"] == 8000)
    label = f"tcp:127.0.0.1:{port}"
    found = wait_for(
        lambda: (now := service.statistics()["outputs"][label])["lost"] + now["buffered"] == 8000 and now
    )
    assert 1500 < found["buffered"] < 2500
    last = service.stop(within=0.1)["outputs"][label]
    assert (last["lost"], last["buffered"], last["written"]) == (8000, 0, 0)


def test_a_spool_that_cannot_be_had_leaves_memory(run, tmp_path):
    (tmp_path / "spool").write_text("not a folder")
    with StreamReceiver() as receiver:
        service = run(syslog(receiver.port, buffer={"disk": "8MB", "folder": str(tmp_path / "spool")}))
        service.senders[0].write(compact("alert"))
        service.senders[0].flush()
        assert wait_for(lambda: len(receiver.messages) == 1)
    assert "buffers in memory only" in service.said[0]


def test_reopen(run, tmp_path):
    with StreamReceiver() as receiver:
        service = run(eve(tmp_path / "eve.json"), syslog(receiver.port))
        sender = service.senders[0]
        sender.write(compact("alert", 1))
        sender.flush()
        assert wait_for(lambda: receiver.messages and (tmp_path / "eve.json").read_text())
        (tmp_path / "eve.json").rename(tmp_path / "old.json")
        assert service.ask("reopen", call=7) == {"ok": True, "call": 7}
        assert wait_for((tmp_path / "eve.json").exists)
        sender.write(compact("alert", 2))
        sender.flush()
        assert wait_for(lambda: len(receiver.messages) == 2)
        assert receiver.connections == 2
        service.stop()
    assert json.loads((tmp_path / "old.json").read_text())["n"] == 1
    assert json.loads((tmp_path / "eve.json").read_text())["n"] == 2


def test_orders_that_are_none(run, tmp_path):
    service = run(eve(tmp_path / "eve.json"))
    assert "known: statistics, reopen, stop" in service.ask("dance")["error"]
    service.control.send(b"\xff")
    assert not json.loads(service.control.recv(1000))["ok"]
    service.control.send(b"[" * 60_000)
    assert not json.loads(service.control.recv(1000))["ok"]
    assert service.ask("stop", within="soon")["ok"]
    service.end()


def test_without_a_supervisor_it_serves_until_the_workers_end(run, tmp_path):
    service = run(eve(tmp_path / "eve.json"))
    service.control.close()
    time.sleep(0.1)
    service.senders[0].write(compact("alert"))
    service.senders[0].flush()
    assert wait_for((tmp_path / "eve.json").read_text)
    assert service.thread.is_alive()
    service.senders[0].close()
    service.end()
    assert service.status == 0


def test_told_to_end_it_still_takes_the_workers_last_records(run, tmp_path):
    service = run(eve(tmp_path / "eve.json"))
    service.service.stop_soon(20)
    time.sleep(0.1)
    service.senders[0].write(compact("alert"))
    service.senders[0].close()
    service.end()
    assert (tmp_path / "eve.json").read_text().count("\n") == 1


def test_told_to_end_it_does_not_wait_longer_than_it_may(run, tmp_path):
    service = run(eve(tmp_path / "eve.json"))
    service.service.stop_soon(0.2)
    service.end()
    assert service.status == 0


def test_an_inbox_counts_exactly():
    inbox = Inbox(10 * (10 + OVERHEAD))
    inbox.offer([Record(b"x" * 9 + b"\n")] * 25)
    assert (inbox.held, inbox.lost) == (10, 15)
    records, reopen = inbox.take(4)
    assert (len(records), reopen, inbox.held) == (4, False, 6)
    inbox.reopen()
    records, reopen = inbox.take(100)
    assert (len(records), reopen, inbox.held) == (6, True, 0)
    inbox.offer([Record(b"x" * 9 + b"\n")] * 3)
    assert (inbox.held, inbox.lost) == (3, 15)
    inbox.abandon()
    assert (inbox.held, inbox.lost) == (0, 18)
    inbox.close()


def test_problems_of_certificates_are_known_before(tmp_path):
    bad = SyslogDocument(type="syslog", transport="tls", host="h", ca=str(tmp_path / "none.pem"))
    assert outputs_module.problems([bad, syslog(1)]) == [
        "tls:h:6514: certificates cannot be used: No such file or directory"
    ]
