"""Small readers of what SMB messages are made of: numbers, text, identifiers, times."""

from __future__ import annotations

MAX_TEXT = 2048  # bytes of a name that are read
_EPOCH = 11_644_473_600  # seconds from 1601 to 1970


def number(data: bytes, at: int, size: int) -> int:
    """Read a little-endian number; what is missing counts as zero bytes."""
    return int.from_bytes(data[at : at + size], "little")


def utf16(raw: bytes) -> str:
    """Read UTF-16LE up to its end or a terminator."""
    return _visible(raw[:MAX_TEXT].decode("utf-16-le", "replace").split("\0", 1)[0])


def oem(raw: bytes) -> str:
    """Read text of one byte a character up to its end or a terminator."""
    return _visible(raw[:MAX_TEXT].split(b"\0", 1)[0].decode("utf-8", "backslashreplace"))


def _visible(text: str) -> str:
    """Replace lone surrogates, which no record can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def utf16_end(raw: bytes, at: int) -> int:
    """Give the place after the terminator of UTF-16 text that begins at ``at``."""
    while True:
        found = raw.find(b"\0\0", at)
        if found < 0:
            return len(raw)
        # An odd place means that the zeros belong to two characters.
        if (found - at) % 2 == 0:
            return found + 2
        at = found + 1


def text_at(raw: bytes, at: int, *, wide: bool) -> tuple[str, int]:
    """Read terminated text: (text, place after it)."""
    if wide:
        end = utf16_end(raw, at)
        return utf16(raw[at:end]), end
    end = raw.find(b"\0", at)
    end = len(raw) if end < 0 else end + 1
    return oem(raw[at:end]), end


def guid(raw: bytes) -> str:
    """Write 16 bytes as a GUID, "" when there are fewer."""
    if len(raw) < 16:
        return ""
    text = (raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[9:7:-1] + raw[11:9:-1] + raw[15:11:-1]).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def seconds(filetime: int) -> int:
    """Turn a FILETIME (100 ns since 1601) into seconds since 1970; 0 stays 0."""
    return max(filetime // 10_000_000 - _EPOCH, 0) if filetime else 0
