"""Content codings undone as bytes arrive, forgiving what clients forgive, bounded against bombs."""

from __future__ import annotations

import lzma
import zlib
from typing import Any, Protocol

import brotli

_PIECE = 64 << 10  # decoded bytes handed on at a time
_BOMB_RATIO = 2048
_HOLD = 4096  # bytes kept to be passed on as they are, should nothing decode
_MAX_GZIP_HEADER = 8 << 10
_MAX_MEMBERS = 1024  # gzip members in one body
_LZMA_MEMORY = 1 << 20
_SALVAGE = 4 << 20  # decoded bytes looked through for the place of an error


class Budget:
    """What a body may grow to: ``limit`` bytes, and beyond them a ratio to what was sent."""

    __slots__ = ("limit", "room", "sent", "spent", "tripped")

    def __init__(self, limit: int, room: int) -> None:
        """Allow ``limit`` bytes regardless of the ratio; ``room`` is how many are wanted (0: all)."""
        self.limit = limit
        self.room = room
        self.sent = 0
        self.spent = 0
        self.tripped = False

    def spend(self, count: int) -> bool:
        """Count decoded bytes; False when decoding has to stop."""
        self.spent += count
        if self.limit and self.spent > self.limit and self.spent > _BOMB_RATIO * max(self.sent, 1):
            self.tripped = True
        return not self.tripped and (not self.room or self.spent < self.room)


class _Decoder(Protocol):
    """Something that decodes within a bound on its output."""

    eof: bool

    def decompress(self, data: bytes, limit: int) -> bytes: ...
    def pending(self) -> bool: ...
    def copy(self) -> _Decoder | None: ...
    def unused(self) -> bytes: ...


class _Inflate:
    """Raw deflate (RFC 1951)."""

    def __init__(self, state: Any = None) -> None:
        self._z = zlib.decompressobj(-15) if state is None else state
        self.eof = False

    def copy(self) -> _Inflate:
        return _Inflate(self._z.copy())

    def decompress(self, data: bytes, limit: int) -> bytes:
        out = self._z.decompress(self._z.unconsumed_tail + data, limit)
        self.eof = self._z.eof
        return out

    def pending(self) -> bool:
        return bool(self._z.unconsumed_tail)

    def unused(self) -> bytes:
        return self._z.unused_data


class _Brotli:
    """Brotli (RFC 7932)."""

    def __init__(self) -> None:
        self._b = brotli.Decompressor()
        self._kept = b""
        self.eof = False

    def decompress(self, data: bytes, limit: int) -> bytes:
        self._kept += data
        if self._b.can_accept_more_data():
            give, self._kept = self._kept, b""
            out: bytes = self._b.process(give, output_buffer_limit=limit)
        else:
            out = self._b.process(b"", output_buffer_limit=limit)
        self.eof = self._b.is_finished()
        return out

    def pending(self) -> bool:
        return not self.eof and (bool(self._kept) or not self._b.can_accept_more_data())

    def copy(self) -> None:
        return None  # cannot be copied

    def unused(self) -> bytes:
        return b""


class _Lzma:
    """LZMA in its old container."""

    def __init__(self) -> None:
        self._x = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY + (64 << 10))
        self.eof = False

    def decompress(self, data: bytes, limit: int) -> bytes:
        if self._x.eof:
            return b""
        out = self._x.decompress(data, limit)
        self.eof = self._x.eof
        return out

    def pending(self) -> bool:
        return not self._x.needs_input and not self._x.eof

    def copy(self) -> None:
        return None  # cannot be copied

    def unused(self) -> bytes:
        return b""


_ERRORS = (zlib.error, brotli.error, lzma.LZMAError, EOFError)


def gzip_header(data: bytes) -> int:
    """Give the length of a gzip member's header (RFC 1952), 0 while incomplete, -1 when it is none.

    Reserved flags and the header checksum are not looked at, as clients do not either.
    """
    if not b"\x1f\x8b\x08".startswith(data[:3]):
        return -1
    if len(data) < 10:
        return 0
    flags, at = data[3], 10
    if flags & 4:
        if len(data) < at + 2:
            return 0
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for bit in (8, 16):
        if flags & bit:
            end = data.find(b"\0", at)
            if end < 0:
                return 0 if len(data) < _MAX_GZIP_HEADER else -1
            at = end + 1
    if flags & 2:
        at += 2
    if at > _MAX_GZIP_HEADER:
        return -1
    return at if len(data) >= at else 0


def zlib_header(data: bytes) -> int:
    """Give the length of a zlib header (RFC 1950), 0 while incomplete, -1 when it is none."""
    if len(data) < 2:
        return 0
    if data[0] & 15 == 8 and data[0] >> 4 <= 7 and (data[0] << 8 | data[1]) % 31 == 0:
        return 6 if data[1] & 32 else 2
    return -1


class Layer:
    """One coding. What turns out not to be coded at all is passed on as it came.

    A body that says gzip may be zlib or raw deflate and the other way round; "br" and "lzma" are only
    themselves.
    """

    def __init__(self, kind: str) -> None:
        """Prepare for ``kind``: "gzip", "deflate", "br" or "lzma"."""
        self.kind = kind
        self.plain = False
        self.failed = False
        self._head = bytearray()  # until the form is known
        self._given = bytearray()  # what has been decoded, as it came, while that is little
        self._raw = 0
        self._decoder: _Decoder | None = None
        self._gzip = False
        self._retry_raw = False
        self._trailer = 0
        self._members = 0
        self._any = False
        self._over = False

    def feed(self, data: bytes, budget: Budget) -> list[bytes]:
        """Decode the next bytes into pieces; stops at the budget."""
        out: list[bytes] = []
        while data and not self._over:
            if self.plain:
                out.append(data)
                break
            if self._trailer:
                skipped = min(self._trailer, len(data))
                self._trailer -= skipped
                data = data[skipped:]
                continue
            if self._decoder is None:
                data = self._begin(data)
                if self._decoder is None:
                    continue
            data = self._run(data, out, budget)
        return out

    def finish(self) -> list[bytes]:
        """Give what was held back because its form was not known; called at the end of the body."""
        if self._decoder is None and self._head and not self._any and not self.plain:
            self.plain = True
            return [bytes(self._head)]
        return []

    def _begin(self, data: bytes) -> bytes:
        """Find out which form the data has; gives what is to be decoded."""
        self._head += data
        head = bytes(self._head)
        if self.kind in {"br", "lzma"}:
            self._decoder = _Brotli() if self.kind == "br" else _Lzma()
            return self._start(head, 0)
        length = gzip_header(head)
        self._gzip = length > 0
        if length < 0 and self._members:
            self._over = True  # what follows the last member is padding
            return b""
        if length < 0:
            length = zlib_header(head)
            if length == 0:
                return b""
            self._retry_raw = length > 0
            length = max(length, 0)
        elif length == 0:
            return b""
        self._decoder = _Inflate()
        return self._start(head, length)

    def _start(self, head: bytes, length: int) -> bytes:
        """Leave the header behind; remember it while it may turn out to be plain data."""
        self._given = bytearray(head[:length])
        self._raw = length
        self._head = bytearray()
        return head[length:]

    def _run(self, data: bytes, out: list[bytes], budget: Budget) -> bytes:
        """Decode; gives what follows the end of the coded data."""
        decoder = self._decoder
        if decoder is None:
            return b""
        before = decoder.copy()
        given, count = data, 0
        while True:
            try:
                piece = decoder.decompress(given, _PIECE)
            except _ERRORS:
                return self._broken(before, data, count, out)
            given = b""
            if piece:
                self._any = True
                count += len(piece)
                out.append(piece)
                if not budget.spend(len(piece)):
                    self._over = True
                    return b""
            if decoder.eof:
                return self._ended(decoder.unused())
            if not decoder.pending():
                self._raw += len(data)
                if self._raw <= _HOLD:
                    self._given += data
                return b""

    def _ended(self, rest: bytes) -> bytes:
        """The coded data is complete: a gzip member may follow, anything else is padding."""
        self._members += 1
        self._decoder = None
        if not self._gzip or self._members >= _MAX_MEMBERS:
            self._over = True
            return b""
        self._trailer = 8
        return rest

    def _broken(self, before: _Decoder | None, data: bytes, count: int, out: list[bytes]) -> bytes:
        """The data does not decode: try another form, or pass it on as it is.

        ``before`` is the decoder as it was ahead of ``data``, of which ``count`` bytes have come out.
        """
        self._decoder = None
        bad = 0
        if before is not None:
            more, bad = _salvage(before, data, count)
            if more:
                self._any = True
                out.append(more)
        early = self._raw + bad <= _HOLD
        whole = bytes(self._given) + data
        if self._retry_raw and early and not self._any:
            self._retry_raw = False
            self._given = bytearray()
            self._raw = 0
            self._decoder = _Inflate()
            return whole
        self.failed = True
        self.plain = True
        return whole if early else data[bad + 1 :]


def _salvage(decoder: _Decoder, data: bytes, skip: int) -> tuple[bytes, int]:
    """Find the byte at which decoding fails, and what comes out ahead of it beyond ``skip`` bytes.

    An error takes with it what the same call had decoded, so the call is repeated in halves.
    """
    out = bytearray()
    at, size = 0, min(len(data), 1024)
    while at < len(data):
        size = min(size, len(data) - at)
        kept = decoder.copy()
        if kept is None:
            break
        try:
            piece = decoder.decompress(data[at : at + size], _SALVAGE)
        except _ERRORS:
            if size == 1:
                return bytes(out[skip:]), at
            decoder, size = kept, size // 2
            continue
        if len(out) + len(piece) <= _SALVAGE:
            out += piece
        at += size
    return bytes(out[skip:]), max(at - 1, 0)


class Chain:
    """The codings of one body, the last applied undone first."""

    def __init__(self, kinds: list[str], budget: Budget) -> None:
        """Take the codings in the order in which they were applied."""
        self.layers = [Layer(kind) for kind in reversed(kinds)]
        self.budget = budget

    def feed(self, data: bytes) -> list[bytes]:
        """Decode the next bytes of the body."""
        self.budget.sent += len(data)
        return self._through(0, [data])

    def finish(self) -> list[bytes]:
        """Give what the layers hold back at the end of the body."""
        out: list[bytes] = []
        for place, layer in enumerate(self.layers):
            out += self._through(place + 1, layer.finish())
        return out

    @property
    def failed(self) -> bool:
        """Tell whether some layer met data that is not what it was said to be."""
        return any(layer.failed for layer in self.layers)

    def _through(self, start: int, pieces: list[bytes]) -> list[bytes]:
        for layer in self.layers[start:]:
            pieces = [piece for data in pieces for piece in layer.feed(data, self.budget)]
        return pieces


def codings(value: bytes, limit: int, with_lzma: bool) -> tuple[list[str], list[str]]:
    """Read a Content-Encoding value.

    Returns:
        The codings to undo in the order applied, at most ``limit``, and events ("too_many_encoding_layers",
        "abnormal_ce_header").
    """
    kinds: list[str] = []
    events: list[str] = []
    for word in value.replace(b"\0", b"").lower().split(b","):
        token = word.strip(b" \t\r\n\x0b\x0c")
        kind = next((name for name in ("gzip", "deflate", "lzma") if name.encode() in token), "")
        if token == b"br":
            kind = "br"
        if not kind or (kind == "lzma" and not with_lzma):
            continue
        if token not in {kind.encode(), b"x-" + kind.encode()}:
            events.append("abnormal_ce_header")
        if limit and len(kinds) >= limit:
            events.append("too_many_encoding_layers")
            break
        kinds.append(kind)
    return kinds, events
