"""Body framing, holes and ends: what both directions of HTTP/1 share beyond their field blocks."""

from __future__ import annotations

from typing_extensions import override

from appliance.model.app import COMPLETE
from appliance.protocols.http1.chunked import EMPTY, INVALID, chunk_size, could_be_size
from appliance.protocols.http1.decompress import codings
from appliance.protocols.http1.fields import FieldReader
from appliance.protocols.http1.steps import (
    CHUNK_END_STEP,
    CHUNK_SIZE_STEP,
    CHUNK_STEP,
    HEADERS_STEP,
    LENGTH_STEP,
    LOST_STEP,
    RESYNC_STEP,
    START_STEP,
    STREAM_STEP,
)
from appliance.protocols.http1.transaction import BODY, HEADERS, TRAILER, HttpTransaction

_MAX_SIZE_LINE = 1024  # bytes of a chunk size line with its extension
_SHORT_SIZE = 16  # bytes that an unfinished chunk size line may have at the end


class Side(FieldReader):
    """One direction: field blocks from the base, bodies here; subclasses know start lines."""

    @override
    def step(self) -> bool:
        """Read what is due; tell whether there may be more to read."""
        state = self.state
        if state == HEADERS_STEP:
            return self.on_headers()
        if state == START_STEP:
            return self.on_start()
        if state == LENGTH_STEP:
            return self.on_length()
        if state == STREAM_STEP:
            return self.on_stream()
        if state == CHUNK_SIZE_STEP:
            return self.on_chunk_size()
        if state == CHUNK_STEP:
            return self.on_chunk()
        if state == CHUNK_END_STEP:
            return self.on_chunk_end()
        if state == RESYNC_STEP:
            return self.on_resync()
        if state == LOST_STEP:
            return self.on_lost()
        return self.on_other()

    def on_other(self) -> bool:
        """Read what only one of the directions has."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Take the next bytes; those in the middle of a body are handed on as they are."""
        if not self.buffer and not self.parser.stopped:
            if self.state == LENGTH_STEP and len(data) <= self.left:
                self.left -= len(data)
                self.body(data)
                if not self.left:
                    self.finish_message()
                return
            if self.state == STREAM_STEP:
                self.body(data)
                return
            if self.state == START_STEP and self.frame is None and self.plain(data):
                if self.buffer:
                    self.run()
                return
        self.buffer += data
        self.run()

    def plain(self, data: bytes) -> bool:
        """Take a head that ``data`` begins with, if all of it is there and as plain as nearly all are."""
        raise NotImplementedError

    def begin_body(self, tx: HttpTransaction, length: int, chunked: bool) -> bool:
        """Go on to the body: chunked, of a length, or up to the end (negative)."""
        tx.advance(self.direction, HEADERS)
        if chunked:
            self.state = CHUNK_SIZE_STEP
        elif length < 0:
            self.state = STREAM_STEP
        elif length == 0:
            self.finish_message()
        else:
            self.left = length
            self.state = LENGTH_STEP
        return True

    def body(self, data: bytes) -> None:
        """Hand decoded framing on to the body."""
        tx = self.tx
        if tx is not None and data:
            mine = tx.body_of(self.direction)
            mine.feed(data)
            tx.sync()
            tx.updated = True

    @override
    def close_body(self, complete: bool) -> None:
        """End the body of the message."""
        tx = self.tx
        if tx is not None:
            mine = tx.body_of(self.direction)
            mine.close(complete)
            tx.sync()

    def on_length(self) -> bool:
        """Take body bytes up to the length given."""
        if not self.buffer:
            return False
        data = self.take(min(self.left, len(self.buffer)))
        self.left -= len(data)
        self.body(data)
        if not self.left:
            self.finish_message()
        return True

    def on_stream(self) -> bool:
        """Take body bytes up to the end of the connection."""
        if self.buffer:
            self.body(self.take(len(self.buffer)))
        return False

    def on_chunk_size(self) -> bool:
        """Read a chunk size line, unless the body turns out not to be chunked."""
        tx = self.tx
        if tx is None:
            return False
        at = self.buffer.find(b"\n", self.scanned)
        # Looked at after eight bytes, or a line feed, whatever came in one piece.
        if not could_be_size(bytes(self.buffer[:8] if at < 0 or at >= 8 else self.buffer[: at + 1])):
            return self.bad_chunk(tx)
        if (len(self.buffer) if at < 0 else at) > _MAX_SIZE_LINE:
            return self.bad_chunk(tx)
        if at < 0:
            self.scanned = len(self.buffer)
            return False
        size, extension = chunk_size(bytes(self.buffer[: at + 1]))
        if size == INVALID:
            return self.bad_chunk(tx)
        self.take(at + 1)
        if size == EMPTY:
            return True
        if extension:
            tx.note(f"{self.word}_chunk_extension")
        if size == 0:
            tx.advance(self.direction, TRAILER)
            self.in_trailer = True
            self.state = HEADERS_STEP
        else:
            self.left = size
            self.state = CHUNK_STEP
        return True

    def bad_chunk(self, tx: HttpTransaction) -> bool:
        """Not chunked after all: everything up to the end of the connection is body."""
        tx.note(f"invalid_{self.word}_chunk_len")
        self.state = STREAM_STEP
        return True

    def on_chunk(self) -> bool:
        """Take the bytes of a chunk."""
        if not self.buffer:
            return False
        data = self.take(min(self.left, len(self.buffer)))
        self.left -= len(data)
        self.body(data)
        if not self.left:
            self.state = CHUNK_END_STEP
        return True

    def on_chunk_end(self) -> bool:
        """Skip what stands between a chunk and the next line."""
        at = self.buffer.find(b"\n")
        if at < 0:
            self.buffer.clear()
            return False
        self.take(at + 1)
        self.state = CHUNK_SIZE_STEP
        return True

    # --- holes and ends

    def gap(self, length: int) -> None:
        """Bytes are missing: inside a body that is bearable, elsewhere the message is lost."""
        tx = self.tx
        if tx is not None and self.state in (LENGTH_STEP, CHUNK_STEP, STREAM_STEP):
            known = length if self.state == STREAM_STEP else min(self.left, length)
            tx.body_of(self.direction).gap(known)
            tx.sync()
            tx.updated = True
            length -= known
            if self.state != STREAM_STEP:
                self.left -= known
                self.after_gap()
            if not length:
                return
        self.lose()

    def after_gap(self) -> None:
        """Go on when the missing bytes were the rest of a body or chunk."""
        if self.left:
            return
        if self.state == CHUNK_STEP:
            self.state = CHUNK_END_STEP
        else:
            self.finish_message()

    def lose(self) -> None:
        """Give the message up and look for the next one."""
        if self.tx is not None:
            self.pending = b""
            self.in_trailer = False
            self.close_body(complete=False)
            self.finish_message()
        self.buffer.clear()
        self.scanned = 0
        self.settle()
        self.conclude()
        self.last = None
        self.state = RESYNC_STEP

    def on_resync(self) -> bool:
        """Drop lines until one begins a message."""
        line = self.take_line()
        if line is None:
            if len(self.buffer) > self.parser.limits.field_limit:
                self.take(len(self.buffer))
            return False
        if self.begins_message(line):
            self.buffer[:0] = line
            self.state = START_STEP
        return True

    def begins_message(self, line: bytes) -> bool:
        """Tell whether a line may begin a message of this direction."""
        raise NotImplementedError

    def end(self) -> None:
        """The sender says no more."""
        self.wind_up()
        for tx in self.parser.transactions:
            tx.advance(self.direction, COMPLETE)

    def wind_up(self) -> None:
        """The direction has ended: what is there is all there will be."""
        self.ended = True
        self.run()
        tx = self.tx
        if tx is not None and self.state == CHUNK_SIZE_STEP and len(self.buffer) > _SHORT_SIZE:
            self.bad_chunk(tx)  # a body that only looked chunked, without any line feed
            self.run()
        if tx is not None:
            complete = self.state == STREAM_STEP
            if self.state == HEADERS_STEP:
                self.flush_field(tx)
            self.close_body(complete)
            self.finish_message()
        self.settle()
        self.conclude()

    def conclude(self) -> None:
        """No byte can belong to the last message any more."""
        if self.last is not None:
            mine = self.last.body_of(self.direction)
            mine.conclude()
            self.last.sync()

    def decode_body(self, tx: HttpTransaction) -> None:
        """Undo the codings that the fields announce."""
        headers = tx.headers_of(self.direction)
        value = headers.get(b"content-encoding")
        if value is None:
            return
        config = self.parser.limits.config
        kinds, events = codings(value, config.layer_limit, config.lzma)
        for event in events:
            tx.note(event)
        tx.body_of(self.direction).decode(kinds, config.bomb_limit)

    def settle(self) -> None:
        """Mark the finished message complete, now that nothing more came with it."""
        if self.finishing and self.last is not None:
            self.finishing = False
            mine = self.last.body_of(self.direction)
            mine.close(True)
            self.last.sync()
            self.last.advance(self.direction, 100)

    def stray(self, data: bytes) -> None:
        """Bytes that follow a complete message but begin no other: they are read as its body."""
        tx = self.last
        if tx is None:
            return
        tx.body_of(self.direction).feed(data)
        if not self.finishing:
            tx.progress[self.direction] = BODY
            tx.skip[self.direction] = False
            self.parser.revive(tx)
            self.finishing = True
        tx.sync()
        tx.updated = True
