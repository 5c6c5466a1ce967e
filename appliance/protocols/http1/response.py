"""The server's direction of HTTP/1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.protocols.files import name_from_disposition
from appliance.protocols.http1.framing import NO_LENGTH, content_length, transfer_coding
from appliance.protocols.http1.headers import NO_HEADERS
from appliance.protocols.http1.plain import status_line
from appliance.protocols.http1.side import Side
from appliance.protocols.http1.startline import StatusLine, looks_like_status, parse_status
from appliance.protocols.http1.steps import HEADERS_STEP, START_STEP, STRAY_STEP, STREAM_STEP
from appliance.protocols.http1.transaction import HEADERS, LINE, HttpTransaction, content_range

if TYPE_CHECKING:
    from appliance.protocols.http1.conversation import Conversation

_BLANK = b" \t\x0b\x0c\r\n\0"
_NO_STATUS = 1024  # bytes without line end after which a body without status line is passed on


class ResponseSide(Side):
    """Reads responses and gives each to the oldest request without one."""

    def start(self, parser: Conversation) -> None:
        """Start ahead of the first status line."""
        self.begin(parser, 1)
        self.ended_lfcr: bool = False

    @override
    def on_other(self) -> bool:
        """Read on in bytes that belong to the response before."""
        return self.on_stray()

    # --- lines: a lone CR, LF CR and CR CR LF end lines in responses, since clients take them so

    def _line_end(self, lone_cr_first: bool) -> int | None:
        """Give the length of the next line with its end; None while that cannot be told."""
        at = self.scanned
        while True:
            at = _first(self.buffer, at)
            if at < 0:
                self.scanned = len(self.buffer)
                return len(self.buffer) if self.ended and self.buffer else None
            self.scanned = at
            following = self.buffer[at + 1 : at + 2]
            if not following and not self.ended and (self.buffer[at] == 0x0D or at > 0):
                return None
            if self.buffer[at] == 0x0A:
                return at + 2 if following == b"\r" and at > 0 and not lone_cr_first else at + 1
            if following == b"\n":
                return at + 2
            if following != b"\r" or lone_cr_first:
                return at + 1
            at += 1

    @override
    def next_field_line(self) -> tuple[bytes, bool] | None:
        """Give the next line; what ends the block may take in a second empty line after LF CR."""
        size = self._line_end(lone_cr_first=False)
        if size is None:
            return None
        head = bytes(self.buffer[:size])
        end = head in {b"\r\n", b"\n"}
        if not end and len(head) == 2 and head[0] in b" \t" and head[1] == 0x0A:
            following = self.buffer[2:3]
            if not following and not self.ended:
                return None
            end = following != b"\n"
        if end and self.ended_lfcr and head == b"\r\n":
            more = bytes(self.buffer[2:4])
            if len(more) < 2 and b"\r\n".startswith(more) and not self.ended:
                return None
            if more == b"\r\n":
                size += 2
        self.ended_lfcr = head.endswith(b"\n\r")
        return self.take(size), end

    @override
    def continues(self, tx: HttpTransaction, line: bytes) -> bool:
        """An indented line that is a field of its own counts as one in HTTP/1.1."""
        return not (tx.response.version == 11 and b":" in line and b":" in self.pending)

    # --- status line

    @override
    def plain(self, data: bytes) -> bool:
        """Take a status line with its fields."""
        status = status_line(data)
        if status is None:
            return False
        headers = self.plain_head(data, len(status.text) + 2)
        if headers is None:
            return False
        self._begin(status)
        tx = self.tx
        if tx is not None:
            self.begin_frame(len(data) - len(self.buffer), tx.id)
            self.state = HEADERS_STEP
            tx.response_headers = headers
            if headers.repeated is not None:
                tx.note("response_header_repetition")
            tx.advance(1, HEADERS)
            self.on_headers_done()
        return True

    @override
    def on_start(self) -> bool:
        """Read a status line; anything else is a body without one."""
        if not self.buffer:
            return False
        if self._is_stray():
            self.state = STRAY_STEP
            return True
        kind = looks_like_status(bytes(self.buffer[:256]))
        size = self._line_end(lone_cr_first=True)
        if size is None and not (kind is False and len(self.buffer) > _NO_STATUS):
            if len(self.buffer) > self.parser.limits.field_limit:
                self._begin(StatusLine())
                return self.too_long(len(self.buffer))
            return False
        line = bytes(self.buffer[: _NO_STATUS if size is None else size])
        if not line.strip(_BLANK):
            self.take(len(line))
            return True
        if looks_like_status(line):
            self.take(len(line))
            self._begin(parse_status(line.rstrip(b"\r\n")))
            if self.tx is not None:
                self.begin_frame(len(line), self.tx.id)
            self.state = HEADERS_STEP
            return True
        return self._no_status(size)

    def _no_status(self, size: int | None) -> bool:
        """Body without status line, unless the line is junk ahead of one."""
        if size is not None:
            following = bytes(self.buffer[size : size + 1])
            if not following and not self.ended:
                return False
            if following == b"H":
                self.take(size)
                return True
        self._begin(StatusLine())
        if self.tx is not None:
            self.tx.advance(1, HEADERS)
            self.begin_frame(0, self.tx.id)
        self.state = STREAM_STEP
        return True

    def _is_stray(self) -> bool:
        """Tell whether the line at hand belongs to the response before: nobody waits, and it is no status."""
        if self.parser.oldest is not None or self.last is None:
            return False
        at = _first(self.buffer, 0)
        head = bytes(self.buffer[: len(self.buffer) if at < 0 else at]).strip(_BLANK)
        if at >= 0 and not head:  # an empty line counts as well
            return self.buffer[at] == 0x0A or self.buffer[at + 1 : at + 2] == b"\n"
        return bool(head) and not looks_like_status(head) and (at >= 0 or looks_like_status(head) is False)

    def on_stray(self) -> bool:
        """Read the rest of a line as body of the response before."""
        if not self.buffer:
            return False
        if self.last is not None:
            self.last.note("response_body_unexpected")
        at = self.buffer.find(b"\n")
        self.stray(self.take(len(self.buffer) if at < 0 else at + 1))
        if at >= 0:
            self.state = START_STEP
        return True

    def _begin(self, status: StatusLine) -> None:
        """Join the response to its request."""
        self.settle()
        if self.tx is None:
            self.conclude()
            self.tx = self.parser.next_unanswered()
        tx = self.tx
        self.ended_lfcr = False
        tx.response = status
        tx.response_line = status.text
        if status.events is not None:
            for event in status.events:
                tx.note(event)
        tx.advance(1, LINE)

    # --- after the fields

    @override
    def on_headers_done(self) -> bool:
        """Look at the fields and decide about the body."""
        tx = self.tx
        if tx is None:
            return False
        status, headers = tx.response.status, tx.response_headers
        method = tx.request.verb
        length = content_length(headers, tx, "response")
        if status == 100 and length in (0, NO_LENGTH):
            return self._continue(tx)
        if method == b"CONNECT":
            if 200 <= status < 300:
                return self._tunnel()
            self.parser.request.refused()
        if status == 101:
            return self._switch(tx)
        chunked = transfer_coding(headers, tx, "response", tx.response.version)
        self._prepare(tx)
        if method == b"HEAD" or status in {204, 304} or 100 <= status < 200:
            self.finish_message()
            return True
        if length < 0 and not chunked:
            kind = headers.get(b"content-type")
            if kind is not None and b"multipart/byteranges" in kind.lower():
                tx.note("response_multipart_byteranges")
        return self.begin_body(tx, length, chunked)

    def _prepare(self, tx: HttpTransaction) -> None:
        """Set the body up: codings, name, range."""
        headers, body = tx.response_headers, tx.answered
        self.decode_body(tx)
        disposition = headers.get(b"content-disposition")
        if disposition is not None:
            body.name = name_from_disposition(disposition) or body.name
        ranged = headers.get(b"content-range")
        if ranged is not None:
            found = content_range(ranged)
            if found is None:
                tx.note("range_invalid")
            else:
                body.ranged = found

    def _continue(self, tx: HttpTransaction) -> bool:
        """100 Continue is not the response yet."""
        if tx.seen_continue:
            tx.note("100_continue_already_seen")
        tx.seen_continue = True
        tx.response_headers = NO_HEADERS
        tx.progress[1] = 0
        self.state = START_STEP
        return True

    def _tunnel(self) -> bool:
        """CONNECT was granted: another protocol follows."""
        self.finish_message()
        self.parser.change("any")
        return True

    def _switch(self, tx: HttpTransaction) -> bool:
        """The server changes to the protocol that it names."""
        self._prepare(tx)
        self.finish_message()
        wanted = (tx.response_headers.get(b"upgrade") or b"").strip().lower()
        protocol = {b"h2c": "http2", b"websocket": "websocket"}.get(wanted)
        if protocol is None:
            self.parser.opaque()
        elif tx.request_headers.get(b"upgrade") is None:
            tx.note("failed_protocol_change")
        else:
            self.parser.carry = tx
            self.parser.change(protocol)
        return True

    @override
    def begins_message(self, line: bytes) -> bool:
        """Tell whether a line may begin a response."""
        return bool(looks_like_status(line))


def _first(buffer: bytearray, start: int) -> int:
    """Give the place of the first CR or LF, -1 when there is none."""
    cr, lf = buffer.find(b"\r", start), buffer.find(b"\n", start)
    return max(cr, lf) if cr < 0 or lf < 0 else min(cr, lf)
