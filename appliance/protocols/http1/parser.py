"""HTTP/0.9, 1.0 and 1.1 as one parser: two directions and the queue of requests between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE, Parser
from appliance.model.flow import Flow
from appliance.protocols.files import FileTracker
from appliance.protocols.http1.body import Body
from appliance.protocols.http1.config import Config, configs
from appliance.protocols.http1.request import RequestSide
from appliance.protocols.http1.response import ResponseSide
from appliance.protocols.http1.startline import RequestLine
from appliance.protocols.http1.transaction import NOT_SEEN, HttpTransaction


class HttpParser(Parser):
    """Grows one transaction for each request; answers go to requests in order."""

    name = "http"
    log_type = "http"

    def __init__(self, settings: Any = None) -> None:
        """Start with the protocol's options as a mapping."""
        super().__init__(settings)
        self._configs = configs(settings if isinstance(settings, Mapping) else {})
        self.config: Config = self._configs.default
        self.server_port = 0
        self.files = FileTracker(100 << 10)
        self.transactions: list[HttpTransaction] = []  # type: ignore[assignment]
        self.waiting: deque[HttpTransaction] = deque()
        self.stopped = False
        self._ended = [False, False]
        self._tied = True
        self.request = RequestSide(self)
        self.response = ResponseSide(self)

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Learn the server, and what is wanted of files."""
        self.config = self._configs.of(flow.server)
        self.server_port = flow.sport
        window = max(app.file_limit, self.config.request_body_limit, self.config.response_body_limit)
        self.files = FileTracker.of(app, window)

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        if self.stopped or not chunk:
            return
        (self.response if direction else self.request).feed(chunk)
        self.request.settle()
        self.response.settle()

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on after a hole: inside bodies at once, elsewhere at the next message."""
        if self.stopped or length <= 0:
            return
        (self.response if direction else self.request).gap(length)
        self.request.settle()
        self.response.settle()

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        if not self.stopped:
            (self.response if direction else self.request).end()
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True
        self._ended[direction] = True
        if all(self._ended):
            self._untie()

    def _untie(self) -> None:
        """Nothing more can come: part the sides from the parser, since what refers to itself stays in memory.

        It would wait there for the collector of cyclic garbage, which has all flows to look through.
        """
        if self._tied:
            self._tied = False
            self.stopped = True
            for side in (self.request, self.response):
                del side.parser

    def new_request(self) -> HttpTransaction:
        """Open a transaction that waits for its response."""
        tx = self._open()
        self.waiting.append(tx)
        if self.config.max_tx and len(self.waiting) > self.config.max_tx:
            self.waiting.popleft().advance(1, COMPLETE)
        return tx

    def next_unanswered(self) -> HttpTransaction:
        """Give the transaction to which the next response belongs; without any, one is made up."""
        if self.waiting:
            tx = self.waiting.popleft()
            self.request.answered(tx)
            return tx
        tx = self._open()
        tx.note("unable_to_match_response_to_request")
        tx.request = RequestLine(uri=NOT_SEEN)
        tx.target.normal = NOT_SEEN
        tx.bodies[1].name = NOT_SEEN
        tx.advance(0, COMPLETE)
        return tx

    def revive(self, tx: HttpTransaction) -> None:
        """Show a transaction again, to which something was added after it was done with."""
        if not any(known is tx for known in self.transactions):
            self.transactions.append(tx)

    def change(self, protocol: str) -> None:
        """Hand over to another protocol, with all bytes not taken yet."""
        if self.upgrade:
            return
        self.stopped = True
        self.request.settle()
        self.response.settle()
        self.upgrade = protocol
        rest = (bytes(self.request.buffer), bytes(self.response.buffer))
        # Empty lines after the head of CONNECT and its answer are no part of what is tunnelled.
        self.upgrade_data = (rest[0].lstrip(b"\r\n"), rest[1].lstrip(b"\r\n")) if protocol == "any" else rest
        self.request.buffer.clear()
        self.response.buffer.clear()

    def opaque(self) -> None:
        """What follows is a protocol that nobody here reads."""
        self.stopped = True
        self.bypass = True

    def _open(self) -> HttpTransaction:
        number = self.next_tx
        self.next_tx += 1
        config = self.config
        bodies = (
            Body(self.files, 0, number, config.request_body_limit),
            Body(self.files, 1, number, config.response_body_limit),
        )
        tx = HttpTransaction(number, bodies)
        tx.created = self.now
        self.transactions.append(tx)
        return tx
