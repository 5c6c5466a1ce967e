"""Many TCP connections from a guest that go on over what a test does: bulk, idle, request and response."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from typing import Any

from tests.netns.lab import Guest, Lab

_SCRIPT = r"""
import json, socket, sys, threading, time
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
kinds = ("bulk", "ask", "idle", "ask", "idle")
over = threading.Event()
results = []
def receive(s, size):
    got = 0
    while got < size:
        data = s.recv(65536)
        if not data:
            raise ConnectionResetError
        got += len(data)
def talk(s, kind):
    size = 8000 if kind == "bulk" else 20
    longest, rounds, last, why = 0.0, 0, time.monotonic(), ""
    try:
        while True:
            ending = over.is_set()
            if kind != "idle" or ending or not rounds:
                s.sendall(b"x" * size)
                receive(s, size)
                now = time.monotonic()
                if kind != "idle":
                    longest = max(longest, now - last)
                last, rounds = now, rounds + 1
            if ending:
                break
            time.sleep(0.05)
    except TimeoutError:
        why = "silence"
    except OSError as error:
        why = "reset " + str(error)
    results.append({"kind": kind, "longest": longest, "rounds": rounds, "why": why})
threads = []
for number in range(count):
    s = socket.create_connection((address, port), 20)
    s.settimeout(40)
    threads.append(threading.Thread(target=talk, args=(s, kinds[number % len(kinds)])))
    threads[-1].start()
print("open", flush=True)
sys.stdin.readline()
over.set()
for thread in threads:
    thread.join()
print(json.dumps(results), flush=True)
"""


class Crowd:
    """Connections to an echo server. ``end`` has each say something once more and tells how they fared."""

    def __init__(self, lab: Lab, guest: Guest, address: str, port: int, count: int) -> None:
        """Connect all of them."""
        self._lab = lab
        command = (sys.executable, "-u", "-c", _SCRIPT, address, str(port), str(count))
        self._process = lab.spawn(guest, *command, stdin=subprocess.PIPE)
        assert self._line(120) == "open"

    def _line(self, patience: float) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], patience)
        assert ready, "the connections do not come to an end"
        return self._process.stdout.readline().strip()

    def end(self) -> list[dict[str, Any]]:
        """Give for each ``kind``, ``rounds``, ``longest`` time between answers (s), and ``why`` it broke."""
        assert self._process.stdin is not None
        self._process.stdin.write("end\n")
        self._process.stdin.flush()
        found: list[dict[str, Any]] = json.loads(self._line(120))
        self._lab.end(self._process)
        return found
