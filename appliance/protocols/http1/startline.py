"""Request and status lines (RFC 9112 sections 3 and 4), with the leniency of servers and clients."""

from __future__ import annotations

_SPACE = b" \t\x0b\x0c\r"
_SPACE_NUL = _SPACE + b"\0"
_BLANK = _SPACE + b"\n\0"
METHODS = frozenset(
    b"""GET PUT POST HEAD TRACE OPTIONS CONNECT DELETE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK
    CHECKOUT UNCHECKOUT CHECKIN UPDATE LABEL REPORT MKWORKSPACE MKACTIVITY MERGE INVALID VERSION-CONTROL
    BASELINE-CONTROL""".split()
)


class RequestLine:
    """A request line taken apart. ``version`` is 9, 10, 11 (tenths), 0 when there is none, -1 invalid.

    ``text`` is the line without its end, ``verb`` the method in upper case.
    """

    __slots__ = ("events", "method", "protocol", "text", "uri", "verb", "version")

    def __init__(self, uri: bytes = b"") -> None:
        """Start with a line of which at most the target is known."""
        self.begin(uri)

    def begin(self, uri: bytes) -> None:
        """Set all fields."""
        self.method: bytes = b""
        self.verb: bytes = b""
        self.uri: bytes = uri
        self.protocol: bytes = b""
        self.version: int = 0
        self.text: bytes = b""
        self.events: list[str] | None = None


class StatusLine:
    """A status line taken apart. ``status`` is -1 when it is no number from 100 to 999.

    ``text`` is the line without its end.
    """

    __slots__ = ("code", "events", "message", "protocol", "status", "text", "version")

    def __init__(self) -> None:
        """Start with a line of which nothing is known."""
        self.begin()

    def begin(self) -> None:
        """Set all fields."""
        self.protocol: bytes = b""
        self.code: bytes = b""
        self.message: bytes = b""
        self.version: int = 0
        self.status: int = -1
        self.text: bytes = b""
        self.events: list[str] | None = None


def version_of(text: bytes) -> int:
    """Read ``HTTP/1.1`` as 11; white space inside is ignored; -1 when it is something else."""
    if text == b"HTTP/1.1":
        return 11
    compact = text.translate(None, b" \t\0").upper()
    if not compact.startswith(b"HTTP/") or len(compact) > 16:
        return -1
    major, dot, minor = compact[5:].partition(b".")
    if not dot or not major.isdigit() or not minor.isdigit():
        return -1
    return min(int(major), 9) * 10 + min(int(minor), 9)


def _first_space(data: bytes, start: int = 0) -> int:
    """Give the place of the first white space, the length when there is none."""
    for place in range(start, len(data)):
        if data[place] in _SPACE:
            return place
    return len(data)


def parse_request(line: bytes) -> RequestLine:
    """Take a request line, without its line end, apart."""
    found = RequestLine()
    found.text = line
    events: list[str] = []
    found.events = events
    text = line.lstrip(_SPACE_NUL)
    if text != line:
        events.append("request_line_leading_whitespace")
    end = _first_space(text)
    found.method = text[:end]
    found.verb = found.method.upper()
    rest = text[end:].lstrip(_SPACE)
    if end < len(text) and text[end] != 0x20:
        events.append("method_delim_non_compliant")
    found.uri, found.protocol = _split_target(rest, events)
    if found.protocol:
        found.version = version_of(found.protocol)
    return found


def _split_target(rest: bytes, events: list[str]) -> tuple[bytes, bytes]:
    """Split target and protocol: at the last white space if a protocol follows it, else at the first."""
    trimmed = rest.rstrip(_SPACE)
    place = trimmed.upper().rfind(b"HTTP/")
    if place > 0 and trimmed[place - 1] in _SPACE:
        if trimmed[place - 1] != 0x20:
            events.append("uri_delim_non_compliant")
        return trimmed[:place].rstrip(_SPACE), trimmed[place:]
    if place == 0:
        return b"", trimmed
    end = trimmed.find(b" ")
    if end < 0:
        end = _first_space(trimmed)
        if end < len(trimmed):
            events.append("uri_delim_non_compliant")
    return trimmed[:end], trimmed[end:].strip(_SPACE)


def parse_status(line: bytes) -> StatusLine:
    """Take a status line, without its line end, apart."""
    found = StatusLine()
    found.text = line
    events: list[str] = []
    found.events = events
    text = line.lstrip(_SPACE_NUL)
    end = _first_space(text)
    found.protocol = text[:end]
    rest = text[end:].lstrip(_SPACE)
    end = _first_space(rest)
    found.code = rest[:end]
    found.message = rest[end:].strip(_SPACE)
    found.version = version_of(found.protocol)
    if found.version not in {9, 10, 11}:
        events.append("response_invalid_protocol")
    digits = found.code.strip(b"\0")
    if digits.isdigit() and len(digits) <= 8 and 100 <= int(digits) <= 999:
        found.status = int(digits)
    else:
        events.append("response_invalid_status")
    return found


def looks_like_request(line: bytes) -> bool:
    """Tell whether a line may begin a request: a known method, or a protocol at its end."""
    text = line.strip(_BLANK)
    return b" HTTP/" in text or text[: _first_space(text)].upper() in METHODS


def looks_like_status(head: bytes) -> bool | None:
    """Tell whether bytes begin a status line; None while there are too few."""
    text = head.lstrip(_BLANK)[:4]
    if len(text) < 4:
        return None if b"http".startswith(text.lower()) else False
    return text.lower() == b"http"


def looks_like_field(line: bytes) -> bool:
    """Tell whether a line, or the beginning of one, is a header field."""
    name, colon, _ = line.partition(b":")
    return bool(colon) and bool(name.strip()) and not any(c in _SPACE for c in name.rstrip(b" \t"))
