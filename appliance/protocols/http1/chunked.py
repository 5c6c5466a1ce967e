"""Chunk size lines (RFC 9112 section 7.1), read as leniently as clients read them."""

from __future__ import annotations

_CONTROL = b"\r\n \t\x0b\x0c"
_DIGITS = b"0123456789abcdefABCDEF"
MAX_CHUNK = 0x7FFFFFFF
EMPTY = -2
INVALID = -1


def chunk_size(line: bytes) -> tuple[int, bool]:
    """Read a chunk size line.

    Returns:
        The size, :data:`EMPTY` for a line without anything, or :data:`INVALID`; and whether the line
        has a chunk extension. Junk after the digits is ignored.
    """
    text = line.lstrip(_CONTROL)
    if not text:
        return EMPTY, False
    digits = text[: len(text) - len(text.lstrip(_DIGITS))]
    if not digits:
        return INVALID, False
    extension = b";" in text[len(digits) :]
    digits = digits.lstrip(b"0") or b"0"
    if len(digits) > 8:
        return INVALID, extension
    size = int(digits, 16)
    return (size if size <= MAX_CHUNK else INVALID), extension


def could_be_size(head: bytes) -> bool:
    """Tell whether an unfinished line may still turn out to be a chunk size line.

    Without this, a body that only claims to be chunked would be held back until its first line feed.
    """
    if len(head) < 8:
        return True
    text = head.lstrip(_CONTROL)
    return not text or text[0] in _DIGITS or text[0] == 0x3B
