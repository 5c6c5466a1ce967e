"""The supervisor's hold on the reporter's process."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from appliance.daemon.reporter.service import MAX_ORDER, STOP_WITHIN
from appliance.sinks.documents import OutputDocument
from appliance.sinks.sender import record_channel

_GRACE = 2.0  # seconds beyond the time it was given


class ReporterError(Exception):
    """The reporter does not answer."""


class ReporterProcess:
    """Starts, asks and ends the reporter; owns the workers' channels, so that both sides may restart.

    What workers send while no reporter runs waits in the sockets and then with the workers, who count what
    they lose. New outputs (a reload) are a :meth:`stop` and a :meth:`start` with others.
    """

    def __init__(self, workers: int) -> None:
        """Make the channels of ``workers`` workers."""
        self._channels = [record_channel() for _ in range(workers)]
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._calls = 0
        self._lock = threading.RLock()  # one order at a time

    def worker_end(self, worker: int) -> socket.socket:
        """Give the socket for a worker's ``RecordSender``, for its process; do not close it here."""
        return self._channels[worker][1]

    @property
    def pid(self) -> int:
        """The process, 0 when none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.pid != 0

    def start(self, outputs: Sequence[OutputDocument], host: str = "") -> None:
        """Start a process; one that ran before must have ended.

        Raises:
            OSError: it cannot be started.
        """
        with self._lock:
            self._forget()
            self._start(outputs, host)

    def _start(self, outputs: Sequence[OutputDocument], host: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sources = [reader.fileno() for reader, _ in self._channels]
        command = [sys.executable, "-m", "appliance.daemon.reporter"]
        command += ["--control", str(theirs.fileno()), "--sources", ",".join(map(str, sources))]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=[theirs.fileno(), *sources], stdin=subprocess.DEVNULL, env=_environment()
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._control = ours
        order = {"order": "start", "outputs": [one.model_dump(mode="json") for one in outputs], "host": host}
        ours.send(json.dumps(order).encode())

    def statistics(self, within: float = 2.0) -> dict[str, Any]:
        """Ask for the counters.

        Raises:
            ReporterError: it does not answer in ``within`` seconds.
        """
        found: dict[str, Any] = self._ask({"order": "statistics"}, within)["statistics"]
        return found

    def reopen(self, within: float = 2.0) -> None:
        """Have it open files and connections anew.

        Raises:
            ReporterError: it does not answer in ``within`` seconds.
        """
        self._ask({"order": "reopen"}, within)

    def stop(self, within: float = STOP_WITHIN) -> dict[str, Any]:
        """Let it deliver what it has and end; gives its last counters, none when it did not answer.

        It is killed when it has not ended two seconds after ``within`` seconds.
        """
        last: dict[str, Any] = {}
        with self._lock:
            process = self._process
            if process is None:
                return last
            try:
                last = self._ask({"order": "stop", "within": within}, within + _GRACE)["statistics"]
                process.wait(_GRACE)
            except (ReporterError, subprocess.TimeoutExpired):
                process.kill()
            self._forget()
        return last

    def close(self) -> None:
        """Close the channels; workers cannot report after that. A reporter that still runs is killed."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
            self._forget()
        for pair in self._channels:
            for sock in pair:
                sock.close()

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None

    def _ask(self, order: dict[str, Any], within: float) -> dict[str, Any]:
        deadline = time.monotonic() + within
        with self._lock:
            if self._control is None:
                raise ReporterError("the reporter does not run")
            self._calls += 1
            try:
                self._control.setblocking(False)
                self._control.send(json.dumps({**order, "call": self._calls}).encode())
                answer = _answer(self._control, self._calls, deadline)
            except (OSError, ValueError) as error:
                message = f"the reporter does not answer: {error}"
                raise ReporterError(message) from error
        if not answer.get("ok"):
            raise ReporterError(str(answer.get("error")))
        return answer


def _answer(control: socket.socket, call: int, deadline: float) -> dict[str, Any]:
    """Wait for the answer to one order; those that came after their time are thrown away."""
    readable = select.poll()
    readable.register(control, select.POLLIN)
    while readable.poll(max(deadline - time.monotonic(), 0) * 1000):
        data = control.recv(MAX_ORDER)
        if not data:
            raise ReporterError("the reporter has ended")
        answer = json.loads(data)
        if isinstance(answer, dict) and answer.get("call") == call:
            return answer
    raise ReporterError("the reporter does not answer")


def _environment() -> dict[str, str]:
    """Let the process find the same modules as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
