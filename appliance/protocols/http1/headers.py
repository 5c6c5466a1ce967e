"""Header fields: one line taken apart, and the table that a message's fields make (RFC 9110 section 5)."""

from __future__ import annotations

_SPACE = b" \t\r\n\x0b\x0c"
_SPACE_NUL = _SPACE + b"\0"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FINE: tuple[str, ...] = ()


def key_of(name: bytes) -> bytes:
    """Give the form under which a field is looked up: lower case, without NUL bytes."""
    return name.replace(b"\0", b"").strip(_SPACE).lower()


class Headers:
    """The fields of one message in order, repeated ones joined by ``", "``."""

    __slots__ = ("_places", "count", "fields", "raw", "repeated")

    def __init__(self) -> None:
        """Start without fields."""
        self.fields: list[tuple[bytes, bytes]] = []
        self.raw: bytearray = bytearray()
        self.count: int = 0
        self.repeated: set[bytes] = set()
        self._places: dict[bytes, int] = {}

    def add(self, name: bytes, value: bytes, limit: int) -> bool:
        """Add a field; tells whether it was there already. Joined values stay within ``limit`` bytes."""
        self.count += 1
        key = key_of(name)
        place = self._places.get(key)
        if place is None:
            self._places[key] = len(self.fields)
            self.fields.append((name, value))
            return False
        self.repeated.add(key)
        known, old = self.fields[place]
        # A second length does not change the first, and must not make it unreadable.
        if key != b"content-length" and len(old) + len(value) <= limit:
            self.fields[place] = (known, old + b", " + value)
        return True

    def get(self, key: bytes) -> bytes | None:
        """Give the value of the field with this lower-case name."""
        place = self._places.get(key)
        return None if place is None else self.fields[place][1]


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
