"""One frame of WebSocket (RFC 6455 section 5.2), cut out of bytes as they arrive."""

from __future__ import annotations

from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, COMPRESSED = 0x80, 0x40
OPCODES = {
    CONTINUATION: "continuation",
    TEXT: "text",
    BINARY: "binary",
    CLOSE: "connection_close",
    PING: "ping",
    PONG: "pong",
}


@dataclass(slots=True)
class Frame:
    """A frame, its payload unmasked; ``skipped`` bytes of it are more than is kept."""

    flags: int
    opcode: int
    mask: int | None
    payload: bytes
    skipped: int = 0


def unmask(payload: bytes, key: bytes) -> bytes:
    """Undo the masking of a client (section 5.3)."""
    size = len(payload)
    if not size:
        return b""
    stream = key * (size // 4 + 1)
    number = int.from_bytes(payload, "big") ^ int.from_bytes(stream[:size], "big")
    return number.to_bytes(size, "big")


def sizes(data: bytearray, at: int) -> tuple[int, int] | None:
    """Give the sizes of header and payload of the frame at ``at``; None while bytes are missing."""
    if len(data) - at < 2:
        return None
    wide = {126: 2, 127: 8}.get(data[at + 1] & 0x7F, 0)
    header = 2 + wide + (4 if data[at + 1] & 0x80 else 0)
    if len(data) - at < header:
        return None
    place = at + 2
    return header, int.from_bytes(data[place : place + wide], "big") if wide else data[at + 1] & 0x7F


def cut(data: bytearray, at: int, limit: int) -> tuple[Frame | None, int]:
    """Read the frame at ``at``, of its payload at most ``limit`` bytes.

    Returns:
        The frame and the offset after what was read of it; (None, ``at``) while bytes are missing.
    """
    found = sizes(data, at)
    if found is None:
        return None, at
    header, length = found
    first, masked = data[at], data[at + 1] & 0x80
    place = at + header
    key = bytes(data[place - 4 : place]) if masked else b""
    kept = min(length, limit)
    if len(data) < place + kept:
        return None, at
    payload = bytes(data[place : place + kept])
    mask = int.from_bytes(key, "big") if masked else None
    text = unmask(payload, key) if masked else payload
    return Frame(first & 0xF0, first & 0x0F, mask, text, length - kept), place + kept
