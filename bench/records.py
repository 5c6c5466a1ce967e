"""What a record costs the worker that makes it, and how many the reporter takes to its outputs.

Run ``python -m bench.records``. CPU time, median of the runs; ratios are to writing the same lines to a file.
"""

from __future__ import annotations

import argparse
import io
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.daemon.reporter import ReporterProcess
from appliance.sinks.documents import EveDocument, OutputDocument, SyslogDocument
from appliance.sinks.sender import MAX_MESSAGE, RecordSender, record_channel
from appliance.sinks.text import to_line

RECORD = {
    "timestamp": "2026-01-02T03:04:05.678901+0000", "flow_id": 1234567890123, "event_type": "alert",
    "src_ip": "10.0.0.1", "src_port": 40000, "dest_ip": "10.0.0.2", "dest_port": 445, "proto": "TCP",
    "ip_v": 4, "pkt_src": "wire/pcap", "alert": {
        "action": "blocked", "gid": 1, "signature_id": 42, "rev": 3,
        "signature": "EW SMB remote code execution", "category": "Attempted Administrator Privilege Gain",
        "severity": 1, "metadata": {"cve": ["CVE_2017_0144"]},
    },
    "app_proto": "smb", "direction": "to_server", "vm": {
        "src": {"uuid": "6c1f5e9c", "name": "web-1", "interface": "eth0", "policy": "web"},
        "dest": {"uuid": "90aa1b2c", "name": "db-1", "interface": "eth0", "policy": "database"},
    },
    "flow": {"pkts_toserver": 4, "pkts_toclient": 3, "bytes_toserver": 400, "bytes_toclient": 300},
}  # fmt: skip
_CHUNK = 4000


def cpu(work: Callable[[], None], runs: int) -> float:
    """Give the CPU seconds of this process for ``work``, median of ``runs``."""
    taken = []
    for _ in range(runs):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return statistics.median(taken)


def worker_costs(count: int, runs: int) -> dict[str, float]:
    """Give microseconds a record for what a worker does with it, the reporter taken out of the sum."""
    line = to_line(RECORD)
    reader, writer = record_channel()
    sender = RecordSender(writer)
    space = bytearray(MAX_MESSAGE)

    def send() -> None:
        for _ in range(count):
            sender.write(line)
            if sender.pending == 0:  # a message has just gone: take it off again
                reader.recv_into(space)

    with tempfile.TemporaryFile("w") as file:
        costs = {
            "encode": cpu(lambda: [to_line(RECORD) for _ in range(count)] and None, runs),
            "write to a file": cpu(lambda: [file.write(line) for _ in range(count)] and None, runs),
            "send to the reporter": cpu(send, runs),
        }
    sender.close()
    reader.close()
    return {name: seconds / count * 1e6 for name, seconds in costs.items()}


@contextmanager
def receiver() -> Iterator[int]:
    """Run a receiver of syslog that throws everything away; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listener.accept()
        space = bytearray(1 << 20)
        with peer:
            while peer.recv_into(space):
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(10)
    listener.close()


def reporter_rate(output: OutputDocument, count: int) -> tuple[float, int]:
    """Give the records that a reporter takes to one output for each second of its CPU, and what was lost."""
    reporter = ReporterProcess(1)
    reporter.start([output])
    while not reporter.statistics(30):
        pass
    before = _process_time(reporter.pid)
    sender = RecordSender(reporter.worker_end(0).dup(), limit=256 << 20)
    line = to_line(RECORD)
    done = 0
    while done < count:
        for _ in range(_CHUNK):
            sender.write(line)
        done += _CHUNK
        while not sender.flush() or _waiting(reporter, output) > 2 * _CHUNK:
            time.sleep(0.01)
    while _waiting(reporter, output):
        time.sleep(0.05)
    taken = _process_time(reporter.pid) - before
    lost = reporter.statistics(30)["outputs"][output.label]["lost"]
    sender.close()
    reporter.stop(5)
    reporter.close()
    return done / taken, lost


def _waiting(reporter: ReporterProcess, output: OutputDocument) -> int:
    return int(reporter.statistics(30)["outputs"][output.label]["buffered"])


def _process_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    out = io.StringIO()
    costs = worker_costs(given.records, given.runs)
    base = costs["write to a file"]
    print(f"a record of {len(to_line(RECORD))} bytes, in the worker:", file=out)
    for name, cost in costs.items():
        print(f"  {name:22} {cost:6.2f} µs ({cost / base:.1f}x)", file=out)
    print("in the reporter, records for each second of its CPU:", file=out)
    with tempfile.TemporaryDirectory() as folder:
        rate, lost = reporter_rate(EveDocument(type="eve", file=f"{folder}/eve.json"), given.records)
        print(f"  {'EVE to a file':22} {rate:8,.0f} ({lost} lost)", file=out)
    for form in ("eve", "cef"):
        with receiver() as port:
            output = SyslogDocument(type="syslog", transport="tcp", host="127.0.0.1", port=port, format=form)
            rate, lost = reporter_rate(output, given.records)
        print(f"  {'syslog, ' + form:22} {rate:8,.0f} ({lost} lost)", file=out)
    print(out.getvalue(), end="")


if __name__ == "__main__":
    main()
