"""Header fields: one line taken apart, and the table that a message's fields make (RFC 9110 section 5)."""

from __future__ import annotations

_SPACE = b" \t\r\n\x0b\x0c"
_SPACE_NUL = _SPACE + b"\0"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FINE: tuple[str, ...] = ()
# How names are mostly written, and the keys under which they are looked up.
_COMMON = b"""Accept Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Origin Age
Authorization Cache-Control Connection Content-Disposition Content-Encoding Content-Language Content-Length
Content-Range Content-Security-Policy Content-Type Cookie DNT Date ETag Expect Expires Host
If-Modified-Since If-None-Match Keep-Alive Last-Modified Link Location Origin Pragma Proxy-Connection Range
Referer Server Set-Cookie Strict-Transport-Security TE Trailer Transfer-Encoding Upgrade
Upgrade-Insecure-Requests User-Agent Vary Via X-Content-Type-Options X-Forwarded-For X-Frame-Options
X-Powered-By X-Requested-With X-XSS-Protection"""
_KEYS: dict[bytes, bytes] = {name: name.lower() for name in _COMMON.split()}
_KEYS |= {key: key for key in _KEYS.values()}
_SHAPES = 1024  # by which common names are found without making an object of a name first
_FEW = 16  # fields that are looked through one by one


def shape(data: bytes, start: int, stop: int) -> int:
    """Give a number of few bits for the bytes between two places, at least one."""
    raw = data
    first, middle, last = raw[start], raw[(start + stop) >> 1], raw[stop - 1]
    return ((stop - start) * 101 + first * 17 + middle * 67 + last * 29) & (_SHAPES - 1)


def _same(data: bytes, start: int, stop: int, name: bytes) -> bool:
    raw, wanted = data, name
    if len(name) != stop - start:
        return False
    for i in range(stop - start):  # noqa: SIM110 - compiled, this is a loop in C; a generator is not
        if raw[start + i] != wanted[i]:
            return False
    return True


def _shapes() -> list[tuple[bytes, bytes] | None]:
    """Put the common names with their keys where their shape says."""
    found: list[tuple[bytes, bytes] | None] = [None] * _SHAPES
    for name, key in _KEYS.items():
        found[shape(name, 0, len(name))] = (name, key)
    return found


_BY_SHAPE = _shapes()


def key_of(name: bytes) -> bytes:
    """Give the form under which a field is looked up: lower case, without NUL bytes."""
    return name.replace(b"\0", b"").strip(_SPACE).lower()


def _mark(key: bytes) -> int:
    """Give one bit of 64 that mostly differs between keys."""
    size = len(key)
    if size == 0:
        return 1
    raw, bit = key, 1
    return bit << ((size * 5 + raw[0] * 3 + raw[size - 1]) & 63)


class Headers:
    """The fields of one message in order, repeated ones joined by ``", "``.

    ``block`` is what came in one piece, as sent. It is ``exact`` when each of its lines is a field of its
    own, written as ``Name: value`` and not repeated. ``names`` and ``values`` go by the same order.
    """

    __slots__ = (
        "_keys",
        "_lines",
        "_marks",
        "_places",
        "block",
        "count",
        "exact",
        "names",
        "repeated",
        "values",
    )

    def __init__(self) -> None:
        """Start without fields."""
        self.begin()

    def begin(self) -> None:
        """Set all fields."""
        self.count: int = 0
        self.repeated: set[bytes] | None = None
        self.exact: bool = False
        self.block: bytes = b""
        self._lines: bytearray | None = None  # with those that came one by one
        self._keys: list[bytes] = []
        self.names: list[bytes] = []
        self.values: list[bytes] = []
        self._marks: int = 0  # of the keys: what has none of them is not there
        self._places: dict[bytes, int] | None = None  # of more than a few

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Names and values in order."""
        return list(zip(self.names, self.values, strict=True))

    @property
    def raw(self) -> bytes:
        """The fields as sent, up to a bound, with the empty line behind them."""
        return self.block if self._lines is None else bytes(self._lines)

    def size(self) -> int:
        """Give the length of :attr:`raw`."""
        return len(self.block) if self._lines is None else len(self._lines)

    def grow(self, line: bytes) -> None:
        """Keep the next line as sent."""
        if self._lines is None:
            self._lines = bytearray(self.block)
        self._lines += line

    def add(self, name: bytes, value: bytes, limit: int) -> bool:
        """Add a field; tells whether it was there already. Joined values stay within ``limit`` bytes."""
        self.exact = False
        return self._add(key_of(name), name, value, limit)

    def put(self, data: bytes, start: int, stop: int, value: bytes, limit: int) -> None:
        """Add a field whose name, a token, stands between two places in ``data``."""
        raw = data
        known = _BY_SHAPE[shape(data, start, stop)]
        if known is not None:
            name, key = known
            if _same(data, start, stop, name):
                self._add(key, name, value, limit)
                return
        name = raw[start:stop]
        self._add(name.lower(), name, value, limit)

    def _add(self, key: bytes, name: bytes, value: bytes, limit: int) -> bool:
        """Add a field, to the one of the same name if there is one."""
        self.count += 1
        place = self._find(key)
        if place < 0:
            self._append(key, name, value)
            return False
        if self.repeated is None:
            self.repeated = set()
        self.repeated.add(key)
        old = self.values[place]
        # A second length does not change the first, and must not make it unreadable.
        if key != b"content-length" and len(old) + len(value) <= limit:
            self.values[place] = old + b", " + value
        return True

    def _append(self, key: bytes, name: bytes, value: bytes) -> None:
        """Add a field of a name that was not there before."""
        self._marks |= _mark(key)
        self._keys.append(key)
        if self._places is not None:
            self._places[key] = len(self.names)
        elif len(self._keys) > _FEW:
            self._places = {one: index for index, one in enumerate(self._keys)}
        self.names.append(name)
        self.values.append(value)

    def get(self, key: bytes) -> bytes | None:
        """Give the value of the field with this lower-case name."""
        place = self._find(key)
        return None if place < 0 else self.values[place]

    def _find(self, key: bytes) -> int:
        """Give the place of a field, -1 where there is none."""
        if self._marks & _mark(key) == 0:
            return -1
        if self._places is not None:
            return self._places.get(key, -1)
        keys = self._keys
        for place in range(len(keys)):
            known = keys[place]
            if known == key:
                return place
        return -1


# What stands where no fields were read; nothing is added to it.
NO_HEADERS = Headers()


def split_field(line: bytes) -> tuple[bytes, bytes, tuple[str, ...]]:
    """Take a field line apart.

    Returns:
        Name, value, and what is wrong: "missing_colon", "invalid".
    """
    colon = line.find(b":")
    if colon < 0:
        return b"", line.strip(_SPACE_NUL), ("missing_colon",)
    name = line[:colon]
    value = line[colon + 1 :].strip(_SPACE_NUL)
    stripped = name.strip(_SPACE)
    problems = _FINE
    if not stripped or len(stripped) != len(name) or stripped.translate(None, _TOKEN):
        problems = ("invalid",)
    if value[:1] == b":":
        # "Name:: value" is read by servers and browsers in both ways.
        value = value[1:].strip(_SPACE_NUL)
    return stripped, value, problems
