"""Heads of messages in the form that nearly all have, read in one pass.

Each function gives up at the first byte that is unusual; what is then read with care must come to the same
wherever both can read it.
"""

from __future__ import annotations

from appliance.protocols.http1.headers import Headers
from appliance.protocols.http1.startline import RequestLine, StatusLine
from appliance.protocols.http1.uri import Target


def _table(members: bytes) -> bytes:
    """Mark the bytes that are ``members``."""
    return bytes(byte in members for byte in range(256))


_ALNUM = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME = _table(b"!#$%&'*+-.^_`|~" + _ALNUM)
_LABEL = _table(b"-_" + _ALNUM)
# Bytes of a target that normalisation leaves alone wherever they stand.
_FREE = _table(bytes(set(range(33, 256)) - set(b"#%+?\\/.")))
_PROTOCOL = b"HTTP/1."
_HTTP10, _HTTP11 = b"HTTP/1.0", b"HTTP/1.1"


def _protocol(data: bytes, at: int) -> int:
    """Tell which of HTTP/1.0 and 1.1 stands at ``at``: 10, 11 or 0."""
    raw, wanted = data, _PROTOCOL
    size = len(data)
    if size - at < 8:
        return 0
    for place in range(7):
        if raw[at + place] != wanted[place]:
            return 0
    return 10 + raw[at + 7] - 48 if raw[at + 7] in (48, 49) else 0


def request_line(data: bytes) -> RequestLine | None:
    """Read ``METHOD target HTTP/1.x`` with its line end from the start of ``data``."""
    raw, size = data, len(data)
    at = 0
    while at < size and 65 <= raw[at] <= 90:
        at += 1
    gap = at
    if gap == 0 or at >= size or raw[at] != 32:
        return None
    at += 1
    while at < size and raw[at] > 32:
        at += 1
    if at == gap + 1:
        return None
    minor = _protocol(data, at + 1) if at < size and raw[at] == 32 else 0
    if minor == 0 or size - at < 11 or raw[at + 9] != 13 or raw[at + 10] != 10:
        return None
    found = RequestLine.__new__(RequestLine)
    found.begin(raw[gap + 1 : at])
    found.method = found.verb = raw[:gap]
    found.protocol = _HTTP11 if minor == 11 else _HTTP10
    found.version = minor
    found.text = raw[: at + 9]
    return found


def status_line(data: bytes) -> StatusLine | None:
    """Read ``HTTP/1.x code reason`` with its line end from the start of ``data``."""
    raw, size = data, len(data)
    if size < 14 or raw[0] != 72 or raw[8] != 32:
        return None
    minor = _protocol(data, 0)
    if minor == 0 or not 49 <= raw[9] <= 57:
        return None
    digit = raw[9] - 48
    for place in range(10, 12):
        if not 48 <= raw[place] <= 57:
            return None
        digit = digit * 10 + raw[place] - 48
    at = 12
    if raw[at] == 32:
        at += 1
        if raw[at] <= 32:
            return None
        while at < size and raw[at] >= 32:
            at += 1
    if at + 1 >= size or raw[at] != 13 or raw[at + 1] != 10 or raw[at - 1] == 32:
        return None
    found = StatusLine.__new__(StatusLine)
    found.begin()
    found.protocol = _HTTP11 if minor == 11 else _HTTP10
    found.version, found.status = minor, digit
    found.code = raw[9:12]
    found.message = raw[13:at] if at > 13 else b""
    found.text = raw[:at]
    return found


def field_block(data: bytes, start: int, limit: int, found: Headers) -> int:
    """Read fields that each have a line of their own, up to the empty line.

    ``limit`` is that of values joined. Gives the place behind the block, -1 where it is not whole or not
    plain: ``found`` is then of no use.
    """
    raw, name, size = data, _NAME, len(data)
    exact = True
    at = start
    while at < size and raw[at] != 13:
        begin = at
        while at < size and name[raw[at]]:
            at += 1
        colon = at
        if colon == begin or at >= size or raw[at] != 58:
            return -1
        at += 1
        while at < size and (raw[at] == 32 or raw[at] == 9):
            at += 1
        first = at
        while at < size and (raw[at] >= 32 or raw[at] == 9):
            at += 1
        if at + 1 >= size or raw[at] != 13 or raw[at + 1] != 10:
            return -1
        last = at
        while last > first and (raw[last - 1] == 32 or raw[last - 1] == 9):
            last -= 1
        if first < last and raw[first] == 58:
            return -1
        if first != colon + 2 or last != at or raw[colon + 1] != 32:
            exact = False
        found.put(data, begin, colon, raw[first:last], limit)
        at += 2
    if at == start or at + 1 >= size or raw[at + 1] != 10:
        return -1
    found.block = raw[start : at + 2]
    found.exact = exact and found.repeated is None
    return at + 2


def target(text: bytes, plus: bool, lowercase: bool) -> Target | None:
    """Read a path with or without query in which nothing is to be normalised.

    ``plus`` and ``lowercase`` are options of normalisation that would change something else than usual.
    """
    raw, free, size = text, _FREE, len(text)
    if size == 0 or raw[0] != 47 or lowercase:
        return None
    question = -1
    before = 0
    for at in range(size):
        byte = raw[at]
        if not free[byte]:
            if byte <= 32 or byte in (35, 37):
                return None
            if question >= 0:
                if byte == 43 and plus:
                    return None
            elif byte == 63:
                question = at
            elif byte == 92 or (before == 47 and byte != 43):
                return None
        before = byte
    found = Target()
    found.normal = text
    if question < 0:
        found.path = text
    else:
        found.path = raw[:question]
        found.query = raw[question + 1 :]
    return found


def host_name(text: bytes) -> int:
    """Give the length of the host name in front of a colon or the end; -1 where it is not plain."""
    raw, label, size = text, _LABEL, len(text)
    at = 0
    begin = 0
    while at < size and raw[at] != 58:
        if raw[at] == 46:
            if at == begin:
                return -1
            begin = at + 1
        elif not label[raw[at]] or at - begin >= 63:
            return -1
        at += 1
    return at if begin < at <= 255 else -1


def port_number(text: bytes, start: int) -> int:
    """Read ``:port`` at ``start``: -1 when there is nothing, -3 where it is not plain."""
    raw, size = text, len(text)
    if start == size:
        return -1
    if size - start > 6:
        return -3
    port = 0
    for at in range(start + 1, size):
        if not 48 <= raw[at] <= 57:
            return -3
        port = port * 10 + raw[at] - 48
    return port if 0 < port <= 65_535 else -3
