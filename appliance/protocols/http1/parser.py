"""HTTP/0.9, 1.0 and 1.1 as one parser: two directions and the queue of requests between them."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE
from appliance.model.flow import Flow
from appliance.protocols.http1.config import configs
from appliance.protocols.http1.conversation import BOTH, Conversation
from appliance.protocols.http1.request import RequestSide
from appliance.protocols.http1.response import ResponseSide
from appliance.protocols.http1.transaction import HttpTransaction


class HttpParser(Conversation):
    """Grows one transaction for each request; answers go to requests in order."""

    name = "http"
    log_type = "http"

    def __init__(self, settings: Any = None) -> None:
        """Start with the protocol's options as a mapping."""
        self._configs = configs(settings)
        self._begin(settings, self._configs.default)
        self._asks = RequestSide.__new__(RequestSide)
        self._asks.start(self)
        self._answers = ResponseSide.__new__(ResponseSide)
        self._answers.start(self)
        self.request, self.response = self._asks, self._answers

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Learn the server, and what is wanted of files."""
        connection = flow  # compiled, of a known type
        self.limits = self._configs.of(connection.server)
        self.server_port = connection.sport
        self.files = self.limits.files(app)

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        if self.stopped or not chunk:
            return
        if direction:
            self._answers.feed(chunk)
        else:
            self._asks.feed(chunk)
        self._settle()

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on after a hole: inside bodies at once, elsewhere at the next message."""
        if self.stopped or length <= 0:
            return
        (self.response if direction else self.request).gap(length)
        self._settle()

    @override
    def answer(self, tx: HttpTransaction) -> None:
        """Take note that the response to a request has begun."""
        self._asks.answered(tx)

    def _settle(self) -> None:
        """Complete the messages after which nothing more came at once."""
        self._asks.settle()
        self._answers.settle()

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        if not self.stopped:
            if direction:
                self._answers.end()
            else:
                self._asks.end()
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True
        self._ended |= direction + 1
        if direction:
            self._await_none()
        if self._ended == BOTH:
            self._untie()

    @override
    def cut(self, direction: int) -> None:
        """Finish what is unfinished in one direction, of which more would have come."""
        if not self.stopped:
            (self.response if direction else self.request).close_body(complete=False)
        self.end(direction)

    def _untie(self) -> None:
        """Nothing more can come: let go of all that was for it, since the flow may be kept for long.

        The sides are parted from the parser because what refers to itself would wait for the collector of
        cyclic garbage, which has all flows to look through.
        """
        self.stopped = True
        self._await_none()
        self._asks.release()
        self._answers.release()
