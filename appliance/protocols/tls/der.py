"""Fields of a certificate straight from its DER (X.690, RFC 5280), for those that strict readers refuse.

Hostile certificates have NUL bytes in names, wrong alphabets, odd times: they are given as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

_SEQUENCE, _SET, _INTEGER, _OID = 0x30, 0x31, 0x02, 0x06
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_BMP, _UTF8 = 0x1E, 0x0C
_MAX_PARTS = 64  # attributes of one name
_MAX_ARCS = 32


@dataclass(slots=True)
class Fields:
    """What was read; names are (object identifier, text) pairs in their order."""

    serial: int = 0
    issuer: list[tuple[str, str]] = field(default_factory=list)
    subject: list[tuple[str, str]] = field(default_factory=list)
    not_before: int = 0
    not_after: int = 0


def element(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Read the element at ``at``: tag, content, offset after it; None when it is cut short."""
    if at + 2 > len(data):
        return None
    tag, length = data[at], data[at + 1]
    start = at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 4 or start + size > len(data):
            return None
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        return None
    return tag, data[start : start + length], start + length


def _children(data: bytes, limit: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while len(found) < limit:
        item = element(data, at)
        if item is None:
            break
        found.append(item[:2])
        at = item[2]
    return found


def read(der: bytes) -> Fields | None:
    """Read serial number, names and validity; None when even the outline is not that of a certificate."""
    outer = element(der, 0)
    inner = element(outer[1], 0) if outer is not None and outer[0] == _SEQUENCE else None
    if inner is None or inner[0] != _SEQUENCE:
        return None
    parts = _children(inner[1], 10)
    if parts and parts[0][0] == 0xA0:
        parts = parts[1:]
    if len(parts) < 5 or parts[0][0] != _INTEGER or any(parts[i][0] != _SEQUENCE for i in (2, 3, 4)):
        return None
    times = [_time(tag, text) for tag, text in _children(parts[3][1], 2)]
    return Fields(
        int.from_bytes(parts[0][1], "big", signed=True),
        _name(parts[2][1]),
        _name(parts[4][1]),
        *(times if len(times) == 2 else (0, 0)),
    )


def _name(data: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for tag, group in _children(data, _MAX_PARTS):
        for kind, pair in _children(group, _MAX_PARTS) if tag == _SET else ():
            both = _children(pair, 2)
            if kind == _SEQUENCE and len(both) == 2 and both[0][0] == _OID and len(found) < _MAX_PARTS:
                found.append((_identifier(both[0][1]), _text(*both[1])))
    return found


def _text(tag: int, data: bytes) -> str:
    if tag == _BMP:
        return data.decode("utf-16-be", "replace")
    return data.decode("utf-8", "replace") if tag == _UTF8 else data.decode("latin-1")


def _identifier(data: bytes) -> str:
    arcs: list[int] = []
    value = 0
    for byte in data[:64]:
        value = (value << 7 | byte & 0x7F) & 0xFFFF_FFFF
        if not byte & 0x80:
            arcs += [min(value // 40, 2), value - 40 * min(value // 40, 2)] if not arcs else [value]
            value = 0
        if len(arcs) >= _MAX_ARCS:
            break
    return ".".join(map(str, arcs))


def _time(tag: int, data: bytes) -> int:
    """Read ``YYMMDDHHMMSSZ`` or ``YYYYMMDDHHMMSSZ``; 0 when it is no moment."""
    digits = data.rstrip(b"Z")
    if not digits.isdigit() or len(digits) != {_UTC_TIME: 12, _GENERALIZED_TIME: 14}.get(tag, 0):
        return 0
    text = digits.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    numbers = [int(text[:4]), *(int(text[i : i + 2]) for i in range(4, 14, 2))]
    try:
        return int(datetime(*numbers[:6], tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]
    except (ValueError, OverflowError):
        return 0
