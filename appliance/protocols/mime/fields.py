"""Header fields of messages (RFC 5322) and their parameters (RFC 2045, RFC 2231)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

MAX_FIELDS = 512  # fields of one header block that are kept
_MAX_PARAMETERS = 64
_MAX_SECTIONS = 64  # pieces of one parameter (RFC 2231 section 3)


class Fields:
    """One header block: fields in the order of arrival, bounded in number."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[tuple[bytes, bytearray]] = []

    def __len__(self) -> int:
        """Number of fields."""
        return len(self._items)

    def add(self, name: bytes, value: bytes) -> bool:
        """Append a field; False when there are too many."""
        if len(self._items) >= MAX_FIELDS:
            return False
        self._items.append((name.lower(), bytearray(value)))
        return True

    def extend(self, more: bytes, limit: int) -> bool:
        """Append a folded line to the last field; False when its value becomes longer than ``limit``."""
        if not self._items:
            return True
        value = self._items[-1][1]
        value += more[: max(0, limit - len(value))]
        return len(value) < limit or len(more) == 0

    def first(self, name: bytes) -> bytes | None:
        """Give the first field of a (lower case) name."""
        for known, value in self._items:
            if known == name:
                return bytes(value).strip()
        return None

    def every(self, name: bytes) -> list[bytes]:
        """Give all fields of a (lower case) name."""
        return [bytes(value).strip() for known, value in self._items if known == name]


def media_type(value: bytes) -> bytes:
    """Give the lower case token before the first parameter: ``text/plain``."""
    return value.split(b";", 1)[0].strip().lower()


def parameters(value: bytes) -> dict[bytes, bytes]:
    """Read the parameters of a structured field, by lower case name; the first of a name counts.

    Continued and percent-encoded parameters (RFC 2231) are put together under their plain name.
    """
    found: dict[bytes, bytes] = {}
    at = value.find(b";")
    while 0 <= at < len(value) and len(found) < _MAX_PARAMETERS:
        at, name, content = _parameter(value, at + 1)
        if name:
            found.setdefault(name, content)
    _join_sections(found)
    return found


def _parameter(value: bytes, at: int) -> tuple[int, bytes, bytes]:
    """Read one ``name=value`` from ``at`` on; gives the place of the next semicolon."""
    stop = value.find(b";", at)
    stop = len(value) if stop < 0 else stop
    equals = value.find(b"=", at, stop)
    if equals < 0:
        return stop, b"", b""
    name = value[at:equals].strip().lower()
    start = equals + 1
    while start < len(value) and value[start] in b" \t\r\n":
        start += 1
    if value[start : start + 1] == b'"':
        content, end = _quoted(value, start + 1)
        stop = value.find(b";", end)
        return (len(value) if stop < 0 else stop), name, content
    return stop, name, value[start:stop].strip()


def _quoted(value: bytes, at: int) -> tuple[bytes, int]:
    """Read a quoted string; without a closing quote it goes up to the end."""
    out = bytearray()
    while at < len(value) and value[at] != 0x22:
        if value[at] == 0x5C and at + 1 < len(value) and value[at + 1] in b'"\\':
            at += 1
        out.append(value[at])
        at += 1
    return bytes(out), at + 1


def _join_sections(found: dict[bytes, bytes]) -> None:
    """Put together ``name*``, ``name*0``, ``name*1*`` … under ``name``."""
    bases = {name.split(b"*", 1)[0] for name in found if b"*" in name}
    for base in bases:
        whole = _extended(found, base)
        if whole:
            found.setdefault(base, whole)


def _extended(found: dict[bytes, bytes], base: bytes) -> bytes:
    single = found.get(base + b"*")
    if single is not None:
        return _percent(single, first=True)
    out = b""
    for number in range(_MAX_SECTIONS):
        name = b"%s*%d" % (base, number)
        if name in found:
            out += found[name]
        elif name + b"*" in found:
            out += _percent(found[name + b"*"], first=number == 0)
        else:
            break
    return out


def _percent(value: bytes, first: bool) -> bytes:
    """Decode ``charset'language'text``; only the first section has the prefix."""
    if first and value.count(b"'") >= 2:
        value = value.split(b"'", 2)[2]
    return unquote_to_bytes(value)


def addresses(value: bytes) -> list[bytes]:
    """Cut a list of addresses at its commas, but for those inside quotes."""
    out: list[bytes] = []
    start = at = 0
    quoted = False
    while at < len(value):
        byte = value[at]
        if byte == 0x5C and quoted:
            at += 1
        elif byte == 0x22:
            quoted = not quoted
        elif byte == 0x2C and not quoted:
            out.append(value[start:at].strip())
            start = at + 1
        at += 1
    out.append(value[start:].strip())
    return [item for item in out if item]
