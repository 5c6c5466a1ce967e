"""Basic and distinguished encoding of ASN.1 (ITU-T X.690), as far as protocols on the wire use it.

Readers of certificates refuse or raise on what is wrong; here every byte may be wrong. One level is
read at a time, so nothing recurses: how deep a message is read is decided by who reads it.
"""

from __future__ import annotations

from typing import NamedTuple

INTEGER, OCTETS, NULL, OID, ENUMERATED, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x06, 0x0A, 0x30, 0x31
CONTEXT = 0xA0  # a constructed field of its own number in the message, as in ``[3] Realm``

BAD = -1  # is no element
MORE = 0  # too few bytes to tell

MAX_ELEMENTS = 4096  # read on one level
_MAX_LENGTH_BYTES = 4
_MAX_INTEGER = 8  # bytes
_MAX_OID = 256  # bytes
_MAX_ARC = 1 << 64


class Element(NamedTuple):
    """Tag (identifier octet with class and constructed bit) and content."""

    tag: int
    body: bytes


def _header(data: bytes, at: int) -> tuple[int, int]:
    """Read tag and length at ``at``: offset of the content (or BAD, MORE), length of the content."""
    if at + 2 > len(data):
        return MORE, 0
    if data[at] & 0x1F == 0x1F:  # tags above 30 are in none of our protocols
        return BAD, 0
    length = data[at + 1]
    if length < 0x80:
        return at + 2, length
    count = length & 0x7F
    if not 0 < count <= _MAX_LENGTH_BYTES:  # indefinite, or longer than any message
        return BAD, 0
    if at + 2 + count > len(data):
        return MORE, 0
    return at + 2 + count, int.from_bytes(data[at + 2 : at + 2 + count], "big")


def size(data: bytes | bytearray, at: int = 0) -> int:
    """Give the whole size in bytes of the element that begins at ``at``, or BAD, or MORE.

    The element itself need not be there in full.
    """
    start, length = _header(bytes(data[at : at + 2 + _MAX_LENGTH_BYTES]), 0)
    return start + length if start > 0 else start


def read(data: bytes, at: int = 0) -> tuple[Element | None, int]:
    """Read the element at ``at``: it and the offset behind it, or None and ``at``."""
    start, length = _header(data, at)
    if start <= 0 or start + length > len(data):
        return None, at
    return Element(data[at], data[start : start + length]), start + length


def elements(body: bytes, limit: int = MAX_ELEMENTS) -> tuple[list[Element], bool]:
    """Read the elements of one level; the flag tells that all of ``body`` could be read."""
    found: list[Element] = []
    at = 0
    while at < len(body) and len(found) < limit:
        element, at = read(body, at)
        if element is None:
            return found, False
        found.append(element)
    return found, at == len(body)


def fields(body: bytes) -> dict[int, bytes]:
    """Read a sequence of numbered fields (``[0] ..., [1] ...``): content by number, the first of each."""
    found: dict[int, bytes] = {}
    for element in elements(body, 64)[0]:
        if element.tag & 0xC0 == 0x80:
            found.setdefault(element.tag & 0x1F, element.body)
    return found


def inner(body: bytes | None, tag: int) -> bytes | None:
    """Give the content of the element at the start of ``body``, None when it is not a ``tag``."""
    if body is None:
        return None
    element, _ = read(body)
    return element.body if element is not None and element.tag == tag else None


def integer(body: bytes | None) -> int | None:
    """Give a signed number of at most eight bytes from the content of INTEGER or ENUMERATED."""
    if body is None or not 0 < len(body) <= _MAX_INTEGER + 1:
        return None
    return int.from_bytes(body, "big", signed=True)


def oid(body: bytes) -> str:
    """Write an object identifier with dots; what is cut off or absurd ends it."""
    arcs: list[int] = []
    value = 0
    for byte in body[:_MAX_OID]:
        value = (value << 7) | (byte & 0x7F)
        if value >= _MAX_ARC:
            break
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    if not arcs:
        return ""
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))
