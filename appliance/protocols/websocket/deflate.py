"""permessage-deflate (RFC 7692): one side's messages, with or without a window that lives on."""

from __future__ import annotations

import zlib
from typing import Any

_TAIL = b"\x00\x00\xff\xff"
_PIECE = 64 << 10
_DISCARD = 4 << 20  # decoded bytes of a message passed over to keep the window


class Inflater:
    """Undoes the compression of one side's messages; when the window is lost, so are the messages."""

    def __init__(self, *, takeover: bool = True) -> None:
        """Keep the window from message to message when ``takeover`` says so."""
        self.takeover = takeover
        self.lost = False
        self._z: Any = None

    def lose(self) -> None:
        """A message was not seen in full: those after it may refer to it."""
        self.lost = self.takeover
        self._z = None

    def message(self, data: bytes, limit: int) -> tuple[bytes, bool] | None:
        """Decompress a whole message up to ``limit`` bytes.

        Returns:
            The bytes and whether there were more; None when it cannot be done.
        """
        if self.lost:
            return None
        if self._z is None:
            self._z = zlib.decompressobj(-15)
        out = self._inflate(data + _TAIL, limit)
        if out is None or not self.takeover or self._z.eof:
            self._z = None
        if out is None:
            self.lose()
        return out

    def _inflate(self, data: bytes, limit: int) -> tuple[bytes, bool] | None:
        try:
            out = self._z.decompress(data, limit)
            more, spent = bool(self._z.unconsumed_tail), 0
            while self._z.unconsumed_tail and self.takeover and spent < _DISCARD:
                spent += len(self._z.decompress(self._z.unconsumed_tail, _PIECE))
        except zlib.error:
            return None
        if self._z.unconsumed_tail:
            self.lost = self.takeover  # what comes after may refer to what was not decoded
        return out, more
