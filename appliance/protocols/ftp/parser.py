"""The control connection of FTP (RFC 959): commands, replies, and the data connections they announce."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE, Parser
from appliance.model.flow import Flow
from appliance.model.packet import TOCLIENT
from appliance.protocols.ftp import commands
from appliance.protocols.ftp.data import Transfer
from appliance.protocols.ftp.transaction import FtpTransaction
from appliance.protocols.lines import MAX_LINE, LineReader

MAX_TRANSACTIONS = 1024  # commands that wait for their reply
EVENTS = frozenset(
    ("file_before_port", "request_command_too_long", "response_command_too_long", "too_many_transactions")
)


def _count(options: Mapping[str, Any], name: str, fallback: int) -> int:
    """Read a positive number of the options."""
    word = str(options.get(name, fallback)).strip()
    fits = word.isascii() and word.isdigit() and len(word) < 10
    return int(word) or fallback if fits else fallback


class FtpParser(Parser):
    """Grows one transaction for each command; replies go to commands in order."""

    name = "ftp"
    log_type = "ftp"

    def __init__(self, settings: Any = None) -> None:
        """Start before the greeting, with the protocol's options as a mapping."""
        super().__init__(settings)
        options = settings if isinstance(settings, Mapping) else {}
        self._max_waiting = _count(options, "max-tx", MAX_TRANSACTIONS)
        limit = _count(options, "max-line-length", MAX_LINE)
        self._readers = (LineReader(limit), LineReader(limit))
        self.transactions: list[FtpTransaction] = []  # type: ignore[assignment]
        self._waiting: deque[FtpTransaction] = deque()
        self._last: FtpTransaction | None = None
        self._multi = b""  # code of the reply of several lines that is being read
        self._transfer: Transfer | None = None
        self._client = b""
        self._server = b""

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Learn between whom data connections are made: nobody else's are believed."""
        self._client = getattr(flow, "client", b"")
        self._server = getattr(flow, "server", b"")

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        if self.failed or self.upgrade:
            return
        reader = self._readers[direction]
        reader.buffer += chunk
        take = self._reply if direction == TOCLIENT else self._command
        frame = "response_line" if direction == TOCLIENT else "command_line"
        while not self.failed and not self.upgrade:
            found = reader.next()
            if found is None:
                return
            self.note_frame(frame, direction, len(reader.buffer) + reader.taken, reader.taken)
            take(*found)

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on at the next line; replies cannot be told apart any more."""
        if self.failed or self.upgrade or length <= 0:
            return
        self._readers[direction].lose()
        if direction == TOCLIENT:
            self._multi = b""
            while self._waiting:
                self._waiting.popleft().close()

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True

    def _begin(self, tx: FtpTransaction) -> FtpTransaction:
        tx.created = self.now
        self.next_tx += 1
        self.transactions.append(tx)
        self._last = tx
        return tx

    def _command(self, line: bytes, cut: bool) -> None:
        """Take one command."""
        verb, rest = commands.split(line)
        if not verb:
            return
        if len(self._waiting) >= self._max_waiting:
            self._waiting[-1].note("too_many_transactions")
            self.failed = True
            return
        tx = self._begin(FtpTransaction(self.next_tx, verb, rest, cut))
        self._waiting.append(tx)
        if cut:
            tx.note("request_command_too_long")
        if verb in commands.ACTIVE:
            tx.port = commands.port_of(rest) if verb == b"PORT" else commands.extended_port(rest)
            if tx.port:
                self._transfer = Transfer(tx.port, active=True)
        elif verb in commands.TRANSFERS or verb in commands.LISTINGS:
            self._carry(tx)

    def _carry(self, tx: FtpTransaction) -> None:
        """Tell the announced data connection what it will carry."""
        transfer, self._transfer = self._transfer, None
        is_file = tx.command in commands.TRANSFERS
        if transfer is None:
            if is_file:
                tx.note("file_before_port")
            return
        transfer.command = tx.command
        transfer.name = tx.data if is_file else b""
        if transfer.active:
            self._expect(transfer)

    def _expect(self, transfer: Transfer) -> None:
        self.expect.append(
            (self._client if transfer.active else self._server, transfer.port, "ftp-data", transfer)
        )

    def _reply(self, line: bytes, cut: bool) -> None:
        """Take one line of a reply."""
        tx = self._waiting[0] if self._waiting else self._unasked()
        tx.add(line)
        if cut:
            tx.reply_cut = True
            tx.note("response_command_too_long")
        code = commands.reply_code(line)
        if self._multi:
            if code != self._multi or line[3:4] == b"-":
                return
            self._multi = b""
        elif not code:
            return
        elif line[3:4] == b"-":
            self._multi = code
            return
        self._decide(tx, code, line)

    def _unasked(self) -> FtpTransaction:
        """Give what a reply nobody waits for belongs to: the last command, or none if it is the greeting."""
        return self._last or self._begin(FtpTransaction(self.next_tx))

    def _decide(self, tx: FtpTransaction, code: bytes, line: bytes) -> None:
        """Draw the conclusions from a complete reply; one of the hundreds is not the last (RFC 959 4.2)."""
        if code.startswith(b"1"):
            return
        self._passive(tx, code, line)
        if self._waiting and self._waiting[0] is tx:
            self._waiting.popleft()
        tx.close()
        if code == b"234" and tx.command == b"AUTH":
            self.upgrade = "tls"
            self.upgrade_data = (bytes(self._readers[0].buffer), bytes(self._readers[1].buffer))

    def _passive(self, tx: FtpTransaction, code: bytes, line: bytes) -> None:
        """Await the data connection that the client may now open, maybe before it says what for."""
        if code == b"227" and tx.command == b"PASV":
            tx.port = commands.port_of(line[4:])
        elif code == b"229" and tx.command == b"EPSV":
            tx.port = commands.extended_port(line[4:])
        if tx.port and tx.mode == "passive":
            self._transfer = Transfer(tx.port, active=False)
            self._expect(self._transfer)
