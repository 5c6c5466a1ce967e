"""One mail, or what there was of it: envelope, message, files."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferSpec, BufferValue, FileObject, Transaction
from appliance.model.packet import TOSERVER
from appliance.protocols.files import FileTracker
from appliance.protocols.mime.message import Message
from appliance.protocols.smtp import log

# Steps of the client's direction.
HELO = 10
SENDER = 20
CONTENT = 40  # DATA or BDAT: there are no more recipients
HEADER = 60  # the message's own header fields are final

MAX_RECIPIENTS = 1024
MAX_FILES = 256

_PROTOCOL = ("smtp",)
_CLIENT = (TOSERVER,)

# Buffers that are one header field of the message.
_FIELDS = {
    "email.from": b"from",
    "email.to": b"to",
    "email.cc": b"cc",
    "email.subject": b"subject",
    "email.date": b"date",
    "email.message_id": b"message-id",
    "email.x_mailer": b"x-mailer",
}

BUFFERS = (
    BufferSpec("smtp.helo", _PROTOCOL, _CLIENT, HELO),
    BufferSpec("smtp.mail_from", _PROTOCOL, _CLIENT, SENDER),
    BufferSpec("smtp.rcpt_to", _PROTOCOL, _CLIENT, CONTENT, growing=True, multi=True),
    *(BufferSpec(name, _PROTOCOL, _CLIENT, HEADER) for name in _FIELDS),
    BufferSpec("email.received", _PROTOCOL, _CLIENT, HEADER, multi=True),
    BufferSpec("email.url", _PROTOCOL, _CLIENT, COMPLETE, growing=True, multi=True),
    BufferSpec("email.body_md5", _PROTOCOL, _CLIENT, COMPLETE),
    BufferSpec("file.data", _PROTOCOL, _CLIENT, COMPLETE, growing=True, multi=True),
    BufferSpec("file.name", _PROTOCOL, _CLIENT, COMPLETE, growing=True, multi=True),
    BufferSpec("file.magic", _PROTOCOL, _CLIENT, COMPLETE, growing=True, multi=True),
)


class MailFiles:
    """Puts the attachments of a message among the files of its transaction."""

    __slots__ = ("_file", "_tracker", "_tx")

    def __init__(self, tx: Transaction, tracker: FileTracker) -> None:
        """Serve ``tx``; ``tracker`` keeps the bytes."""
        self._tx = tx
        self._tracker = tracker
        self._file: FileObject | None = None

    def begin(self, name: bytes) -> None:
        """Open a file, unless the mail has too many."""
        if len(self._tx.files) < MAX_FILES:
            self._file = self._tracker.open(name, TOSERVER, self._tx.id)
            self._tx.files.append(self._file)

    def append(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._file is not None:
            self._tracker.append(self._file, data)

    def missing(self, length: int) -> None:
        """Take note of bytes that did not arrive."""
        if self._file is not None:
            self._tracker.gap(self._file, length)

    def finish(self, complete: bool) -> None:
        """Close the file."""
        if self._file is not None:
            self._tracker.close(self._file, complete)
            self._file = None


class SmtpTransaction(Transaction):
    """From one envelope to the next; ``closed`` once the client's part of it is over."""

    __slots__ = ("bdat", "closed", "helo", "inspect_min", "mail_from", "message", "raw", "rcpt_to", "sending")

    def __init__(self, tx_id: int, helo: bytes, inspect_min: int = 0) -> None:
        """Begin with the name that the client gave before; rules see files from ``inspect_min`` bytes on."""
        super().__init__(tx_id)
        self.inspect_min = inspect_min
        self.helo = helo
        self.mail_from: bytes | None = None
        self.rcpt_to: list[bytes] = []
        self.message: Message | None = None
        self.raw: MailFiles | None = None
        self.sending = False  # DATA has been sent and not been refused
        self.bdat = False
        self.closed = False
        if helo:
            self.progress[0] = HELO

    @property
    def envelope(self) -> bool:
        """Tell whether there is more than a greeting."""
        return self.mail_from is not None or bool(self.rcpt_to) or self.progress[0] >= CONTENT

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)

    def reach(self, step: int) -> None:
        """Go on to a step of the client's direction."""
        self.progress[0] = max(self.progress[0], step)
        self.updated = True

    def feed(self, data: bytes) -> None:
        """Take bytes of the message."""
        if self.raw is not None:
            self.raw.append(data)
        if self.message is not None:
            self.message.feed(data)
            self._learn()

    def missing(self, length: int) -> None:
        """Take note of bytes of the message that did not arrive."""
        if self.raw is not None:
            self.raw.missing(length)
        if self.message is not None:
            self.message.gap(length)

    def finish(self, complete: bool) -> None:
        """End the message and the client's part of the transaction."""
        if self.raw is not None:
            self.raw.finish(complete)
        if self.message is not None and not self.message.over:
            self.message.finish(complete)
            self._learn()
        self.close()

    def close(self) -> None:
        """End the client's part."""
        self.closed = True
        self.reach(COMPLETE)

    def answer(self) -> None:
        """The server has answered the last of it."""
        self.progress[1] = COMPLETE
        self.updated = True

    def _learn(self) -> None:
        """Take over what the message has shown by now."""
        message = self.message
        if message is None:
            return
        for event in message.events:
            self.note(event)
        if message.header_done:
            self.reach(HEADER)
        self.updated = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if direction != TOSERVER:
            return None
        if name == "smtp.helo":
            return self.helo or None
        if name == "smtp.mail_from":
            return self.mail_from
        if name == "smtp.rcpt_to":
            return list(self.rcpt_to) or None
        if name == "file.data":
            least = self.inspect_min
            return [bytes(file.data) for file in self.files if file.state != "OPEN" or file.size >= least]
        return self._message_buffer(name)

    def _message_buffer(self, name: str) -> BufferValue:
        message = self.message
        if message is None:
            return None
        if name in _FIELDS:
            return message.fields.first(_FIELDS[name])
        if name == "email.received":
            return message.fields.every(b"received") or None
        if name == "email.url":
            return list(message.urls) or None
        return message.body_md5.encode() or None if name == "email.body_md5" else None

    @override
    def log(self) -> dict[str, Any]:
        found = self._envelope_log()
        if self.message is not None:
            found["email"] = log.without(log.email(self.message), {})
        return found

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._envelope_log()
        if self.message is not None:
            found["email"] = log.without(log.email(self.message), options) | log.more(self.message, options)
        return [found] if found else []

    def _envelope_log(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.helo:
            found["helo"] = log.text(self.helo)
        if self.mail_from is not None:
            found["mail_from"] = log.text(self.mail_from)
        if self.rcpt_to:
            found["rcpt_to"] = [log.text(name) for name in self.rcpt_to]
        return found
