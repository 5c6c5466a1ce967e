"""Lines and field blocks of HTTP/1 over bytes as they arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.protocols.http1.headers import Headers, split_field
from appliance.protocols.http1.plain import field_block
from appliance.protocols.http1.steps import LOST_STEP, START_STEP
from appliance.protocols.http1.transaction import HEADERS, HttpTransaction

if TYPE_CHECKING:
    from appliance.model.app import Frame
    from appliance.protocols.http1.conversation import Conversation

_FOLD = b" \t\0"
_MAX_RAW = 64 << 10  # bytes of a field block kept as sent


class FieldReader:
    """One direction as a state machine: ``state`` says what is read next, and :meth:`step` reads it.

    A step takes from ``buffer`` what it can use and tells whether it went on; it returns False when it needs
    more bytes. So the result does not depend on how the bytes were cut.
    """

    def begin(self, parser: Conversation, direction: int) -> None:
        """Start ahead of the first line of one direction of ``parser``."""
        self.direction: int = direction
        self.word: str = "response" if direction else "request"
        self.parser: Conversation = parser
        self.buffer: bytearray = bytearray()
        self.scanned: int = 0
        self.ended: bool = False
        self.tx: HttpTransaction | None = None
        self.last: HttpTransaction | None = None
        self.left: int = 0  # bytes of body or chunk to come
        self.pending: bytes = b""  # a field line that may be continued
        self.finishing: bool = False  # last is complete but for what may follow at once
        self.in_trailer: bool = False
        self.frame: Frame | None = None
        self.state: int = START_STEP

    def begin_frame(self, line: int, tx_id: int) -> None:
        """Note the message that began with the ``line`` bytes just taken."""
        self.end_frame()
        if not self.parser.wanted_frames:
            return
        behind = len(self.buffer) + line
        self.frame = self.parser.note_frame(self.word, self.direction, behind, -1, tx_id)

    def end_frame(self) -> None:
        """Note that the message has ended with what was taken."""
        if self.frame is not None:
            self.parser.end_frame(self.frame, len(self.buffer))
            self.frame = None

    def release(self) -> None:
        """Let go of messages, bytes and the parser: there is no more to read."""
        self.tx = self.last = self.frame = None
        self.pending = b""
        if self.buffer:
            self.buffer = bytearray()
        self.parser = None  # type: ignore[assignment]

    def run(self) -> None:
        """Go on as far as the bytes allow."""
        while not self.parser.stopped and self.step():
            pass

    def step(self) -> bool:
        """Read what is due; tell whether there may be more to read."""
        raise NotImplementedError

    def on_start(self) -> bool:
        """Wait for the first line of a message."""
        raise NotImplementedError

    def plain_head(self, data: bytes, start: int) -> Headers | None:
        """Read the field block at ``start`` if it is whole and plain, and keep what is behind it."""
        headers = Headers.__new__(Headers)
        headers.begin()
        limits = self.parser.limits
        end = field_block(data, start, limits.field_limit, headers)
        if end < 0 or end - start > min(limits.field_limit, _MAX_RAW) or headers.count > limits.headers_limit:
            return None
        if end < len(data):
            self.buffer += data[end:]
        self.scanned = 0
        return headers

    def on_headers_done(self) -> bool:
        """Decide what follows the field block."""
        raise NotImplementedError

    def finish_message(self) -> None:
        """Keep the message as the last one; it is complete unless more comes at once."""
        if self.tx is None:
            return
        self.last, self.tx = self.tx, None
        self.finishing = True
        self.end_frame()
        if self.state != LOST_STEP:
            self.state = START_STEP

    # --- lines

    def take(self, count: int) -> bytes:
        """Remove bytes from the front."""
        self.scanned = 0
        if count >= len(self.buffer):
            data = bytes(self.buffer)
            self.buffer.clear()
            return data
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def take_line(self) -> bytes | None:
        """Give the next line with its line feed, None while there is none."""
        if not self.buffer:
            self.scanned = 0
            return None
        at = self.buffer.find(b"\n", self.scanned)
        if at < 0:
            self.scanned = len(self.buffer)
            if self.ended and self.buffer:
                return self.take(len(self.buffer))
            return None
        return self.take(at + 1)

    def too_long(self, size: int) -> bool:
        """Tell whether a line is over the limit; the direction is then given up."""
        if size <= self.parser.limits.field_limit:
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
        self.state = LOST_STEP

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
        headers = tx.own_headers(self.direction)
        if not (self.pending or self.in_trailer or headers.size()) and self.plain_block(tx):
            return self.end_block(tx)
        found = self.next_field_line()
        if found is None:
            return self.too_long(len(self.buffer))
        line, end = found
        if self.too_long(len(line)):
            return True
        if headers.size() < _MAX_RAW:
            headers.grow(line)
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
        if line:
            self.take_field(tx, tx.own_headers(self.direction), line)

    def plain_block(self, tx: HttpTransaction) -> bool:
        """Take a whole field block at once, where it is there and as plain as nearly all are.

        Anything but lines of one field that end with CR LF is left to be read line by line.
        """
        end = self.buffer.find(b"\r\n\r\n")
        if end <= 0 or end > self.parser.limits.field_limit - 4 or end > _MAX_RAW - 4:
            return False
        block = bytes(self.buffer[: end + 4])
        lines = block.count(b"\r\n")
        if block.count(b"\n") != lines or block.count(b"\r") != lines or block[0] in _FOLD or block[0] == 13:
            return False
        if b"\r\n " in block or b"\r\n\t" in block or b"\r\n\0" in block:
            return False
        headers = tx.own_headers(self.direction)
        headers.block = block
        del self.buffer[: end + 4]
        self.scanned = 0
        for line in block[:end].split(b"\r\n"):
            self.take_field(tx, headers, line)
        return True

    def take_field(self, tx: HttpTransaction, headers: Headers, line: bytes) -> None:
        """Take one field, put together from the lines it was folded into."""
        if headers.count >= self.parser.limits.headers_limit:
            tx.note(f"{self.word}_too_many_headers")
            return
        name, value, problems = split_field(line)
        for problem in problems:
            tx.note(
                f"{self.word}_field_missing_colon"
                if problem == "missing_colon"
                else f"{self.word}_header_invalid"
            )
        if headers.add(name, value, self.parser.limits.field_limit):
            tx.note(f"{self.word}_header_repetition")

    def close_body(self, complete: bool) -> None:
        """End the body of the message."""
        raise NotImplementedError
