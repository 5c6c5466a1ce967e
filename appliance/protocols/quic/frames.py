"""Frames inside Initial packets (RFC 9000 section 19) and inside Google's (tags of the CHLO)."""

from __future__ import annotations

from appliance.protocols.quic.header import varint

_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE, _CLOSE_APP = 0, 1, 2, 3, 6, 0x1C, 0x1D
MAX_FRAMES = 1024  # of one packet, padding not counted
MAX_TAGS = 128


def crypto_pieces(data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """Give the (offset, bytes) of the CRYPTO frames, and whether all frames made sense."""
    found: list[tuple[int, bytes]] = []
    at, count = 0, 0
    while at < len(data):
        kind = data[at]
        if kind in {_PADDING, _PING}:
            at += 1
            continue
        count += 1
        if count > MAX_FRAMES:
            return found, False
        if kind == _CRYPTO:
            offset, at = varint(data, at + 1)
            length, at = varint(data, at)
            if offset < 0 or length < 0 or at + length > len(data):
                return found, False
            found.append((offset, data[at : at + length]))
            at += length
        elif kind in {_ACK, _ACK_ECN}:
            at = _skip_ack(data, at + 1, kind)
        elif kind in {_CLOSE, _CLOSE_APP}:
            at = _skip_close(data, at + 1, kind)
        else:
            return found, False
        if at < 0:
            return found, False
    return found, True


def _skip(data: bytes, at: int, count: int) -> int:
    """Pass over ``count`` numbers; -1 when they are cut short. Never more steps than there are bytes."""
    for _ in range(count):
        value, at = varint(data, at)
        if value < 0:
            return -1
    return at


def _skip_ack(data: bytes, at: int, kind: int) -> int:
    at = _skip(data, at, 2)
    if at < 0:
        return -1
    ranges, at = varint(data, at)
    if ranges < 0 or ranges > len(data):
        return -1
    return _skip(data, at, 1 + 2 * ranges + (3 if kind == _ACK_ECN else 0))


def _skip_close(data: bytes, at: int, kind: int) -> int:
    at = _skip(data, at, 2 if kind == _CLOSE else 1)
    if at < 0:
        return -1
    length, at = varint(data, at)
    return at + length if 0 <= length <= len(data) - at else -1


def google_hello(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Give the tags of the client's hello in Google's frames; None when there is none."""
    at, count = 0, 0
    while at < len(data) and count < MAX_FRAMES:
        kind = data[at]
        count += 1
        if kind & 0x80:
            start, size = _stream(data, at, kind)
            if start < 0:
                return None
            if data[start : start + 4] == b"CHLO":
                return _tags(data[start : start + size])
            at = start + size
        elif kind & 0x40:
            at = _skip_google_ack(data, at, kind)
        elif kind in {0, 7}:
            at += 1
        else:
            return None
        if at < 0:
            return None
    return None


def _stream(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """Give where the data of a STREAM frame is, and its size; (-1, 0) when cut short."""
    offset = kind >> 2 & 7
    at += 1 + (kind & 3) + 1 + (offset + 1 if offset else 0)
    if not kind & 0x20:
        return (at, len(data) - at) if at <= len(data) else (-1, 0)
    if at + 2 > len(data):
        return -1, 0
    size = int.from_bytes(data[at : at + 2], "big")
    return (at + 2, size) if at + 2 + size <= len(data) else (-1, 0)


def _skip_google_ack(data: bytes, at: int, kind: int) -> int:
    """Pass over an ACK frame: 01ntllmm, largest, delay, blocks, timestamps."""
    sizes = (1, 2, 4, 6)
    block = sizes[kind & 3]
    at += 1 + sizes[kind >> 2 & 3] + 2
    blocks = 0
    if kind & 0x20:
        blocks = data[at] if at < len(data) else 0
        at += 1
    at += block + blocks * (1 + block)
    if at >= len(data):
        return -1
    stamps = data[at]
    return at + 1 + (5 + 3 * (stamps - 1) if stamps else 0)


def _tags(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Read a message of tags: CHLO, count, (tag, end of its value) each, values."""
    count = int.from_bytes(data[4:6], "little")
    base = 8 + 8 * count
    if count > MAX_TAGS or base > len(data):
        return None
    found, start = [], 0
    for at in range(8, base, 8):
        end = int.from_bytes(data[at + 4 : at + 8], "little")
        if end < start:
            return None
        found.append((data[at : at + 4], data[base + start : base + end]))
        start = end
    return found
