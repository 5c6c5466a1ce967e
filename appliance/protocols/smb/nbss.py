"""From the bytes of one direction to SMB records: NetBIOS session framing, compounds, streamed payloads.

NetBIOS session service: RFC 1002 section 4.3; direct TCP: MS-SMB2 section 2.1. The bulk of a READ or
WRITE goes to a sink as it arrives; any other record is held up to :data:`MAX_HELD` bytes and the rest of
it passed over.
"""

from __future__ import annotations

from typing import Protocol

MAX_HELD = 256 << 10
HEAD = 128  # enough of a record to see where its payload lies
MAX_HEAD = 4096  # a payload that begins later is not streamed
SMB1, SMB2, ENCRYPTED, COMPRESSED = b"\xffSMB", b"\xfeSMB", b"\xfdSMB", b"\xfcSMB"
_HEADERS = {SMB1: 32, SMB2: 64, ENCRYPTED: 52, COMPRESSED: 16}
_FRAMES = {SMB1: "smb1.", SMB2: "smb2.", ENCRYPTED: "smb3."}  # what their frames are called
_OTHER_KINDS = frozenset((0x81, 0x82, 0x83, 0x84, 0x85))
_RESYNC = 8  # bytes in which a session header and a magic number fit


class Sink(Protocol):
    """Takes the payload of one record."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def gap(self, length: int) -> None:
        """Take note of missing bytes."""

    def finish(self) -> None:
        """There are no more."""


class Handler(Protocol):
    """What is done with records."""

    def span(self, head: bytes) -> tuple[int, int] | None:
        """Say where the bulk payload of a record is, as (offset, length); None when it has none."""

    def record(self, direction: int, raw: bytes) -> None:
        """Take a record that is held in full, or as far as it is held."""

    def start(self, direction: int, head: bytes, length: int) -> Sink | None:
        """Take a record up to its payload; the sink takes the payload."""

    def note(self, event: str) -> None:
        """Take an event."""

    def mark(self, name: str, behind: int, header: int, length: int) -> None:
        """Take where a message is: bytes from its beginning to the end of those fed, and sizes."""


class Reader:
    """One direction of a connection."""

    __slots__ = ("_handler", "_held", "_left", "_lost", "_sink", "_skip", "_stream", "direction")

    def __init__(self, handler: Handler, direction: int) -> None:
        """Start where a session header is due."""
        self._handler = handler
        self.direction = direction
        self._held = bytearray()
        self._left = 0  # of the session message, behind _stream and _skip
        self._stream = 0  # payload bytes that the sink still gets
        self._skip = 0  # bytes to pass over after that
        self._sink: Sink | None = None
        self._lost = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        held = self._held
        held += chunk
        at = 0
        while at < len(held):
            step = self._step(at)
            if step <= 0:
                break
            at += step
        del held[:at]

    def _step(self, at: int) -> int:
        """Make one step at place ``at`` of what is held; gives its length, 0 when more bytes are needed."""
        if self._stream:
            return self._pour(at)
        if self._skip:
            step = min(self._skip, len(self._held) - at)
            self._skip -= step
            return step
        if self._lost:
            return self._search(at)
        if self._left:
            return self._record(at)
        return self._session(at)

    def _pour(self, at: int) -> int:
        """Give payload to the sink."""
        step = min(self._stream, len(self._held) - at)
        if self._sink is not None:
            self._sink.feed(bytes(self._held[at : at + step]))
        self._poured(step)
        return step

    def _poured(self, step: int) -> None:
        self._stream -= step
        if not self._stream and self._sink is not None:
            sink, self._sink = self._sink, None
            sink.finish()

    def _session(self, at: int) -> int:
        """Read a session header."""
        held = self._held
        if at + 4 > len(held):
            return 0
        kind, length = held[at], int.from_bytes(held[at + 1 : at + 4], "big")
        if not kind or kind in _OTHER_KINDS:
            self._handler.mark("nbss.", len(held) - at, 4, 4 + length)
        if kind in _OTHER_KINDS:
            self._skip = length
        elif kind == 0:
            self._left = length
        else:
            self._handler.note("malformed_data")
            self._lost = True
        return 4

    def _record(self, at: int) -> int:
        """Take a record, up to its payload when that is streamed."""
        held = self._held
        have = len(held) - at
        if have < min(self._left, 4):
            return 0
        header = _HEADERS.get(bytes(held[at : at + 4]), 0)
        if not header or self._left < header:
            self._handler.note("malformed_data")
            return self._pass(self._left, 1)
        if have < min(self._left, HEAD):
            return 0
        head = bytes(held[at : at + min(self._left, HEAD)])
        length = self._length(head)
        if head[:4] in _FRAMES:
            self._handler.mark(_FRAMES[head[:4]], have, header, length)
        span = self._handler.span(head[:length])
        if span is not None and span[0] <= min(length, MAX_HEAD):
            return self._payload(at, length, span)
        need = min(length, MAX_HELD)
        if have < need:
            return 0
        self._handler.record(self.direction, bytes(held[at : at + need]))
        return self._pass(length, need)

    def _length(self, head: bytes) -> int:
        """Give the length of a record: up to the next of a compound, or to the end of the message."""
        following = int.from_bytes(head[20:24], "little") if head.startswith(SMB2) else 0
        if not following:
            return self._left
        if following < _HEADERS[SMB2] or following > self._left:
            self._handler.note("malformed_data")
            return self._left
        return following

    def _pass(self, length: int, taken: int) -> int:
        """Go on behind a record of which ``taken`` bytes (at least one) are dealt with."""
        self._left -= length
        self._skip = length - taken
        return taken

    def _payload(self, at: int, length: int, span: tuple[int, int]) -> int:
        """Start to stream the payload of a record."""
        offset, size = span
        if len(self._held) - at < offset:
            return 0
        if size > length - offset:
            self._handler.note("record_overflow")
            size = length - offset
        self._left -= length
        self._stream, self._skip = size, length - offset - size
        self._sink = self._handler.start(self.direction, bytes(self._held[at : at + offset]), size)
        if not size:
            self._poured(0)
        return offset

    def _search(self, at: int) -> int:
        """Look for the next session header in front of a record."""
        held = self._held
        place = held.find(b"SMB", at + 5)
        while place >= 0:
            start = place - 5
            if held[start] == 0 and bytes(held[place - 1 : place + 3]) in _HEADERS:
                self._lost = False
                return start - at or self._session(at)
            place = held.find(b"SMB", place + 1)
        return max(len(held) - at - _RESYNC + 1, 0)

    def gap(self, length: int) -> None:
        """Take note of a hole; what is inside a payload or a record that is passed over does no harm."""
        if self._stream:
            step = min(length, self._stream)
            if self._sink is not None:
                self._sink.gap(step)
            self._poured(step)
            length -= step
        step = min(length, self._skip)
        self._skip -= step
        length -= step
        if not length:
            return
        left = self._left - len(self._held) - length
        self._held.clear()
        self._left = 0
        if left >= 0:
            self._skip = left
        else:
            self._lost = True
