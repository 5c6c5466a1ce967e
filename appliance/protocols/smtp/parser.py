"""SMTP sessions (RFC 5321): commands of the client, replies of the server, and mails between them."""

from __future__ import annotations

from collections import deque
from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE, Frame, Parser
from appliance.model.flow import Flow
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.files import FileTracker
from appliance.protocols.lines import LineReader
from appliance.protocols.mime.message import Message
from appliance.protocols.smtp import commands
from appliance.protocols.smtp.content import DotReader
from appliance.protocols.smtp.options import smtp_options
from appliance.protocols.smtp.transaction import (
    CONTENT,
    HELO,
    MAX_RECIPIENTS,
    SENDER,
    MailFiles,
    SmtpTransaction,
)

MAX_WAITING = 1024  # commands without a reply
MAX_HELD = 4096  # mails that nobody has taken yet; the older half makes room
_COMMAND, _DATA, _BDAT = range(3)
_Waiting = tuple[int, SmtpTransaction | None]
# Commands that belong to a mail that is over rather than begin another.
_LEAVING = frozenset((commands.RSET, commands.QUIT))


class SmtpParser(Parser):
    """Grows one transaction for each mail; replies go to what was sent, in order."""

    name = "smtp"
    log_type = "smtp"

    def __init__(self, settings: Any = None) -> None:
        """Start before the server's greeting, with the protocol's options as a mapping."""
        super().__init__(settings)
        self.options = smtp_options(settings)
        self.transactions: list[SmtpTransaction] = []  # type: ignore[assignment]
        self._files = FileTracker(self.options.content_limit or 100_000)
        self._readers = (LineReader(), LineReader())
        self._waiting: deque[_Waiting] = deque()
        self._tx: SmtpTransaction | None = None
        self._helo = b""
        self._mode = _COMMAND
        self._dots = DotReader()
        self._content: Frame | None = None  # of the content of DATA
        self._begun = False  # some of the content has come
        self._chunk = 0  # bytes of a BDAT chunk still to come
        self._last = False
        self._greeted = False
        self._pipelining = False
        self._handlers = {
            commands.HELO: self._on_helo,
            commands.MAIL: self._on_mail,
            commands.RCPT: self._on_rcpt,
            commands.DATA: self._on_data,
            commands.BDAT: self._on_bdat,
            commands.RSET: self._on_rset,
        }

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Learn what is wanted of files."""
        self._files = FileTracker.of(app, max(app.file_limit, self.options.content_limit))

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        if self.failed or self.upgrade:
            return
        self._readers[direction].buffer += chunk
        if direction == TOCLIENT:
            self._take_replies()
        else:
            self._take_requests()

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on after a hole; replies that cannot be told apart any more end what waits for them."""
        if self.failed or self.upgrade or length <= 0:
            return
        reader = self._readers[direction]
        if direction == TOCLIENT:
            reader.lose()
            self._greeted = True
            self._answer_all()
        elif self._mode == _DATA and self._tx is not None:
            reader.buffer.clear()
            self._dots.lose()
            self._tx.missing(length)
        elif self._mode == _BDAT and length < self._chunk:
            self._chunk -= length
            if self._tx is not None:
                self._tx.missing(length)
        else:
            self._mode = _COMMAND
            reader.lose()

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        if direction == TOSERVER and self._tx is not None and not self._tx.closed:
            self._tx.finish(complete=False)
        for tx in self.transactions:
            tx.progress[direction] = COMPLETE
            tx.updated = True

    def _note(self, event: str, tx: SmtpTransaction | None = None) -> None:
        """Record an event with a mail: the present one unless another is given."""
        tx = tx or self._tx
        if tx is None:
            tx = self._tx = self._begin()
        tx.note(event)
        tx.updated = True
        if tx.logged and not any(known is tx for known in self.transactions):
            self.transactions.append(tx)

    def _begin(self) -> SmtpTransaction:
        """Open a transaction."""
        tx = SmtpTransaction(self.next_tx, self._helo, self.options.inspect_min)
        tx.created = self.now
        self.next_tx += 1
        if len(self.transactions) >= MAX_HELD:
            del self.transactions[: MAX_HELD // 2]
        self.transactions.append(tx)
        return tx

    # The client's side.

    def _take_requests(self) -> None:
        buffer = self._readers[TOSERVER].buffer
        going = True
        while going and not self.failed:
            if self._mode == _COMMAND:
                going = self._take_command()
            elif self._mode == _DATA:
                going = bool(buffer) and self._take_data(buffer)
            else:
                going = self._take_chunk(buffer)

    def _take_command(self) -> bool:
        """Take one command line; False while there is none."""
        found = self._readers[TOSERVER].next()
        if found is None:
            return False
        line, cut = found
        kind = commands.verb(line)
        tx = self._tx
        if tx is None or (tx.closed and kind not in _LEAVING):
            tx = self._tx = self._begin()
        tx.updated = True
        self._note_line("command_line", TOSERVER, tx)
        if not self._greeted:
            self._note("no_server_welcome_message")
        if cut:
            self._note("truncated_line")
            self._note("max_command_line_len_exceeded")
        if self._waiting and self._waiting[-1][0] in {commands.DATA, commands.STARTTLS}:
            self._note("invalid_pipelined_sequence")
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(line, tx)
        else:
            self._await(kind, None if tx.closed else tx)
        return True

    def _note_line(self, name: str, direction: int, tx: SmtpTransaction | None) -> None:
        """Note the line just taken as a frame."""
        reader = self._readers[direction]
        tx_id = tx.id if tx is not None else -1
        self.note_frame(name, direction, len(reader.buffer) + reader.taken, reader.taken, tx_id)

    def _await(self, kind: int, tx: SmtpTransaction | None) -> None:
        """Remember what the next reply will be for."""
        if len(self._waiting) >= MAX_WAITING:
            self._answered(*self._waiting.popleft())
        self._waiting.append((kind, tx))

    def _on_helo(self, line: bytes, tx: SmtpTransaction) -> None:
        """Take the client's name; in the middle of a mail it begins anew like RSET (RFC 5321 4.1.4)."""
        if self._helo:
            self._note("duplicate_fields")
        self._helo = commands.argument(line, commands.HELO)
        if tx.envelope:
            tx.finish(complete=False)
            self._await(commands.RSET, tx)
            self._tx = self._begin()
            return
        tx.helo = self._helo
        tx.reach(HELO)
        self._await(commands.HELO, tx)

    def _on_mail(self, line: bytes, tx: SmtpTransaction) -> None:
        if tx.mail_from is not None:
            self._note("duplicate_fields")
        else:
            tx.mail_from = commands.argument(line, commands.MAIL)
        tx.reach(SENDER)
        self._await(commands.MAIL, tx)

    def _on_rcpt(self, line: bytes, tx: SmtpTransaction) -> None:
        if len(tx.rcpt_to) < MAX_RECIPIENTS:
            tx.rcpt_to.append(commands.argument(line, commands.RCPT))
        self._await(commands.RCPT, tx)

    def _on_data(self, line: bytes, tx: SmtpTransaction) -> None:  # noqa: ARG002 - handlers share a form
        """Prepare for a message; it comes at once where the server allows pipelining."""
        if tx.sending:
            self._note("unparsable_content")
        elif not tx.bdat:
            self._open_content(tx, dots=True)
        tx.sending = True
        tx.reach(CONTENT)
        self._await(commands.DATA, tx)
        if self._pipelining:
            self._enter_data()

    def _open_content(self, tx: SmtpTransaction, *, dots: bool) -> None:
        """Make the decoder, or the file that takes the message as it is."""
        if self.options.mime.decode:
            tx.message = Message(self.options.mime, MailFiles(tx, self._files), dots)
        elif self.options.raw:
            tx.raw = MailFiles(tx, self._files)
            tx.raw.begin(b"rawmsg")

    def _enter_data(self) -> None:
        self._mode = _DATA
        self._begun = False
        self._dots = DotReader()

    def _on_bdat(self, line: bytes, tx: SmtpTransaction) -> None:
        found = commands.chunk(line)
        if found is None or found[0] > commands.MAX_CHUNK:
            self._note("invalid_bdat" if found is None else "bdat_chunk_len_exceeded")
            self._await(commands.OTHER, tx)
            return
        self._chunk, self._last = found
        if self._chunk:
            self.note_frame("data", TOSERVER, len(self._readers[TOSERVER].buffer), self._chunk, tx.id)
        if not tx.bdat and not tx.sending:
            self._open_content(tx, dots=False)
        tx.bdat = True
        tx.reach(CONTENT)
        self._mode = _BDAT
        self._await(commands.LAST_CHUNK if self._last else commands.BDAT, tx)

    def _on_rset(self, line: bytes, tx: SmtpTransaction) -> None:  # noqa: ARG002
        if tx.closed:
            self._await(commands.OTHER, None)
            return
        tx.finish(complete=False)
        self._await(commands.RSET, tx)

    def _take_data(self, buffer: bytearray) -> bool:
        """Take content up to the lone dot; False when there is no more of it."""
        tx = self._tx
        if not self._begun:
            self._begun = True
            self._content = self.note_frame(
                "data", TOSERVER, len(buffer), -1, tx.id if tx is not None else -1
            )
        piece, over = self._dots.take(buffer)
        if tx is not None and piece:
            tx.feed(piece)
        if not over:
            return False
        self._leave_data(len(buffer) + self._dots.ended)
        if tx is not None:
            tx.finish(complete=True)
        self._await(commands.END_OF_DATA, tx)
        return True

    def _leave_data(self, behind: int) -> None:
        """Go back to commands; the content has ended ``behind`` bytes before the end of what was received."""
        self._mode = _COMMAND
        self.end_frame(self._content, behind)
        self._content = None

    def _take_chunk(self, buffer: bytearray) -> bool:
        """Take bytes of a BDAT chunk; False while it is not complete."""
        piece = bytes(buffer[: self._chunk])
        del buffer[: len(piece)]
        self._chunk -= len(piece)
        tx = self._tx
        if tx is not None and piece:
            tx.feed(piece)
        if self._chunk:
            return False
        self._mode = _COMMAND
        if self._last and tx is not None:
            tx.finish(complete=True)
        return True

    # The server's side.

    def _take_replies(self) -> None:
        reader = self._readers[TOCLIENT]
        while not self.failed and not self.upgrade:
            found = reader.next()
            if found is None:
                return
            self._reply(*found)

    def _reply(self, line: bytes, cut: bool) -> None:
        """Take one line of a reply; the last one of it ends the wait."""
        self._note_line("response_line", TOCLIENT, self._concerned() or self._tx)
        if cut:
            self._note("truncated_line")
            self._note("max_reply_line_len_exceeded")
        code = commands.reply_code(line)
        if cut and not code:
            return
        if not code:
            self._note("invalid_reply", self._concerned())
            self.failed = True
            return
        if line[3:4] == b"-":
            self._pipelining = self._pipelining or line[4:14].upper() == b"PIPELINING"
            return
        if line[4:14].upper() == b"PIPELINING":
            self._pipelining = True
        if self._waiting:
            self._greeted = True
            kind, tx = self._waiting.popleft()
            self._decide(kind, tx, code)
            self._answered(kind, tx)
        elif not self._greeted:
            self._greeted = True
            if code != 220:
                self._note("invalid_reply")
        else:
            self._note("unable_to_match_reply_with_request")

    def _concerned(self) -> SmtpTransaction | None:
        """Give the mail to which the next reply belongs."""
        return self._waiting[0][1] if self._waiting else None

    def _decide(self, kind: int, tx: SmtpTransaction | None, code: int) -> None:
        """Draw the conclusions from a reply."""
        if kind == commands.STARTTLS:
            if code == 220:
                self._start_tls(tx)
            else:
                self._note("tls_rejected", tx)
        elif kind == commands.DATA and tx is not None:
            if code == 354:
                if self._mode == _COMMAND and tx is self._tx and not tx.closed:
                    self._enter_data()
                return
            self._note("data_command_rejected", tx)
            if not tx.closed:
                tx.sending = False
                tx.message = tx.raw = None
                if self._mode == _DATA and tx is self._tx:
                    self._leave_data(len(self._readers[TOSERVER].buffer))

    def _start_tls(self, tx: SmtpTransaction | None) -> None:
        """Hand over to TLS what has not been taken yet."""
        if tx is not None:
            tx.close()
            tx.answer()
        readers = self._readers
        self.upgrade = "tls"
        self.upgrade_data = (bytes(readers[0].buffer), bytes(readers[1].buffer))
        self._answer_all()

    def _answered(self, kind: int, tx: SmtpTransaction | None) -> None:
        """Complete a mail whose last command has its reply."""
        if tx is not None and kind in {commands.END_OF_DATA, commands.LAST_CHUNK, commands.RSET}:
            tx.answer()

    def _answer_all(self) -> None:
        """Give up waiting: what is over on the client's side is complete."""
        while self._waiting:
            self._answered(*self._waiting.popleft())
        for tx in self.transactions:
            if tx.closed:
                tx.answer()
