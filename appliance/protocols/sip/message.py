"""SIP messages (RFC 3261 section 7): start line and headers."""

from __future__ import annotations

from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

METHODS = (
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"INFO",
    b"INVITE",
    b"MESSAGE",
    b"NOTIFY",
    b"OPTIONS",
    b"PRACK",
    b"PUBLISH",
    b"REFER",
    b"REGISTER",
    b"SUBSCRIBE",
    b"UPDATE",
)
MAX_LINE = 8192
MAX_HEADERS = 256
# RFC 3261 section 7.3.3, RFC 3265, RFC 3515: one letter in place of a name.
_COMPACT = {
    b"a": b"accept-contact",
    b"b": b"referred-by",
    b"c": b"content-type",
    b"e": b"content-encoding",
    b"f": b"from",
    b"i": b"call-id",
    b"k": b"supported",
    b"l": b"content-length",
    b"m": b"contact",
    b"o": b"event",
    b"r": b"refer-to",
    b"s": b"subject",
    b"t": b"to",
    b"u": b"allow-events",
    b"v": b"via",
}
_VERSION = b"SIP/"


class Message:
    """Start line and headers; a request has a method, a response a code."""

    __slots__ = ("code", "headers", "line", "method", "reason", "uri", "version")

    def __init__(self, line: bytes) -> None:
        """Begin with the start line, not yet taken apart."""
        self.line = line
        self.method = self.uri = self.version = self.code = self.reason = b""
        self.headers: dict[bytes, list[bytes]] = {}

    def header(self, name: bytes) -> list[bytes]:
        """Give the values of a header by its long name in lower case."""
        return self.headers.get(name, [])

    @property
    def content_length(self) -> int:
        """The length that the message announces, -1 without (or without a usable) announcement."""
        value = (self.header(b"content-length") or [b""])[0]
        return int(value) if value.isdigit() and len(value) <= 9 else -1


def _version(data: bytes) -> bool:
    return data[:4].upper() == _VERSION and data[4:5].isdigit() and data[5:6] == b"." and data[6:].isdigit()


def start_line(line: bytes) -> Message | None:
    """Take a start line apart; None when it is neither a request's nor a status line."""
    if len(line) > MAX_LINE:
        return None
    message = Message(line)
    first, _, rest = line.partition(b" ")
    if _version(first):
        message.version = first
        message.code, _, message.reason = rest.partition(b" ")
        return message if len(message.code) == 3 and message.code.isdigit() else None
    message.uri, gap, message.version = rest.rpartition(b" ")
    message.method, message.uri = first, message.uri.strip(b" ")
    return message if first and gap and message.uri and _version(message.version) else None


def parse(head: bytes) -> tuple[Message | None, bool]:
    """Read start line and headers, without the empty line after them.

    Returns:
        The message, None when the first line is not one of SIP; and whether the headers were in order.
    """
    lines = head.split(b"\n", MAX_HEADERS + 1)
    message = start_line(lines[0].rstrip(b"\r"))
    if message is None:
        return None, False
    return message, _headers(message, lines[1 : MAX_HEADERS + 1]) and len(lines) <= MAX_HEADERS + 1


def _headers(message: Message, lines: list[bytes]) -> bool:
    """Read header fields; a line that begins with a blank goes on with the one before."""
    fine = True
    last: list[bytes] | None = None
    for raw in lines:
        line = raw.rstrip(b"\r")
        if line[:1] in {b" ", b"\t"} and last:
            if len(last[-1]) < MAX_LINE:
                last[-1] += b" " + line.strip(b" \t")
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t").lower()
        if not colon or not name:
            fine = fine and not line
            continue
        last = message.headers.setdefault(_COMPACT.get(name, name), [])
        last.append(value.strip(b" \t"))
    return fine


def probe(data: bytes) -> int:
    """Tell whether bytes begin with a start line of SIP."""
    end = data.find(b"\n", 0, MAX_LINE)
    if end < 0:
        return PROBE_MAYBE if len(data) < MAX_LINE else PROBE_NO
    return PROBE_YES if start_line(data[:end].rstrip(b"\r")) is not None else PROBE_NO
