"""One direction of HTTP/2 as bytes: the magic, frame after frame, DATA as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.protocols.http2 import frames
from appliance.protocols.http2.hpack import Decoder
from appliance.protocols.marks import Marks, message

if TYPE_CHECKING:
    from appliance.protocols.http2.parser import Http2Parser
    from appliance.protocols.http2.transaction import Http2Transaction


class Side:
    """Cuts frames out of a direction and hands them to the parser; DATA is handed on piece by piece."""

    def __init__(self, parser: Http2Parser, direction: int, max_table: int) -> None:
        """Start ahead of the magic, which only a client sends."""
        self.parser = parser
        self.direction = direction
        self.hpack = Decoder(max_table)
        self.buffer = bytearray()
        self.magic = direction == 0
        self.lost = False
        self.marks = Marks()
        self.head = (0, 0, 0, 0)  # length, type, flags, stream of the frame at hand
        self.left = -1  # bytes of DATA, or of a frame passed over, to come; -1: no such frame
        self.padding = -1  # of them at the end; -1: not known yet
        self.tx: Http2Transaction | None = None
        # Field block that goes on in CONTINUATION frames: stream that it belongs to, flags, bytes.
        self.block_stream = -1
        self.block_flags = 0
        self.block = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.lost:
            return
        self.buffer += data
        if self.magic and not self._take_magic():
            return
        at = 0
        while True:
            used = self._step(at)
            if used < 0:
                break
            at += used
        del self.buffer[:at]

    def gap(self, length: int) -> None:
        """Bytes are missing: bearable inside DATA, elsewhere the frames cannot be found again."""
        if self.lost:
            return
        if self.left >= length and not self.buffer and self.padding >= 0:
            self.left -= length
            if self.tx is not None:
                self.parser.lose(
                    self.tx, self.direction, max(min(length, self.left + length - self.padding), 0)
                )
            if not self.left:
                self._end_data()
            return
        self.lost = True
        self.buffer.clear()

    def _take_magic(self) -> bool:
        """See whether the client begins as it has to; False while that cannot be told."""
        size = len(frames.MAGIC)
        head = bytes(self.buffer[:size])
        if frames.MAGIC.startswith(head) and len(head) < size:
            return False
        self.magic = False
        if head == frames.MAGIC:
            del self.buffer[:size]
            return True
        self.parser.note("invalid_client_magic")
        if head.startswith(b"PRI"):
            self.lost = True
        return not self.lost

    def _step(self, at: int) -> int:
        """Take one frame, or what there is of DATA; gives the bytes used, -1 when more are needed."""
        if self.left >= 0:
            return self._data(at)
        if len(self.buffer) - at < frames.HEADER_SIZE:
            return -1
        head = self.buffer[at : at + frames.HEADER_SIZE]
        length = int.from_bytes(head[:3], "big")
        self.head = (length, head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFF_FFFF)
        behind, whole = len(self.buffer) - at, frames.HEADER_SIZE + length
        self.marks.note(self.parser, self.direction, behind, *message("", frames.HEADER_SIZE, whole))
        if head[3] == frames.DATA:
            return self._begin_data()
        if length > frames.MAX_FRAME:
            self.parser.note("long_frame_data")
            self.left, self.padding, self.tx = length, 0, None
            return frames.HEADER_SIZE
        end = at + frames.HEADER_SIZE + length
        if len(self.buffer) < end:
            return -1
        self.parser.frame(self, *self.head[1:], bytes(self.buffer[at + frames.HEADER_SIZE : end]))
        return frames.HEADER_SIZE + length

    def _begin_data(self) -> int:
        length, _, flags, stream = self.head
        if length > frames.MAX_FRAME:
            self.parser.note("long_frame_data")
        self.tx = self.parser.data_frame(self, stream)
        self.left, self.padding = length, -1 if flags & frames.PADDED else 0
        if not length:
            self._end_data()
        return frames.HEADER_SIZE

    def _data(self, at: int) -> int:
        """Take bytes of a DATA frame."""
        there = min(self.left, len(self.buffer) - at)
        if there <= 0:
            return -1
        used = 0
        if self.padding < 0:
            self.padding = self.buffer[at]
            used = 1
            self.left -= 1
            if self.padding > self.left:
                self.parser.note("invalid_frame_data")
                self.padding = self.left
        size = min(there - used, self.left - self.padding)
        if size > 0 and self.tx is not None:
            self.parser.body(self.tx, self.direction, bytes(self.buffer[at + used : at + used + size]))
        self.left -= there - used
        if not self.left:
            self._end_data()
        return there

    def _end_data(self) -> None:
        self.left = -1
        if self.tx is not None:
            self.parser.data_end(self.tx, self.direction, self.head[2])
        self.tx = None
