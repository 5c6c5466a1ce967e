"""Telnet (RFC 854, RFC 855): commands, option negotiation and the lines between them, as frames.

A session is one transaction, with the options that its ends offer. Nothing of what is typed is kept: rules
look at frames, which lie in the stream.
"""

from __future__ import annotations

import re
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Frame, Parser, Transaction

IAC, SE, SB, WILL, DONT = 255, 240, 250, 251, 254
MAX_SUBNEGOTIATION = 4096  # bytes after which a session is given up
_TERMINAL_IS = b"\x18\0"  # TERMINAL-TYPE IS (RFC 1091)
_KEPT = 64  # bytes of a subnegotiation
# Options by number, in the words of IANA's registry.
OPTIONS = {
    0: "binary",
    1: "echo",
    3: "suppress_go_ahead",
    5: "status",
    6: "timing_mark",
    24: "terminal_type",
    25: "end_of_record",
    31: "window_size",
    32: "terminal_speed",
    33: "remote_flow_control",
    34: "linemode",
    35: "x_display_location",
    36: "environment",
    37: "authentication",
    38: "encryption",
    39: "new_environment",
}
FRAMES = frozenset(("pdu", "ctl", "data"))
EVENTS = frozenset(("invalid_command", "subnegotiation_too_long"))

_STOP = re.compile(rb"\xff|\n|\r\0")
_NONE, _TEXT, _COMMAND, _OPTION, _INSIDE = range(5)


class TelnetTransaction(Transaction):
    """One session: what each end offers to do and, as far as the client tells it, its terminal."""

    __slots__ = ("offers", "terminal")

    def __init__(self, tx_id: int) -> None:
        """Start before anything is offered."""
        super().__init__(tx_id)
        self.offers: tuple[list[int], list[int]] = ([], [])
        self.terminal = b""

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return None

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: {"options": [OPTIONS.get(code, str(code)) for code in codes]}
            for name, codes in zip(("client", "server"), self.offers, strict=True)
            if codes
        }
        if self.terminal:
            found["terminal"] = self.terminal.decode("ascii", "backslashreplace")
        return found


class _Side:
    """Reading state of one direction: which kind of message is open, since when, and its frames."""

    __slots__ = ("command", "content", "frames", "inside", "returned", "start", "state")

    def __init__(self) -> None:
        self.state = _NONE
        self.start = 0  # offset of the message in the stream
        self.command = 0
        self.content = bytearray()  # first bytes of a subnegotiation
        self.inside = 0  # all of them
        self.returned = False  # the last byte of text was a carriage return
        self.frames: tuple[Frame | None, Frame | None] = (None, None)


class TelnetParser(Parser):
    """Cuts both directions into commands and lines."""

    name = "telnet"
    log_type = "telnet"

    def __init__(self, settings: Any = None) -> None:
        """Open the session's transaction."""
        super().__init__(settings)
        self.tx = TelnetTransaction(0)
        self.transactions.append(self.tx)
        self.next_tx = 1
        self._sides = (_Side(), _Side())

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        side = self._sides[direction]
        self.tx.progress[direction] = max(self.tx.progress[direction], 1)
        self.tx.updated = True
        at = 0
        while at < len(chunk) and not self.failed:
            if side.state == _NONE:
                at = self._begin(side, direction, chunk, at)
            elif side.state == _TEXT:
                at = self._text(side, chunk, at)
            elif side.state == _INSIDE:
                at = self._subnegotiation(side, chunk, at)
            else:
                at = self._command(side, direction, chunk, at)

    @override
    def gap(self, direction: int, length: int) -> None:
        """Begin a message anew behind the hole: what came before ends where it was cut."""
        side = self._sides[direction]
        side.state, side.returned = _NONE, False

    def _begin(self, side: _Side, direction: int, chunk: bytes, at: int) -> int:
        """Open the message that begins at ``at``; a command once it is known to be one."""
        side.start = self.received[direction] - (len(chunk) - at)
        if chunk[at] == IAC:
            side.state = _COMMAND
            return at + 1
        self._open(side, direction, "data")
        side.state = _TEXT
        return at

    def _text(self, side: _Side, chunk: bytes, at: int) -> int:
        """Go to the end of a line, or to the command that ends it."""
        if side.returned and chunk[at] == 0:
            self._close(side, len(chunk) - at - 1)
            return at + 1
        found = _STOP.search(chunk, at)
        if found is None:
            side.returned = chunk.endswith(b"\r")
            return len(chunk)
        escaped = found[0] == b"\xff"
        end = found.start() if escaped else found.end()
        self._close(side, len(chunk) - end)
        return end

    def _command(self, side: _Side, direction: int, chunk: bytes, at: int) -> int:
        """Take the byte behind IAC, or the option behind it."""
        code = chunk[at]
        if side.state == _OPTION:
            offers = self.tx.offers[direction]
            if side.command == WILL and code not in offers:
                offers.append(code)
            self._close(side, len(chunk) - at - 1)
            return at + 1
        if code == IAC:  # stands for itself
            self._open(side, direction, "data")
            side.state = _TEXT
            return at + 1
        self._open(side, direction, "ctl")
        side.command = code
        if code == SB:
            side.state, side.inside = _INSIDE, 0
            side.content.clear()
        elif WILL <= code <= DONT:
            side.state = _OPTION
        else:
            if code < SE:
                self._note("invalid_command")
            self._close(side, len(chunk) - at - 1)
        return at + 1

    def _subnegotiation(self, side: _Side, chunk: bytes, at: int) -> int:
        """Look for IAC SE; any other byte behind IAC belongs to the content."""
        if side.returned:  # the byte before was IAC
            side.returned = False
            if chunk[at] == SE:
                if side.content.startswith(_TERMINAL_IS):
                    self.tx.terminal = bytes(side.content[2:]).removesuffix(b"\xff")
                self._close(side, len(chunk) - at - 1)
                return at + 1
            at += 1
        found = chunk.find(b"\xff", at)
        end = len(chunk) if found < 0 else found + 1
        side.content += chunk[at : min(end, at + _KEPT - len(side.content))]
        side.returned = found >= 0
        side.inside += end - at
        if side.inside > MAX_SUBNEGOTIATION:
            self._note("subnegotiation_too_long")
            self.failed = True
        return end

    def _open(self, side: _Side, direction: int, name: str) -> None:
        behind = self.received[direction] - side.start
        pdu = self.note_frame("pdu", direction, behind, -1, 0)
        side.frames = (pdu, self.note_frame(name, direction, behind, -1, 0))

    def _close(self, side: _Side, behind: int) -> None:
        for frame in side.frames:
            self.end_frame(frame, behind)
        side.frames = (None, None)
        side.state, side.returned = _NONE, False

    def _note(self, event: str) -> None:
        if event not in self.tx.events:
            self.tx.events.append(event)

    @override
    def end(self, direction: int) -> None:
        self.tx.progress[direction] = COMPLETE
        self.tx.updated = True
