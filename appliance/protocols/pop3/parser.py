"""POP3 (RFC 1939): one transaction for each command with its response."""

from __future__ import annotations

from collections import deque
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.model.packet import TOCLIENT
from appliance.protocols.lines import LineReader

MAX_LINES = 256  # lines kept of one response
MAX_BYTES = 64 << 10
MAX_WAITING = 256  # commands without a response
MAX_HELD = 4096  # exchanges that nobody has taken yet; the older half makes room
MAX_ARGUMENTS = 64
EVENTS = frozenset(("command_too_long", "response_too_long", "too_many_transactions", "unknown_status"))

# Commands whose positive response goes on up to a lone dot; those in the second set only without arguments.
_ALWAYS_LONG = frozenset((b"RETR", b"TOP", b"CAPA"))
_LONG_ALONE = frozenset((b"LIST", b"UIDL"))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


class Pop3Transaction(Transaction):
    """A command and what was answered; the greeting and sign-in exchanges are without a command's name."""

    __slots__ = ("_kept", "arguments", "command", "header", "lines", "status")

    def __init__(self, tx_id: int, command: bytes = b"", arguments: list[bytes] | None = None) -> None:
        """Begin with a command."""
        super().__init__(tx_id)
        self.command = command
        self.arguments = arguments or []
        self.status = b""
        self.header = b""
        self.lines: list[bytes] = []
        self._kept = 0
        if command:
            self.progress[0] = COMPLETE

    @property
    def long(self) -> bool:
        """Tell whether a positive response has more than one line."""
        return self.command in _ALWAYS_LONG or (self.command in _LONG_ALONE and not self.arguments)

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)

    def add(self, line: bytes) -> None:
        """Keep a line of the response."""
        if len(self.lines) < MAX_LINES and self._kept < MAX_BYTES:
            self.lines.append(line)
            self._kept += len(line)

    def close(self) -> None:
        """The exchange is over."""
        self.progress[:] = [COMPLETE, COMPLETE]
        self.updated = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return None

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.command:
            arguments = [_text(word) for word in self.arguments]
            found["request"] = {"command": _text(self.command), "args": arguments}
        if self.status:
            found["response"] = {
                "success": self.status == b"OK",
                "status": _text(self.status),
                "header": _text(self.header),
                "data": [_text(line) for line in self.lines],
            }
        return found


class Pop3Parser(Parser):
    """Commands wait for responses in order; the lines that sign-in exchanges are made of are passed over."""

    name = "pop3"
    log_type = "pop3"

    def __init__(self, settings: Any = None) -> None:
        """Start before the greeting."""
        super().__init__(settings)
        self.transactions: list[Pop3Transaction] = []  # type: ignore[assignment]
        self._readers = (LineReader(), LineReader())
        self._waiting: deque[Pop3Transaction] = deque()
        self._body: Pop3Transaction | None = None  # whose response goes on up to a lone dot
        self._challenged = False  # the client's next line answers a challenge (RFC 5034)

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        if self.failed or self.upgrade:
            return
        reader = self._readers[direction]
        reader.buffer += chunk
        take = self._response if direction == TOCLIENT else self._command
        while not self.failed and not self.upgrade:
            found = reader.next()
            if found is None:
                return
            take(*found)

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on at the next line; responses cannot be told apart any more, but for the end of a long one."""
        if self.failed or self.upgrade or length <= 0:
            return
        self._readers[direction].lose()
        if direction == TOCLIENT and self._body is None:
            while self._waiting:
                self._waiting.popleft().close()

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True

    def _begin(self, tx: Pop3Transaction) -> Pop3Transaction:
        tx.created = self.now
        self.next_tx += 1
        if len(self.transactions) >= MAX_HELD:
            del self.transactions[: MAX_HELD // 2]
        self.transactions.append(tx)
        return tx

    def _command(self, line: bytes, cut: bool) -> None:
        """Take one command."""
        words = line.split(None, MAX_ARGUMENTS)
        if self._challenged or not words:
            self._challenged = False
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting[-1].note("too_many_transactions")
            self.failed = True
            return
        tx = self._begin(Pop3Transaction(self.next_tx, words[0].upper(), words[1:]))
        self._waiting.append(tx)
        if cut:
            tx.note("command_too_long")

    def _response(self, line: bytes, cut: bool) -> None:
        """Take one line of a response."""
        if self._body is not None:
            self._take_body(self._body, line)
            return
        if line.startswith(b"+ ") or line == b"+":
            self._challenged = True
            return
        tx = self._waiting.popleft() if self._waiting else self._begin(Pop3Transaction(self.next_tx))
        tx.updated = True
        if cut:
            tx.note("response_too_long")
        status, _, tx.header = line.partition(b" ")
        if status not in {b"+OK", b"-ERR"}:
            tx.note("unknown_status")
            tx.close()
            self.failed = True
            return
        tx.status = status[1:]
        self._challenged = False
        if tx.status == b"OK" and tx.long:
            self._body = tx
            return
        tx.close()
        if tx.status == b"OK" and tx.command == b"STLS":
            self.upgrade = "tls"
            self.upgrade_data = (bytes(self._readers[0].buffer), bytes(self._readers[1].buffer))

    def _take_body(self, tx: Pop3Transaction, line: bytes) -> None:
        """Take a line of a long response; a lone dot ends it, other leading dots are doubled."""
        if line == b".":
            self._body = None
            tx.close()
            return
        tx.add(line[1:] if line.startswith(b".") else line)
