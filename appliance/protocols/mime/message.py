"""One message, taken apart as it arrives: fields, parts, attachments, URLs (RFC 5322, RFC 2045, RFC 2046)."""

from __future__ import annotations

import hashlib
from typing import Protocol

from appliance.protocols.mime.fields import Fields
from appliance.protocols.mime.lines import MAX_ENCODED, MAX_LINE, LineMeter
from appliance.protocols.mime.options import MimeOptions
from appliance.protocols.mime.part import MESSAGE, MULTIPART, TEXT, PartHead
from appliance.protocols.mime.transfer import Base64, Identity, QuotedPrintable, Transfer, transfer
from appliance.protocols.mime.urls import UrlFinder

MAX_DEPTH = 16  # parts inside parts, messages inside messages
MAX_PARTS = 4096
MAX_ATTACHMENTS = 256
MAX_HEADER_LINE = 16_384
MAX_NAME = 75  # bytes of a field's name
_MAX_BOUNDARY_LINE = 1024

_HEADER, _BODY, _SKIP = "header", "body", "skip"
_STATUS = {_HEADER: "HEADER_STARTED", _BODY: "BODY_STARTED", _SKIP: "BODY_END_BOUND"}


class Attachments(Protocol):
    """Takes the files of a message, one at a time."""

    def begin(self, name: bytes) -> None:
        """Open a file."""
        ...

    def append(self, data: bytes) -> None:
        """Take the next decoded bytes."""
        ...

    def missing(self, length: int) -> None:
        """Take note of bytes that did not arrive."""
        ...

    def finish(self, complete: bool) -> None:
        """Close the file."""
        ...


class Message:
    """Decodes a message; any way of cutting it into calls of :meth:`feed` gives the same.

    ``fields`` are those of the message itself (not of its parts), ``events`` names of anomalies,
    ``header_done`` tells that ``fields`` is final.
    """

    def __init__(self, options: MimeOptions, files: Attachments, dots: bool = False) -> None:
        """Start before the first byte.

        ``dots`` tells that lines came with their leading dots doubled (RFC 5321 section 4.5.2): the
        digest of the body is that of the bytes as sent.
        """
        self.options = options
        self.fields = Fields()
        self.attachments: list[bytes] = []
        self.events: list[str] = []
        self.header_done = False
        self.body_md5 = ""
        self.status = "HEADER_STARTED"
        self._finder = UrlFinder(options.schemes if options.urls else (), options.log_scheme)
        self._digest = hashlib.md5(usedforsecurity=False) if options.body_md5 else None
        self._dots = dots
        self._digest_fresh = True
        self._files = files
        self._buffer = bytearray()
        self._state = _HEADER
        self._head = self.fields  # block that is being read
        self._boundaries: list[bytes] = []
        self._nested = 0
        self._parts = 0
        self._fresh = True  # at the beginning of a line
        self._drop_line = False  # inside a header line that was too long, or began in a gap
        self._eol = b""  # end of a line that may belong to a boundary
        self._open = False
        self._text = False
        self._transfer: Transfer = Identity()
        self._meter = LineMeter()
        self.over = False

    @property
    def urls(self) -> list[bytes]:
        """Give the URLs found so far, each once, in the order of the text."""
        return self._finder.found

    def feed(self, data: bytes) -> None:
        """Take the next bytes, lines ended by LF or CRLF."""
        if self.over:
            return
        self._buffer += data
        while self._buffer and (self._line(final=False) if self._state == _HEADER else self._block()):
            pass
        self.status = _STATUS[self._state]

    def gap(self, length: int) -> None:
        """Go on after ``length`` bytes that did not arrive."""
        if self.over or length <= 0:
            return
        if self._state == _HEADER:
            self._buffer.clear()
            self._drop_line = True
            return
        self._pass(bytes(self._buffer))
        self._buffer.clear()
        self._fresh = False
        self._meter.reset()
        if self._open:
            self._decoded(self._flush_eol() + self._transfer.finish())
            self._files.missing(length)

    def finish(self, complete: bool = True) -> None:
        """Take note that the message has ended, or was broken off."""
        if self.over:
            return
        if self._buffer:
            if self._state == _HEADER:
                self._line(final=True)
            elif not self._is_boundary(bytes(self._buffer)):
                self._pass(bytes(self._buffer))
            self._drop(len(self._buffer))
        if self._state == _HEADER and not self._nested and not self._boundaries:
            self.header_done = True
        self._close(complete)
        self.over = True
        if self._digest is not None:
            self.body_md5 = self._digest.hexdigest()
        if complete:
            self.status = "PARSE_DONE"

    def _note(self, event: str) -> None:
        if event not in self.events:
            self.events.append(event)

    def _drop(self, length: int) -> None:
        """Remove bytes that have been taken; all that follow the message's own header count as its body."""
        if self._digest is not None and self.header_done:
            data = bytes(self._buffer[:length])
            if self._dots:
                lead = b"." if self._digest_fresh and data.startswith(b".") else b""
                self._digest_fresh = data.endswith(b"\n")
                data = lead + data.replace(b"\n.", b"\n..")
            self._digest.update(data)
        del self._buffer[:length]

    def _line(self, final: bool) -> bool:
        """Take one line of a header block; False while it is not complete."""
        end = self._buffer.find(b"\n")
        if end < 0 and not final and len(self._buffer) <= MAX_HEADER_LINE:
            return False
        whole = bytes(self._buffer[: end if end >= 0 else len(self._buffer)])
        dropped, self._drop_line = self._drop_line, end < 0 and not final
        self._drop(end + 1 if end >= 0 else len(self._buffer))
        if dropped:
            return True
        line = whole[:-1] if whole.endswith(b"\r") and end >= 0 else whole
        if len(line) > MAX_LINE:
            self._note("mime_long_line")
        if not line:
            self._end_header()
        elif not (line.startswith(b"--") and self._is_boundary(line)):
            self._field(line[:MAX_HEADER_LINE])
        return True

    def _field(self, line: bytes) -> None:
        """Take a field, or more of the last one."""
        depth = self.options.value_depth
        if line[0] in b" \t":
            if not self._head.extend(line, depth):
                self._note("mime_long_header_value")
            return
        name, colon, value = line.partition(b":")
        if not colon:
            self._note("mime_malformed_msg")
            return
        if len(name) > MAX_NAME:
            self._note("mime_long_header_name")
        if len(value) > depth:
            self._note("mime_long_header_value")
        if not self._head.add(name.strip()[: MAX_NAME + 1], value[:depth]):
            self._note("mime_malformed_msg")

    def _end_header(self) -> None:
        """Decide by the header block what follows."""
        head = PartHead(self._head, self._note)
        if self._head is self.fields:
            self.header_done = True
        self._fresh = True
        self._eol = b""
        self._meter = LineMeter()
        depth = len(self._boundaries) + self._nested
        if head.kind in {MULTIPART, MESSAGE} and depth >= MAX_DEPTH:
            self._note("mime_malformed_msg")
            self._begin_body(head)
        elif head.kind == MULTIPART:
            self._boundaries.append(head.boundary)
            self._state = _SKIP
        elif head.kind == MESSAGE:
            # Whatever encoding is given: a message in a part may have none (RFC 2046 section 5.2.1).
            self._nested += 1
            self._head = Fields()
        else:
            self._begin_body(head)

    def _begin_body(self, head: PartHead) -> None:
        """Open the file or the text that a part holds."""
        self._state = _BODY
        self._transfer = transfer(head.encoding, self.options.base64, self.options.quoted)
        self._text = head.kind == TEXT and not head.attached
        if not head.attached:
            return
        self._open = True
        if head.name and len(self.attachments) < MAX_ATTACHMENTS:
            self.attachments.append(head.name)
        self._files.begin(head.name)

    def _block(self) -> bool:
        """Take what there is of a body, up to the next line that may be a boundary."""
        buffer = self._buffer
        if self._fresh and self._boundaries:
            if buffer == b"-":
                return False
            if buffer[:2] == b"--":
                return self._dashes()
        at = buffer.find(b"\n--") if self._boundaries else -1
        cut = at + 1 if at >= 0 else len(buffer)
        if at < 0 and self._boundaries and buffer.endswith(b"\n-"):
            cut -= 1
        self._pass(bytes(buffer[:cut]))
        self._drop(cut)
        return True

    def _dashes(self) -> bool:
        """Take a line that begins with two hyphens; False while it is not complete."""
        end = self._buffer.find(b"\n", 0, _MAX_BOUNDARY_LINE)
        if end < 0 and len(self._buffer) < _MAX_BOUNDARY_LINE:
            return False
        if end >= 0 and self._is_boundary(bytes(self._buffer[:end])):
            self._drop(end + 1)
            return True
        cut = end + 1 if end >= 0 else _MAX_BOUNDARY_LINE
        self._pass(bytes(self._buffer[:cut]))
        self._drop(cut)
        return True

    def _is_boundary(self, line: bytes) -> bool:
        """Follow a boundary of this part or of one around it; False when the line is none."""
        mark = line.rstrip(b" \t\r\n")[2:]
        if line[:2] != b"--":
            return False
        for level in range(len(self._boundaries) - 1, -1, -1):
            boundary = self._boundaries[level]
            if mark == boundary:
                self._next_part(level + 1)
                return True
            if mark == boundary + b"--":
                self._leave(level)
                self._state = _SKIP
                return True
        return False

    def _next_part(self, depth: int) -> None:
        """Begin the header block of the next part at ``depth``."""
        self._leave(depth)
        self._parts += 1
        if self._parts > MAX_PARTS:
            self._note("mime_malformed_msg")
            self._state = _SKIP
            self._boundaries.clear()
            return
        self._state = _HEADER
        self._head = Fields()

    def _leave(self, depth: int) -> None:
        """End the present part and those around it down to ``depth``."""
        self._close(complete=True)
        del self._boundaries[depth:]
        self._nested = 0
        self._fresh = True
        self._drop_line = False

    def _pass(self, data: bytes) -> None:
        """Measure and decode bytes of a body; the end of the last line waits for what follows."""
        if not data:
            return
        self._fresh = data.endswith(b"\n")
        self._measure(data)
        if self._state != _BODY or not (self._open or self._text):
            return
        data = self._eol + data
        end = 2 if data.endswith(b"\r\n") else 1 if data.endswith((b"\n", b"\r")) else 0
        self._eol = data[len(data) - end :]
        self._decoded(self._transfer.feed(data[: len(data) - end]))

    def _measure(self, data: bytes) -> None:
        """Note lines that are too long."""
        self._meter.feed(data)
        if self._meter.longest > MAX_LINE:
            self._note("mime_long_line")
        encoded = self._state == _BODY and isinstance(self._transfer, Base64 | QuotedPrintable)
        if encoded and self._meter.longest > MAX_ENCODED:
            self._note("mime_long_enc_line")

    def _flush_eol(self) -> bytes:
        """Decode an end of line that turned out to belong to the body."""
        held, self._eol = self._eol, b""
        return self._transfer.feed(held)

    def _decoded(self, data: bytes) -> None:
        """Hand decoded bytes to the file or look for URLs in them."""
        if self._open:
            self._files.append(data)
        elif self._text:
            self._finder.feed(data)

    def _close(self, complete: bool) -> None:
        """End the body of the present part."""
        if self._state != _BODY:
            return
        self._decoded(self._transfer.finish())
        if self._transfer.invalid:
            self._note("mime_invalid_base64" if isinstance(self._transfer, Base64) else "mime_invalid_qp")
        if self._open:
            self._files.finish(complete)
        elif self._text:
            self._finder.finish()
        self._open = self._text = False
        self._transfer = Identity()
        self._meter = LineMeter()
        self._eol = b""
