"""Buffered reading of capture bytes from a file, standard input or a gzip stream."""

from __future__ import annotations

import sys
import zlib
from io import RawIOBase
from pathlib import Path

from appliance.capture.base import CaptureError

BLOCK = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # 15 bits of window, +16: with gzip header and trailer


class PlainInput:
    """Bytes of a file object as they are, after some that were read to look at them."""

    def __init__(self, file: RawIOBase, head: bytes) -> None:
        self._file = file
        self._head = head
        self.problem = ""

    def read(self) -> bytes:
        """Give the next bytes, ``b""`` at the end; ``problem`` says why the end came early."""
        if self._head:
            head, self._head = self._head, b""
            return head
        if self.problem:
            return b""
        try:
            return self._file.read(BLOCK) or b""
        except OSError as error:
            self.problem = f"cannot be read further: {error.strerror or error}"
            return b""


class GzipInput:
    """Bytes of a gzip stream (RFC 1952), any number of members, decompressed piece by piece.

    No read gives more than ``BLOCK`` bytes, whatever the compressed data claims.
    """

    def __init__(self, source: PlainInput) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._pending = b""
        self._members = 0
        self.problem = ""

    def read(self) -> bytes:
        """Give the next bytes, ``b""`` at the end; ``problem`` says why the end came early."""
        while not self.problem:
            if not self._pending:
                self._pending = self._source.read()
            if not self._pending:
                return self._finish()
            if self._inflate.eof and not self._next_member():
                continue
            data = self._step()
            if data:
                return data
        return b""

    def _step(self) -> bytes:
        try:
            data = self._inflate.decompress(self._pending, BLOCK)
        except zlib.error as error:
            self.problem = f"the compressed data is damaged ({error})"
            return b""
        self._pending = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        return data

    def _next_member(self) -> bool:
        """Begin another member, if one follows; zeros after the last are padding."""
        self._pending = self._pending.lstrip(b"\0")
        if not self._pending:
            return False
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        return True

    def _finish(self) -> bytes:
        """The input has ended: drain what the decompressor holds, and say if it wanted more."""
        if self._inflate.eof:
            return b""
        try:
            rest = self._inflate.decompress(b"", BLOCK)
        except zlib.error:
            rest = b""
        if rest:
            return rest
        self.problem = self._source.problem or "the compressed data is cut short"
        return b""


class ByteStream:
    """A window on the bytes of a capture: ``buffer[pos:]`` is read and not yet used.

    ``base`` is the offset of ``buffer[0]``. At most one block more than was asked for is held.
    """

    def __init__(self, source: PlainInput | GzipInput) -> None:
        self._source = source
        self.buffer = b""
        self.pos = 0
        self.base = 0

    @property
    def offset(self) -> int:
        """Place in the capture of the next unused byte."""
        return self.base + self.pos

    @property
    def problem(self) -> str:
        """Why the input ended early; "" when it did not."""
        return self._source.problem

    def fill(self, count: int) -> bool:
        """Have at least ``count`` unused bytes in the buffer; False when the input ends first."""
        have = len(self.buffer) - self.pos
        if have >= count:
            return True
        parts = [self.buffer[self.pos :]]
        self.base += self.pos
        while have < count:
            more = self._source.read()
            if not more:
                break
            parts.append(more)
            have += len(more)
        self.buffer = b"".join(parts)
        self.pos = 0
        return have >= count

    def take(self, count: int) -> bytes:
        """Use up and give ``count`` bytes; fewer at the end."""
        self.fill(count)
        data = self.buffer[self.pos : self.pos + count]
        self.pos += len(data)
        return data

    def skip(self, count: int) -> bool:
        """Use up ``count`` bytes without holding them; False when the input ends first."""
        while count > 0:
            if not self.fill(1):
                return False
            step = min(count, len(self.buffer) - self.pos)
            self.pos += step
            count -= step
        return True


def sniff(file: RawIOBase) -> ByteStream:
    """Make a stream of an open binary file; gzip is recognised by its magic."""
    plain = PlainInput(file, b"")
    head = plain.read()
    while 0 < len(head) < len(_GZIP_MAGIC) and (more := plain.read()):
        head += more
    source = PlainInput(file, head)
    source.problem = plain.problem
    return ByteStream(GzipInput(source) if head.startswith(_GZIP_MAGIC) else source)


def open_file(path: str) -> RawIOBase:
    """Open a capture for reading; ``-`` is standard input.

    Raises:
        CaptureError: it cannot be opened.
    """
    try:
        if path == "-":
            return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise CaptureError(message) from error
