"""One command with its replies."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferSpec, BufferValue, Transaction, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.ftp.commands import ACTIVE, PASSIVE, reply_code

COMMAND = 10  # step: the command has been read

MAX_REPLIES = 256  # lines kept of the answer to one command
MAX_REPLY_BYTES = 64 << 10

_YES = frozenset(("yes", "on", "true", "1"))
_PROTOCOL = ("ftp",)
_BOTH = (TOSERVER, TOCLIENT)

BUFFERS = (
    BufferSpec("ftp.command", _PROTOCOL, (TOSERVER,), COMMAND),
    BufferSpec("ftp.command_data", _PROTOCOL, (TOSERVER,), COMMAND),
    BufferSpec("ftp.reply", _PROTOCOL, (TOCLIENT,), multi=True),
    BufferSpec("ftp.completion_code", _PROTOCOL, (TOCLIENT,), multi=True),
)


def _same_answer(value: Any, argument: str) -> bool:
    """Compare whether there was a reply with what a rule writes: yes, no, on, off."""
    return bool(value) == (argument.strip().lower() in _YES)


def _same_mode(value: Any, argument: str) -> bool:
    return bool(value == argument.strip().lower())


VALUES = (
    ValueSpec("ftp.dynamic_port", _PROTOCOL, _BOTH),
    ValueSpec("ftp.mode", _PROTOCOL, _BOTH, test=_same_mode),
    ValueSpec("ftp.reply_received", _PROTOCOL, _BOTH, test=_same_answer),
)


def text(value: bytes) -> str:
    r"""Write bytes as UTF-8; those that are not become ``\xhh``."""
    return value.decode("utf-8", "backslashreplace")


class FtpTransaction(Transaction):
    """A command and what was answered; the server's greeting is one without a command."""

    __slots__ = ("_kept", "answered", "command", "cut", "data", "port", "replies", "reply_cut")

    def __init__(self, tx_id: int, command: bytes = b"", data: bytes = b"", cut: bool = False) -> None:
        """Begin with a command."""
        super().__init__(tx_id)
        self.command = command
        self.data = data
        self.cut = cut
        self.replies: list[bytes] = []
        self.reply_cut = False
        self.answered = False
        self.port = 0  # of the data connection, as this command or its reply announces it
        self._kept = 0
        if command:
            self.progress[0] = COMMAND

    @property
    def mode(self) -> str:
        """Give who opens the data connection: "active" (the server), "passive" (the client) or ""."""
        if self.command in ACTIVE:
            return "active"
        return "passive" if self.command in PASSIVE else ""

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)
        self.updated = True

    def add(self, line: bytes) -> None:
        """Take a line of the reply."""
        self.answered = True
        self.updated = True
        if len(self.replies) < MAX_REPLIES and self._kept < MAX_REPLY_BYTES:
            self.replies.append(line)
            self._kept += len(line)

    def close(self) -> None:
        """The reply is complete."""
        self.progress[:] = [COMPLETE, COMPLETE]
        self.updated = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if direction == TOSERVER:
            own = {"ftp.command": self.command, "ftp.command_data": self.data}
            return own.get(name) or None
        if name == "ftp.reply":
            return [_words(line) for line in self.replies] or None
        return self.codes() or None if name == "ftp.completion_code" else None

    @override
    def value(self, name: str) -> Any:
        if name == "ftp.dynamic_port":
            return self.port or None
        if name == "ftp.mode":
            return self.mode or None
        return self.answered if name == "ftp.reply_received" and self.done else None

    def codes(self) -> list[bytes]:
        """Give the completion codes of all lines that have one."""
        return [code for code in map(reply_code, self.replies) if code]

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.command:
            found["command"] = text(self.command)
            if self.data:
                found["command_data"] = text(self.data)
            found["command_truncated"] = self.cut
        if self.replies:
            found["reply"] = [text(_words(line)) for line in self.replies]
            codes = self.codes()
            if codes:
                found["completion_code"] = [text(code) for code in codes]
        if self.port:
            found["dynamic_port"] = self.port
        if self.mode:
            found["mode"] = self.mode
        found["reply_received"] = "yes" if self.answered else "no"
        found["reply_truncated"] = self.reply_cut
        return found


def _words(line: bytes) -> bytes:
    """Give the text of a reply line, without its code."""
    return line[4:] if reply_code(line) else line
