"""HTTP/0.9, 1.0 and 1.1 as one parser: two directions and the queue of requests between them."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE
from appliance.model.flow import Flow
from appliance.protocols.files import FileTracker
from appliance.protocols.http1.config import configs
from appliance.protocols.http1.conversation import NOBODY, Conversation
from appliance.protocols.http1.request import RequestSide
from appliance.protocols.http1.response import ResponseSide


class HttpParser(Conversation):
    """Grows one transaction for each request; answers go to requests in order."""

    name = "http"
    log_type = "http"

    def __init__(self, settings: Any = None) -> None:
        """Start with the protocol's options as a mapping."""
        self._configs = configs(settings)
        super().__init__(settings, self._configs.default)
        self._tied = True
        self.request = self._asks = RequestSide(self)
        self.response = self._answers = ResponseSide(self)

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Learn the server, and what is wanted of files."""
        config = self._configs.of(flow.server)
        if config is not self.config:
            self.use(config)
        self.server_port = flow.sport
        self.files = FileTracker.of(
            app, max(app.file_limit, config.request_body_limit, config.response_body_limit)
        )

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

    def _settle(self) -> None:
        """Complete the messages after which nothing more came at once."""
        self._asks.settle()
        self._answers.settle()

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        if not self.stopped:
            (self.response if direction else self.request).end()
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True
        self._ended[direction] = True
        if direction:
            self.waiting.clear()
        if all(self._ended):
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
        if self._tied:
            self._tied = False
            self.stopped = True
            self.waiting = NOBODY
            for side in (self.request, self.response):
                side.release()
                del side.parser
