"""One HTTP request with its response: what rules ask of it and what is logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferSpec, BufferValue, FileObject, Transaction, ValueSpec
from appliance.model.cut import cut
from appliance.protocols.files import FileTracker
from appliance.protocols.http1.body import Body
from appliance.protocols.http1.headers import NO_HEADERS, Headers
from appliance.protocols.http1.startline import RequestLine, StatusLine
from appliance.protocols.http1.uri import Target

# Steps of one direction.
LINE, HEADERS, BODY, TRAILER = 20, 40, 60, 80
NOT_SEEN = b"/libhtp::request_uri_not_seen"
_BOTH, _TS, _TC = (0, 1), (0,), (1,)


# What stands where nothing was read; parsers put another in its place.
_NO_REQUEST, _NO_RESPONSE, _NO_TARGET = RequestLine(), StatusLine(), Target()


class HttpTransaction(Transaction):
    """One exchange. ``asked`` and ``answered`` are the bodies of request and response."""

    __slots__ = (
        "answered",
        "asked",
        "host",
        "port",
        "request",
        "request_headers",
        "request_line",
        "response",
        "response_headers",
        "response_line",
        "seen_continue",
        "target",
    )

    def __init__(self, tx_id: int, files: FileTracker, asked_limit: int, answered_limit: int) -> None:
        """Open a transaction of which nothing is known."""
        self.begin(tx_id, files, asked_limit, answered_limit)

    def begin(self, tx_id: int, files: FileTracker, asked_limit: int, answered_limit: int) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self._set_up(tx_id)
        self.request = _NO_REQUEST
        self.response = _NO_RESPONSE
        self.request_line = b""
        self.response_line = b""
        self.request_headers = self.response_headers = NO_HEADERS
        self.asked = Body.__new__(Body)
        self.asked.begin(files, 0, tx_id, asked_limit)
        self.answered = Body.__new__(Body)
        self.answered.begin(files, 1, tx_id, answered_limit)
        self.target = _NO_TARGET
        self.host: bytes | None = None
        self.port: int = -1
        self.seen_continue: bool = False

    @property
    def bodies(self) -> tuple[Body, Body]:
        """Both bodies, by direction."""
        return self.asked, self.answered

    def headers_of(self, direction: int) -> Headers:
        """Give the fields of one direction."""
        return self.response_headers if direction else self.request_headers

    def own_headers(self, direction: int) -> Headers:
        """Give the fields of one direction to be added to."""
        if direction:
            if self.response_headers is NO_HEADERS:
                self.response_headers = Headers()
            return self.response_headers
        if self.request_headers is NO_HEADERS:
            self.request_headers = Headers()
        return self.request_headers

    def body_of(self, direction: int) -> Body:
        """Give the body of one direction."""
        return self.answered if direction else self.asked

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)

    def advance(self, direction: int, step: int) -> None:
        """Go on to a step of one direction; never back."""
        known: int = self.progress[direction]
        if known < step:
            self.progress[direction] = step
        self.updated = True

    def sync(self) -> None:
        """Show the files and events of the bodies."""
        asked, answered = self.asked, self.answered
        self._take_events(asked)
        self._take_events(answered)
        if asked.files is None:
            if answered.files is not None:
                self.files = answered.files
        else:
            self.files = asked.files if answered.files is None else asked.files + answered.files

    def _take_events(self, body: Body) -> None:
        """Record what a body has noticed."""
        if body.events is not None:
            for event in body.events:
                self.note(event)

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        """Give a buffer of the HTTP keywords; None where it does not exist."""
        source = _BUFFERS[direction].get(name)
        if source is None:
            return None
        if isinstance(source, bytes):
            return self.field(direction, source)
        return source(self, direction)

    def field(self, direction: int, key: bytes) -> bytes | None:
        """Give a field by its lower-case name."""
        return _field(self, direction, key)

    @override
    def value(self, name: str) -> Any:
        """Give a property that is compared: ``urilen``, ``urilen.raw``, and what the EVE sink asks for."""
        source = _VALUES.get(name)
        return None if source is None else source(self)

    def fields(self, direction: int) -> list[dict[str, str]]:
        """Give all fields of one direction for ``dump-all-headers``."""
        fields = self.headers_of(direction).fields
        return [{"name": text(name), "value": text(value)} for name, value in fields]

    @override
    def log(self) -> dict[str, Any]:
        """Give the ``http`` object of the EVE record, extended form."""
        request, response = self.request_headers, self.response_headers
        body: dict[str, Any] = {}
        host = self.host if self.host is not None else self.target.host
        if host:
            body["hostname"] = text(host.lower().rstrip(b"."))
        port = self.port if self.port >= 0 else self.target.port
        if port >= 0:
            body["http_port"] = port
        if self.request.uri:
            body["url"] = text(self.request.uri)
        _put(body, "http_user_agent", request.get(b"user-agent"))
        xff = request.get(b"x-forwarded-for")
        _put(body, "xff", xff)
        kind = response.get(b"content-type")
        _put(body, "http_content_type", None if kind is None else kind.split(b";", 1)[0])
        self._log_range(body)
        _put(body, "http_refer", request.get(b"referer"))
        _put(body, "http_method", self.request.method or None)
        _put(body, "protocol", self.request.protocol or None)
        self._log_status(body)
        body["length"] = self.answered.size
        return body

    def _log_status(self, body: dict[str, Any]) -> None:
        """Add the status and where it redirects to."""
        status = self.response.status
        if status >= 0:
            body["status"] = status
            if 300 < status < 309:
                _put(body, "redirect", self.response_headers.get(b"location"))
        elif self.response.code:
            body["status_string"] = text(self.response.code)

    def _log_range(self, body: dict[str, Any]) -> None:
        """Add the range of a partial response."""
        raw = self.response_headers.get(b"content-range")
        if raw is None:
            return
        found: dict[str, Any] = {"raw": text(raw)}
        parsed = content_range(raw)
        if parsed is not None:
            start, end, total = parsed
            if start >= 0:
                found["start"], found["end"] = start, end
            if total >= 0:
                found["size"] = total
        body["content_range"] = found


def text(data: bytes) -> str:
    """Give bytes for a record; what is no ASCII is escaped as in Suricata's JSON."""
    if data.isascii() and b"\0" not in data:
        return data.decode("ascii")
    return "".join(chr(c) if 0 < c < 128 else f"\\x{c:02X}" for c in data)


def content_range(raw: bytes) -> tuple[int, int, int] | None:
    """Read a Content-Range value (RFC 9110 section 14.4) as (start, end, size), -1 for what is not told."""
    unit, _, rest = raw.strip().partition(b" ")
    span, slash, total = rest.strip().partition(b"/")
    if unit.lower() != b"bytes" or not slash:
        return None
    size = _number(total) if total.strip() != b"*" else -1
    if span.strip() == b"*":
        return None if size is None else (-1, -1, size)
    low, dash, high = span.partition(b"-")
    start, end = _number(low), _number(high)
    if not dash or start is None or end is None or size is None or end < start:
        return None
    return start, end, size


def _number(digits: bytes) -> int | None:
    digits = digits.strip()
    return int(digits) if digits.isdigit() and len(digits) <= 18 else None


def _put(body: dict[str, Any], key: str, value: bytes | None) -> None:
    if value is not None:
        body[key] = text(value)


def _joined(tx: HttpTransaction, direction: int) -> bytes | None:
    skip = b"cookie" if direction == 0 else b"set-cookie"
    headers = tx.headers_of(direction)
    if headers.exact and headers.get(skip) is None:
        return cut(headers.block, 0, len(headers.block) - 2)  # without the empty line
    lines = [name + b": " + value + b"\r\n" for name, value in headers.fields if name.lower() != skip]
    return b"".join(lines) or None


def _names(tx: HttpTransaction, direction: int) -> bytes | None:
    names = tx.headers_of(direction).names
    return b"\r\n".join([b"", *names, b"", b""]) if names else None


def _each(tx: HttpTransaction, direction: int) -> list[bytes]:
    return [name + b": " + value for name, value in tx.headers_of(direction).fields]


def _start(tx: HttpTransaction, direction: int) -> bytes | None:
    line = tx.request_line if direction == 0 else tx.response_line
    if not line:
        return None
    return line + b"\r\n" + tx.headers_of(direction).raw


def _raw(tx: HttpTransaction, direction: int) -> bytes | None:
    return tx.headers_of(direction).raw or None


def _protocol(tx: HttpTransaction, direction: int) -> bytes | None:
    return (tx.response.protocol if direction else tx.request.protocol) or None


def _body(tx: HttpTransaction, direction: int) -> bytes | None:
    body = tx.body_of(direction)
    return body.content() or None


def _file_data(tx: HttpTransaction, direction: int) -> list[bytes] | None:
    body = tx.body_of(direction)
    if direction == 1:
        data = body.content()
        return [data] if data else None
    return [bytes(file.data) for file in body.files or ()] or None


def _file_names(tx: HttpTransaction, direction: int) -> list[bytes] | None:
    body = tx.body_of(direction)
    files: list[FileObject] | None = body.files
    return None if files is None else [file.name for file in files]


def _cookie(tx: HttpTransaction, direction: int) -> bytes | None:
    return tx.headers_of(direction).get(b"set-cookie" if direction else b"cookie")


def _field(tx: HttpTransaction, direction: int, key: bytes) -> bytes | None:
    return tx.headers_of(direction).get(key)


def _host(tx: HttpTransaction, direction: int) -> bytes | None:  # noqa: ARG001 - getters share a form
    host = tx.host if tx.host is not None else tx.target.host
    return host.lower().rstrip(b".") if host is not None else None


def _uri(tx: HttpTransaction, direction: int) -> bytes | None:  # noqa: ARG001
    return tx.target.normal or None


def _raw_uri(tx: HttpTransaction, direction: int) -> bytes | None:  # noqa: ARG001
    return tx.request.uri or None


def _method(tx: HttpTransaction, direction: int) -> bytes | None:  # noqa: ARG001
    return tx.request.method or None


def _line(tx: HttpTransaction, direction: int) -> bytes | None:
    return (tx.response_line if direction else tx.request_line) or None


def _code(tx: HttpTransaction, direction: int) -> bytes | None:  # noqa: ARG001
    return tx.response.code or None


def _reason(tx: HttpTransaction, direction: int) -> bytes | None:  # noqa: ARG001
    return tx.response.message or None


_Getter = Callable[[HttpTransaction, int], BufferValue]
# name: getter or key of a field, directions, progress, growing, multi
_TABLE: dict[str, tuple[_Getter | bytes, tuple[int, ...], int, bool, bool]] = {
    "http.uri": (_uri, _TS, LINE, False, False),
    "http.uri.raw": (_raw_uri, _TS, LINE, False, False),
    "http.method": (_method, _TS, LINE, False, False),
    "http.protocol": (_protocol, _BOTH, LINE, False, False),
    "http.request_line": (_line, _TS, LINE, False, False),
    "http.response_line": (_line, _TC, LINE, False, False),
    "http.stat_code": (_code, _TC, LINE, False, False),
    "http.stat_msg": (_reason, _TC, LINE, False, False),
    "http.header": (_joined, _BOTH, HEADERS, False, False),
    "http.header.raw": (_raw, _BOTH, HEADERS, False, False),
    "http.header_names": (_names, _BOTH, HEADERS, False, False),
    "http.request_header": (_each, _TS, HEADERS, False, True),
    "http.response_header": (_each, _TC, HEADERS, False, True),
    "http.cookie": (_cookie, _BOTH, HEADERS, False, False),
    "http.user_agent": (b"user-agent", _TS, HEADERS, False, False),
    "http.host": (_host, _TS, HEADERS, False, False),
    "http.host.raw": (b"host", _TS, HEADERS, False, False),
    "http.referer": (b"referer", _TS, HEADERS, False, False),
    "http.content_type": (b"content-type", _BOTH, HEADERS, False, False),
    "http.content_len": (b"content-length", _BOTH, HEADERS, False, False),
    "http.connection": (b"connection", _BOTH, HEADERS, False, False),
    "http.accept": (b"accept", _TS, HEADERS, False, False),
    "http.accept_enc": (b"accept-encoding", _TS, HEADERS, False, False),
    "http.accept_lang": (b"accept-language", _TS, HEADERS, False, False),
    "http.location": (b"location", _TC, HEADERS, False, False),
    "http.server": (b"server", _TC, HEADERS, False, False),
    "http.start": (_start, _BOTH, HEADERS, False, False),
    "http.request_body": (_body, _TS, COMPLETE, True, False),
    "http.response_body": (_body, _TC, COMPLETE, True, False),
    "file.data": (_file_data, _BOTH, COMPLETE, True, True),
    "file.name": (_file_names, _BOTH, BODY, True, True),
}


def _getter(source: _Getter | bytes) -> _Getter:
    """Give what fetches a buffer: a field's by its key."""
    return (lambda tx, direction: _field(tx, direction, source)) if isinstance(source, bytes) else source


# By direction.
_BUFFERS: tuple[dict[str, _Getter | bytes], ...] = tuple(
    {name: row[0] for name, row in _TABLE.items() if direction in row[1]} for direction in _BOTH
)
BUFFERS = tuple(
    BufferSpec(name, ("http",), directions, progress, growing, multi, _getter(source), HttpTransaction)
    for name, (source, directions, progress, growing, multi) in _TABLE.items()
)
_VALUES: dict[str, Callable[[HttpTransaction], Any]] = {
    "urilen": lambda tx: len(tx.target.normal) if tx.target.normal else None,
    "urilen.raw": lambda tx: len(tx.request.uri) if tx.request.uri else None,
    "http.request_headers": lambda tx: tx.fields(0),
    "http.response_headers": lambda tx: tx.fields(1),
}
VALUES = (
    ValueSpec("urilen", ("http",), _TS, LINE),
    ValueSpec("urilen.raw", ("http",), _TS, LINE),
)
