"""The client's direction of HTTP/1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.protocols.http1.framing import content_length, transfer_coding
from appliance.protocols.http1.multipart import Multipart, boundary_of
from appliance.protocols.http1.plain import host_name, port_number, request_line
from appliance.protocols.http1.plain import target as plain_target
from appliance.protocols.http1.side import Side
from appliance.protocols.http1.startline import (
    RequestLine,
    looks_like_field,
    looks_like_request,
    parse_request,
)
from appliance.protocols.http1.steps import CONNECT_STEP, HEADERS_STEP, SHORT_STEP, START_STEP
from appliance.protocols.http1.transaction import HEADERS, LINE, HttpTransaction
from appliance.protocols.http1.uri import Target, split_host
from appliance.protocols.http1.uri import parse as parse_target

if TYPE_CHECKING:
    from appliance.protocols.http1.conversation import Conversation

_LITERAL = b"0123456789abcdefABCDEF:."
# Letters and digits of Latin-1 too: names are not checked for more than what separates them.
_NAME = b"-_." + bytes(c for c in range(256) if chr(c).isalnum())
_AUTH = (b"basic", b"digest", b"bearer")
_POST, _PUT = b"POST", b"PUT"  # methods whose body is a file
_MAX_HELD = 64 << 10  # bytes that wait for the answer to CONNECT
_PROBE = 1024  # bytes after a request line without protocol in which a header field would show


class RequestSide(Side):
    """Reads requests, one after the other."""

    def start(self, parser: Conversation) -> None:
        """Start ahead of the first request line."""
        self.begin(parser, 0)
        self.probed: int = 0  # bytes after a request line without protocol that were looked at

    @override
    def on_other(self) -> bool:
        """Read on behind a request without protocol, or behind CONNECT."""
        return self.on_short() if self.state == SHORT_STEP else self.on_connect()

    @override
    def plain(self, data: bytes) -> bool:
        """Take a request line with its fields."""
        request = request_line(data)
        if request is None or len(request.text) + 2 > self.parser.limits.field_limit:
            return False
        headers = self.plain_head(data, len(request.text) + 2)
        if headers is None:
            return False
        self._begin(request, True, len(data) - len(self.buffer))
        tx = self.tx
        if tx is not None:
            tx.request_headers = headers
            if headers.repeated is not None:
                tx.note("request_header_repetition")
            tx.advance(0, HEADERS)
            self.on_headers_done()
        return True

    @override
    def on_start(self) -> bool:
        """Read a request line; what cannot be one belongs to the request before it."""
        line = self.take_line()
        if line is None:
            if len(self.buffer) > self.parser.limits.field_limit:
                return self._overlong()
            return False
        if len(line) > self.parser.limits.field_limit:
            self.buffer[:0] = line
            return self._overlong()
        text = line.rstrip(b"\r\n")
        if not text.strip(b" \t\x0b\x0c\r\0"):
            return True
        if self.last is not None and not looks_like_request(line):
            self.last.note("request_body_unexpected")
            self.stray(line)
            return True
        self._begin(parse_request(text), line.endswith(b"\n"), len(line))
        return True

    def _overlong(self) -> bool:
        """A first line over the limit: there is a request, and it cannot be read."""
        tx = self.tx = self.parser.new_request()
        self.settle()
        tx.note("request_field_too_long")
        tx.request = parse_request(bytes(self.buffer[: self.parser.limits.field_limit]))
        tx.request_line = bytes(self.buffer[: self.parser.limits.field_limit])
        self.give_up()
        return True

    def _begin(self, request: RequestLine, whole: bool, size: int) -> None:
        """Open a transaction for a request line, with which ``size`` bytes were taken."""
        self.settle()
        self.conclude()
        tx = self.tx = self.parser.new_request()
        tx.request_line = request.text
        tx.request = request
        self.begin_frame(size, tx.id)
        if request.events is not None:
            for event in request.events:
                tx.note(event)
        if not whole:
            tx.note("request_line_incomplete")
        if request.version < 0:
            tx.note("request_line_invalid")
        target = tx.target = self._target(request)
        if target.double_encoded:
            tx.note("double_encoded_uri")
        if target.port == -2:
            tx.note("invalid_server_port_in_request")
        tx.asked.name = tx.answered.name = target.path
        tx.asked.is_file = request.verb == _POST or request.verb == _PUT  # noqa: PLR1714 - compared in C
        tx.advance(0, LINE)
        self.probed = 0
        self.state = HEADERS_STEP if request.protocol else SHORT_STEP

    def _target(self, request: RequestLine) -> Target:
        """Take the target apart, by what the method makes of it."""
        if request.verb == b"CONNECT":
            return parse_target(request.uri, self.parser.limits.config, True)
        limits = self.parser.limits
        found = plain_target(request.uri, limits.plus, limits.lowercase)
        return found if found is not None else parse_target(request.uri, self.parser.limits.config)

    def on_short(self) -> bool:
        """After a line without protocol: fields tell that it was left out, anything else HTTP/0.9."""
        tx = self.tx
        if tx is None:
            return False
        while self.probed < _PROBE:
            start = self.probed
            at = self.buffer.find(b"\n", start, _PROBE)
            line = bytes(self.buffer[start : _PROBE if at < 0 else at])
            if looks_like_field(line):
                tx.note("request_line_missing_protocol")
                self.state = HEADERS_STEP
                return True
            if at < 0:
                break
            if not line.strip(b"\r") or looks_like_request(line):
                return self._short()
            self.probed = at + 1
        if len(self.buffer) >= _PROBE or self.ended:
            return self._short()
        return False

    def _short(self) -> bool:
        """The request is one of HTTP/0.9, which is its line only."""
        self.finish_message()
        return True

    def answered(self, tx: HttpTransaction) -> None:
        """The response to ``tx`` has begun, so that a short request is known to be complete."""
        if self.tx is tx and self.state == SHORT_STEP:
            self._short()
            self.settle()

    @override
    def on_headers_done(self) -> bool:
        """Look at the fields and decide about the body."""
        tx = self.tx
        if tx is None:
            return False
        self._check_host(tx)
        self._check_auth(tx)
        headers = tx.request_headers
        coding = transfer_coding(headers, tx, "request", tx.request.version)
        length = content_length(headers, tx, "request")
        if tx.request.verb == b"CONNECT":
            self.finish_message()
            self.state = CONNECT_STEP
            return True
        self.decode_body(tx)
        kind = headers.get(b"content-type")
        boundary = None if kind is None else boundary_of(kind)
        if boundary is not None:
            tx.asked.multipart = Multipart(boundary)
        return self.begin_body(tx, max(length, 0), coding)

    def on_connect(self) -> bool:
        """Hold back what follows CONNECT until the response says what it is."""
        if len(self.buffer) > _MAX_HELD:
            self.parser.change("any")
        return False

    def refused(self) -> None:
        """The CONNECT was refused: what follows are requests."""
        if self.state == CONNECT_STEP:
            self.state = START_STEP
            self.run()

    def _check_host(self, tx: HttpTransaction) -> None:
        """Find out the host name, and whether it is told in one way only."""
        headers = tx.request_headers
        value = headers.get(b"host")
        if value is None:
            if tx.request.version >= 11:
                tx.note("missing_host_header")
            tx.host, tx.port = tx.target.host, tx.target.port
            return
        end = host_name(value)
        port = port_number(value, end) if end > 0 else -3
        if port >= -1:
            tx.host, tx.port = value if end == len(value) else value[:end], port
        else:
            tx.host, tx.port = split_host(value)
            if tx.port == -2 or not _valid_host(tx.host):
                tx.note("request_header_host_invalid")
        if tx.target.host is not None:
            if tx.target.host.lower() != tx.host.lower():
                tx.note("host_header_ambiguous")
            tx.host = tx.target.host
            tx.port = tx.target.port
            if not _valid_host(tx.host):
                tx.note("request_uri_host_invalid")
        if tx.port >= 0 and self.parser.server_port and tx.port != self.parser.server_port:
            tx.note("request_server_port_tcp_port_mismatch")

    def _check_auth(self, tx: HttpTransaction) -> None:
        """Note an authorization of a kind that nobody knows."""
        headers = tx.request_headers
        value = headers.get(b"authorization")
        if value is not None and not value.lower().startswith(_AUTH):
            tx.note("request_auth_unrecognized")

    @override
    def begins_message(self, line: bytes) -> bool:
        """Tell whether a line may begin a request."""
        return looks_like_request(line)


def _valid_host(host: bytes) -> bool:
    """Tell whether a host name has only what a name or address may have (RFC 3986 section 3.2.2)."""
    if host[:1] == b"[" and host[-1:] == b"]":
        return not host[1:-1].translate(None, _LITERAL)
    if not 0 < len(host) <= 255 or host.translate(None, _NAME):
        return False
    sizes = [len(label) for label in host.rstrip(b".").split(b".")]
    return min(sizes) > 0 and max(sizes) <= 63
