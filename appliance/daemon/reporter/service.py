"""The reporter as a process: orders over a socket, signals, and the loop around them."""

from __future__ import annotations

import json
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any

from appliance.daemon.reporter.reporter import Reporter, say_to_stderr
from appliance.sinks.complaints import Say
from appliance.sinks.documents import OutputDocument

MAX_ORDER = 1 << 18
STOP_WITHIN = 10.0  # seconds, where nobody says otherwise
_LONGEST = 3600.0
_LOOK = 1.0
_OK: dict[str, Any] = {"ok": True}


class Service:
    """Runs a reporter until it is told to stop, or until nobody is left who could tell it anything.

    Orders are JSON objects, one a message of the control socket, each answered by one: ``{"order":
    "statistics"}``, ``{"order": "reopen"}``, ``{"order": "stop", "within": SECONDS}``. The answer has
    ``ok``, ``statistics`` or ``error``, and the ``call`` of the order, whatever that was. A control socket
    whose other end is closed is no reason to stop while there are workers: they go on without a
    supervisor, and so do their records.
    """

    def __init__(self, reporter: Reporter, control: socket.socket, say: Say = say_to_stderr) -> None:
        """Serve ``control``, a ``SOCK_SEQPACKET`` socket, which belongs to the service from now on."""
        self._reporter = reporter
        self._control: socket.socket | None = control
        self._say = say
        self._selector = selectors.DefaultSelector()
        self._stop_at: float | None = None  # leave then at the latest, or once all workers have ended
        self._within = STOP_WITHIN
        self._stopping = False
        self._stop_call: Any = None
        control.setblocking(False)
        self._selector.register(control, selectors.EVENT_READ)
        for source in reporter.sources:
            self._selector.register(source, selectors.EVENT_READ)

    def run(self) -> int:
        """Serve; gives the exit status: 0, or 1 when an output failed by an error of ours."""
        failed: list[str] = []
        while not self._stopping and not failed:
            for key, _ in self._selector.select(_LOOK):
                self._serve(key.fileobj)
            failed = self._reporter.failed()
            self._look_for_end()
        last = self._reporter.finish(self._within if self._stop_at is None else self._left())
        if self._control is not None:
            self._answer({**_OK, "statistics": last}, self._stop_call)
            self._close_control()
        self._selector.close()
        return 1 if failed else 0

    def stop_soon(self, within: float = STOP_WITHIN) -> None:
        """End once all workers have ended, in ``within`` seconds at the latest (for SIGTERM)."""
        self._stop_at = time.monotonic() + within

    def reopen(self) -> None:
        """Open files and connections anew (for SIGHUP)."""
        self._reporter.reopen()

    def _left(self) -> float:
        return max((self._stop_at or 0) - time.monotonic(), 1.0)

    def _serve(self, what: Any) -> None:
        if self._control is not None and what is self._control:
            self._take_order(self._control)
        elif what in self._reporter.sources:
            self._reporter.read(what)
            if what not in self._reporter.sources:
                self._selector.unregister(what)

    def _look_for_end(self) -> None:
        nobody = not self._reporter.sources and (self._control is None or self._stop_at is not None)
        if nobody or (self._stop_at is not None and time.monotonic() >= self._stop_at):
            self._stopping = True

    def _take_order(self, control: socket.socket) -> None:
        try:
            data = control.recv(MAX_ORDER)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close_control()
            return
        try:
            order = json.loads(data)
        except (ValueError, RecursionError):
            order = None
        if not isinstance(order, dict):
            self._answer({"ok": False, "error": "an order is a JSON object"}, None)
            return
        answer = self._follow(order)
        if answer is not None:
            self._answer(answer, order.get("call"))

    def _follow(self, order: dict[str, Any]) -> dict[str, Any] | None:
        match order.get("order"):
            case "statistics":
                return {**_OK, "statistics": self._reporter.statistics()}
            case "reopen":
                self._reporter.reopen()
                return _OK
            case "stop":
                within = order.get("within")
                if isinstance(within, (int, float)) and within >= 0:
                    self._within = min(within, _LONGEST)
                self._stopping, self._stop_call = True, order.get("call")
                return None  # answered when it is done
            case other:
                return {"ok": False, "error": f"no order {other!r}; known: statistics, reopen, stop"}

    def _answer(self, answer: dict[str, Any], call: Any) -> None:
        if self._control is None:
            return
        try:
            self._control.send(json.dumps({**answer, "call": call}).encode())
        except BlockingIOError:
            self._say("the supervisor does not read answers")
        except OSError:
            self._close_control()

    def _close_control(self) -> None:
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None


def run_reporter(
    outputs: Sequence[OutputDocument],
    sources: Sequence[socket.socket],
    control: socket.socket,
    host: str = "",
) -> int:
    """Be the reporter: the entry point of its process. Gives the exit status.

    ``sources`` are the reporter's ends of the workers' ``record_channel``s, ``control`` is one end of a
    ``SOCK_SEQPACKET`` pair (see :class:`Service`). SIGHUP opens files anew; after SIGTERM and SIGINT it ends
    once the workers have, since their last records are still to come when everything is told to end at once.
    """
    service = Service(Reporter(outputs, sources, host), control)
    signal.signal(signal.SIGHUP, lambda *_: service.reopen())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop_soon())
    return service.run()
