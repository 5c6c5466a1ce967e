"""Redis: the commands that a client sends (RESP, the Redis serialisation protocol)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue, Parser
from appliance.model.packet import TOSERVER
from appliance.protocols.reader import MessageTransaction, text
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

MAX_COMMAND = 64 << 10  # bytes of one command that are looked at
MAX_LINE = 64 << 10
MAX_DIGITS = 10
_SEPARATOR = b" "


class RedisTransaction(MessageTransaction):
    """One command with its arguments."""

    __slots__ = ("command",)

    def __init__(self, tx_id: int, command: bytes) -> None:
        """Wrap name and arguments, joined by blanks."""
        super().__init__(tx_id, TOSERVER)
        self.command = command

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.command

    @override
    def log(self) -> dict[str, Any]:
        return {"command": text(self.command)}


class RedisParser(Parser):
    """Reads what the client says; replies are not looked at."""

    name = "redis"
    log_type = "redis"

    def __init__(self, settings: Any = None) -> None:
        """Start before the first command."""
        super().__init__(settings)
        self._held = bytearray()
        self._command = bytearray()
        self._left = 0  # arguments of the command that are still to come
        self._bulk = -1  # bytes of the present argument still to come, with the line end; -1: its length is

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        if direction != TOSERVER:
            return
        self._held += chunk
        while self._held and not self.failed and self._step():
            pass

    @override
    def gap(self, direction: int, length: int) -> None:
        """A hole in the commands ends them, one within an argument only shortens that."""
        if direction != TOSERVER:
            return
        if 0 <= length <= self._bulk:
            self._bulk -= length
            self._argument_done()
        else:
            self.failed = True

    def _step(self) -> bool:
        if self._bulk >= 0:
            return self._argument()
        end = self._held.find(b"\r\n", 0, MAX_LINE + 2)
        if end < 0:
            self.failed = len(self._held) > MAX_LINE
            return False
        line = bytes(self._held[:end])
        del self._held[: end + 2]
        self._line(line)
        return True

    def _line(self, line: bytes) -> None:
        """Take a line: the size of an array or argument, or a whole command as text."""
        kind, number = line[:1], line[1:]
        sized = number.isdigit() and len(number) <= MAX_DIGITS
        if self._left:
            if kind != b"$" or not sized:
                self.failed = True
                return
            if self._command:
                self._keep(_SEPARATOR)
            self._bulk = int(number) + 2
        elif kind == b"*" and sized:
            self._left = int(number)
        elif kind in {b"*", b"$"}:
            self.failed = kind == b"$" or number != b"-1"
        elif line:
            self._keep(line)
            self._finish()

    def _keep(self, data: bytes | bytearray) -> None:
        self._command += data[: max(0, MAX_COMMAND - len(self._command))]

    def _argument(self) -> bool:
        """Take the bytes of an argument, of which the last two end its line."""
        step = min(self._bulk, len(self._held))
        self._keep(self._held[: max(0, min(step, self._bulk - 2))])
        del self._held[:step]
        self._bulk -= step
        self._argument_done()
        return True

    def _argument_done(self) -> None:
        if self._bulk == 0:
            self._bulk = -1
            self._left -= 1
            if not self._left:
                self._finish()

    def _finish(self) -> None:
        self.transactions.append(RedisTransaction(self.next_tx, bytes(self._command)))
        self.next_tx += 1
        self._command.clear()


def probe(data: bytes) -> int:
    """Tell whether a client begins with an array of strings: ``*2``, ``$4``."""
    lines = data[:40].split(b"\r\n")
    for place, mark in enumerate((b"*", b"$")):
        if place >= len(lines):
            return PROBE_MAYBE
        line = lines[place]
        whole = place < len(lines) - 1
        if line[:1] not in {b"", mark} or not (line[1:].isdigit() or (not whole and not line[1:])):
            return PROBE_NO
        if not whole:
            return PROBE_MAYBE if len(line) <= MAX_DIGITS else PROBE_NO
    return PROBE_YES


def probe_reply(data: bytes) -> int:
    """Tell whether a server begins with a reply."""
    return PROBE_YES if data[:1] in {b"+", b"-", b":", b"$", b"*"} else PROBE_NO
