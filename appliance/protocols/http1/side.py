"""What both directions of HTTP/1 share: lines, field blocks and body framing over arriving bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.protocols.http1.chunked import EMPTY, INVALID, chunk_size, could_be_size
from appliance.protocols.http1.decompress import codings
from appliance.protocols.http1.headers import split_field
from appliance.protocols.http1.transaction import BODY, HEADERS, TRAILER, HttpTransaction

if TYPE_CHECKING:
    from appliance.protocols.http1.parser import HttpParser

_FOLD = b" \t\0"
_MAX_SIZE_LINE = 1024  # bytes of a chunk size line with its extension
_SHORT_SIZE = 16  # bytes that an unfinished chunk size line may have at the end
_MAX_RAW = 64 << 10  # bytes of a field block kept as sent


class Side:
    """One direction as a state machine: ``state`` is a method that tells whether it went on.

    A state takes from ``buffer`` what it can use; it returns False when it needs more bytes. So the
    result does not depend on how the bytes were cut.
    """

    direction = 0
    word = "request"

    def __init__(self, parser: HttpParser) -> None:
        """Start ahead of the first line."""
        self.parser = parser
        self.buffer = bytearray()
        self.scanned = 0
        self.ended = False
        self.tx: HttpTransaction | None = None
        self.last: HttpTransaction | None = None
        self.left = 0  # bytes of body or chunk to come
        self.pending = b""  # a field line that may be continued
        self.finishing = False  # last is complete but for what may follow at once
        self.in_trailer = False
        self.state = self.on_start

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.buffer += data
        self.run()

    def run(self) -> None:
        """Go on as far as the bytes allow."""
        while not self.parser.stopped and self.state():
            pass

    def on_start(self) -> bool:
        """Wait for the first line of a message."""
        raise NotImplementedError

    def on_headers_done(self) -> bool:
        """Decide what follows the field block."""
        raise NotImplementedError

    def finish_message(self) -> None:
        """The message has ended."""
        raise NotImplementedError

    # --- lines

    def take(self, count: int) -> bytes:
        """Remove bytes from the front."""
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        self.scanned = 0
        return data

    def take_line(self) -> bytes | None:
        """Give the next line with its line feed, None while there is none."""
        at = self.buffer.find(b"\n", self.scanned)
        if at < 0:
            self.scanned = len(self.buffer)
            if self.ended and self.buffer:
                return self.take(len(self.buffer))
            return None
        return self.take(at + 1)

    def too_long(self, size: int) -> bool:
        """Tell whether a line is over the limit; the direction is then given up."""
        if size <= self.parser.config.field_limit:
            return False
        if self.tx is not None:
            self.tx.note(f"{self.word}_field_too_long")
        self.give_up()
        return True

    def give_up(self) -> None:
        """Stop reading this direction: what comes cannot be made sense of."""
        if self.tx is not None:
            self.close_body(complete=False)
            self.finish_message()
        self.buffer.clear()
        self.state = self.on_lost

    def on_lost(self) -> bool:
        """Drop everything."""
        self.buffer.clear()
        self.scanned = 0
        return False

    # --- field block

    def next_field_line(self) -> tuple[bytes, bool] | None:
        """Give the next line of a field block and whether it ends the block."""
        line = self.take_line()
        if line is None:
            return None
        return line, line in {b"\r\n", b"\n"}

    def on_headers(self) -> bool:
        """Read one line of the field block."""
        tx = self.tx
        if tx is None:
            return False
        found = self.next_field_line()
        if found is None:
            return self.too_long(len(self.buffer))
        line, end = found
        if self.too_long(len(line)):
            return True
        raw = tx.headers[self.direction].raw
        if len(raw) < _MAX_RAW:
            raw += line
        if end:
            self.flush_field(tx)
            return self.end_block(tx)
        self.put_line(tx, line.rstrip(b"\r\n"))
        return True

    def end_block(self, tx: HttpTransaction) -> bool:
        """The field block is over: a body follows, or after trailers nothing."""
        if self.in_trailer:
            self.in_trailer = False
            self.finish_message()
            return True
        tx.advance(self.direction, HEADERS)
        return self.on_headers_done()

    def put_line(self, tx: HttpTransaction, line: bytes) -> None:
        """Begin a field, or go on with the one before."""
        if line[:1] and line[0] in _FOLD:
            if not self.pending:
                tx.note(f"invalid_{self.word}_field_folding")
            elif self.continues(tx, line):
                if not self.too_long(len(self.pending) + len(line)):
                    self.pending += line
                return
            else:
                tx.note(f"invalid_{self.word}_field_folding")
        self.flush_field(tx)
        self.pending = line

    def continues(self, tx: HttpTransaction, line: bytes) -> bool:  # noqa: ARG002 - responses look at it
        """Tell whether an indented line belongs to the field before it."""
        return True

    def flush_field(self, tx: HttpTransaction) -> None:
        """Take the field that is complete now."""
        line, self.pending = self.pending, b""
        if not line:
            return
        headers = tx.headers[self.direction]
        if headers.count >= self.parser.config.headers_limit:
            tx.note(f"{self.word}_too_many_headers")
            return
        name, value, problems = split_field(line)
        for problem in problems:
            tx.note(
                f"{self.word}_field_missing_colon"
                if problem == "missing_colon"
                else f"{self.word}_header_invalid"
            )
        if headers.add(name, value, self.parser.config.field_limit):
            tx.note(f"{self.word}_header_repetition")

    # --- body

    def begin_body(self, tx: HttpTransaction, length: int | None, chunked: bool) -> bool:
        """Go on to the body: chunked, of a length, or up to the end (None)."""
        tx.advance(self.direction, HEADERS)
        if chunked:
            self.state = self.on_chunk_size
        elif length is None:
            self.state = self.on_stream
        elif length == 0:
            self.finish_message()
        else:
            self.left = length
            self.state = self.on_length
        return True

    def body(self, data: bytes) -> None:
        """Hand decoded framing on to the body."""
        tx = self.tx
        if tx is not None and data:
            tx.bodies[self.direction].feed(data)
            tx.sync()
            tx.updated = True

    def close_body(self, complete: bool) -> None:
        """End the body of the message."""
        tx = self.tx
        if tx is not None:
            tx.bodies[self.direction].close(complete)
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
            self.state = self.on_headers
        else:
            self.left = size
            self.state = self.on_chunk
        return True

    def bad_chunk(self, tx: HttpTransaction) -> bool:
        """Not chunked after all: everything up to the end of the connection is body."""
        tx.note(f"invalid_{self.word}_chunk_len")
        self.state = self.on_stream
        return True

    def on_chunk(self) -> bool:
        """Take the bytes of a chunk."""
        if not self.buffer:
            return False
        data = self.take(min(self.left, len(self.buffer)))
        self.left -= len(data)
        self.body(data)
        if not self.left:
            self.state = self.on_chunk_end
        return True

    def on_chunk_end(self) -> bool:
        """Skip what stands between a chunk and the next line."""
        at = self.buffer.find(b"\n")
        if at < 0:
            self.buffer.clear()
            return False
        self.take(at + 1)
        self.state = self.on_chunk_size
        return True

    # --- holes and ends

    def gap(self, length: int) -> None:
        """Bytes are missing: inside a body that is bearable, elsewhere the message is lost."""
        tx = self.tx
        if tx is not None and self.state in {self.on_length, self.on_chunk, self.on_stream}:
            known = length if self.state == self.on_stream else min(self.left, length)
            tx.bodies[self.direction].gap(known)
            tx.sync()
            tx.updated = True
            length -= known
            if self.state != self.on_stream:
                self.left -= known
                self.after_gap()
            if not length:
                return
        self.lose()

    def after_gap(self) -> None:
        """Go on when the missing bytes were the rest of a body or chunk."""
        if self.left:
            return
        if self.state == self.on_chunk:
            self.state = self.on_chunk_end
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
        self.state = self.on_resync

    def on_resync(self) -> bool:
        """Drop lines until one begins a message."""
        raise NotImplementedError

    def end(self) -> None:
        """The direction has ended: what is there is all there will be."""
        self.ended = True
        self.run()
        tx = self.tx
        if tx is not None and self.state == self.on_chunk_size and len(self.buffer) > _SHORT_SIZE:
            self.bad_chunk(tx)  # a body that only looked chunked, without any line feed
            self.run()
        if tx is not None:
            complete = self.state == self.on_stream
            if self.state == self.on_headers:
                self.flush_field(tx)
            self.close_body(complete)
            self.finish_message()
        self.settle()
        self.conclude()

    def conclude(self) -> None:
        """No byte can belong to the last message any more."""
        if self.last is not None:
            self.last.bodies[self.direction].conclude()
            self.last.sync()

    def decode_body(self, tx: HttpTransaction) -> None:
        """Undo the codings that the fields announce."""
        value = tx.headers[self.direction].get(b"content-encoding")
        if value is None:
            return
        config = self.parser.config
        kinds, events = codings(value, config.layer_limit, config.lzma)
        for event in events:
            tx.note(event)
        tx.bodies[self.direction].decode(kinds, config.bomb_limit)

    def settle(self) -> None:
        """Mark the finished message complete, now that nothing more came with it."""
        if self.finishing and self.last is not None:
            self.finishing = False
            self.last.bodies[self.direction].close(complete=True)
            self.last.sync()
            self.last.advance(self.direction, 100)

    def stray(self, data: bytes) -> None:
        """Bytes that follow a complete message but begin no other: they are read as its body."""
        tx = self.last
        if tx is None:
            return
        tx.bodies[self.direction].feed(data)
        if not self.finishing:
            tx.progress[self.direction] = BODY
            tx.skip[self.direction] = False
            self.parser.revive(tx)
            self.finishing = True
        tx.sync()
        tx.updated = True
