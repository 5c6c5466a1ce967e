"""What both directions of HTTP/1 share: the queue of requests, limits, and what they ask of the parser."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from appliance.model.app import COMPLETE, Parser
from appliance.protocols.files import FileTracker
from appliance.protocols.http1.body import Body
from appliance.protocols.http1.config import Config
from appliance.protocols.http1.startline import RequestLine
from appliance.protocols.http1.transaction import NOT_SEEN, HttpTransaction
from appliance.protocols.http1.uri import Target

if TYPE_CHECKING:
    from appliance.protocols.http1.request import RequestSide
    from appliance.protocols.http1.response import ResponseSide


_MOST = 1 << 62  # compiled, limits are 64 bits wide
NOBODY: deque[HttpTransaction] = deque()  # waits any more; nothing is added


class Conversation(Parser):
    """The parser as its directions see it, apart from it so that they know its type without importing it."""

    request: RequestSide
    response: ResponseSide

    def __init__(self, settings: Any, config: Config) -> None:
        """Start without requests."""
        super().__init__(settings)
        self.server_port: int = 0
        self.files: FileTracker = FileTracker(100 << 10)
        self.transactions: list[HttpTransaction] = []  # type: ignore[assignment]
        self.waiting: deque[HttpTransaction] = deque()
        self.stopped: bool = False
        self._ended: list[bool] = [False, False]
        self.use(config)

    def use(self, config: Config) -> None:
        """Go by these options."""
        self.config: Config = config
        self.field_limit: int = min(config.field_limit, _MOST)
        self.headers_limit: int = min(config.headers_limit, _MOST)
        self.plus: bool = config.plus_to_space
        self.lowercase: bool = config.lowercase_path
        self._asked_limit: int = min(config.request_body_limit, _MOST)
        self._answered_limit: int = min(config.response_body_limit, _MOST)
        self._most: int = min(config.max_tx, _MOST)

    def new_request(self) -> HttpTransaction:
        """Open a transaction that waits for its response."""
        tx = self.open_tx()
        if self._ended[1]:  # there will be no response
            return tx
        self.waiting.append(tx)
        if self._most and len(self.waiting) > self._most:
            self.waiting.popleft().advance(1, COMPLETE)
        return tx

    def next_unanswered(self) -> HttpTransaction:
        """Give the transaction to which the next response belongs; without any, one is made up."""
        if self.waiting:
            tx = self.waiting.popleft()
            self.request.answered(tx)
            return tx
        tx = self.open_tx()
        tx.note("unable_to_match_response_to_request")
        tx.request = RequestLine(NOT_SEEN)
        target = tx.target = Target()
        target.normal = NOT_SEEN
        body = tx.bodies[1]
        body.name = NOT_SEEN
        tx.advance(0, COMPLETE)
        return tx

    def revive(self, tx: HttpTransaction) -> None:
        """Show a transaction again, to which something was added after it was done with."""
        for known in self.transactions:
            if known is tx:
                return
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

    def open_tx(self) -> HttpTransaction:
        """Open a transaction."""
        number = self.next_tx
        self.next_tx += 1
        asked = Body(self.files, 0, number, self._asked_limit)
        tx = HttpTransaction(number, (asked, Body(self.files, 1, number, self._answered_limit)))
        tx.created = self.now
        self.transactions.append(tx)
        return tx
