"""What both directions of HTTP/1 share: the queue of requests, limits, and what they ask of the parser."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from appliance.model.app import COMPLETE, Parser
from appliance.protocols.files import FileTracker
from appliance.protocols.http1.config import Limits
from appliance.protocols.http1.startline import RequestLine
from appliance.protocols.http1.transaction import NOT_SEEN, HttpTransaction
from appliance.protocols.http1.uri import Target

if TYPE_CHECKING:
    from appliance.protocols.http1.request import RequestSide
    from appliance.protocols.http1.response import ResponseSide


# Directions that have ended, as bits.
_ANSWERS, BOTH = 2, 3


class Conversation(Parser):
    """The parser as its directions see it, apart from it so that they know its type without importing it.

    ``oldest`` is the request that the next response belongs to. Nearly always it waits alone.
    """

    request: RequestSide
    response: ResponseSide
    transactions: list[HttpTransaction]  # type: ignore[assignment]

    def __init__(self, settings: Any, limits: Limits) -> None:
        """Start without requests."""
        self._begin(settings, limits)

    def _begin(self, settings: Any, limits: Limits) -> None:
        """Set all fields."""
        self._set_up(settings)
        self.limits: Limits = limits
        self.server_port: int = 0
        self.files: FileTracker | None = None
        self.oldest: HttpTransaction | None = None
        self._behind: deque[HttpTransaction] | None = None  # requests that wait behind it
        self.stopped: bool = False
        self._ended: int = 0

    @property
    def waiting(self) -> list[HttpTransaction]:
        """Requests that wait for their response, in order."""
        return [] if self.oldest is None else [self.oldest, *(self._behind or ())]

    def new_request(self) -> HttpTransaction:
        """Open a transaction that waits for its response."""
        tx = self.open_tx()
        if self._ended & _ANSWERS == 0:  # otherwise there will be no response
            self._await(tx)
        return tx

    def _await(self, tx: HttpTransaction) -> None:
        """Put a request behind those that wait; one too many waits in vain."""
        count = 1
        if self.oldest is None:
            self.oldest = tx
        else:
            if self._behind is None:
                self._behind = deque()
            self._behind.append(tx)
            count += len(self._behind)
        most = self.limits.max_tx
        if most and count > most:
            late = self._next()
            if late is not None:
                late.advance(1, COMPLETE)

    def _next(self) -> HttpTransaction | None:
        """Give the request that has waited longest."""
        tx = self.oldest
        self.oldest = self._behind.popleft() if self._behind else None
        return tx

    def _await_none(self) -> None:
        """No response comes any more."""
        self.oldest = self._behind = None

    def next_unanswered(self) -> HttpTransaction:
        """Give the transaction to which the next response belongs; without any, one is made up."""
        known = self._next()
        if known is not None:
            self.answer(known)
            return known
        tx = self.open_tx()
        tx.note("unable_to_match_response_to_request")
        tx.request = RequestLine(NOT_SEEN)
        target = tx.target = Target()
        target.normal = NOT_SEEN
        tx.answered.name = NOT_SEEN
        tx.advance(0, COMPLETE)
        return tx

    def answer(self, tx: HttpTransaction) -> None:
        """Take note that the response to a request has begun."""
        self.request.answered(tx)

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
        limits, files = self.limits, self.files
        if files is None:
            files = self.files = FileTracker(100 << 10)  # nobody has said what is wanted of files
        number = self.next_tx
        self.next_tx += 1
        tx = HttpTransaction.__new__(HttpTransaction)
        tx.begin(number, files, limits.asked_limit, limits.answered_limit)
        tx.created = self.now
        self.transactions.append(tx)
        return tx
