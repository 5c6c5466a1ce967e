"""Files that are read and written: payloads in any order, put in order within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.model.app import FileObject
from appliance.model.packet import TOCLIENT
from appliance.protocols.files import FileTracker

if TYPE_CHECKING:
    from appliance.protocols.smb.transaction import SmbTransaction

_UNITS = {"kb": 10, "mb": 20, "gb": 30}


def size_option(value: Any, default: int) -> int:
    """Read a size of the settings: a number, or a number with kb, mb or gb."""
    text = str(value).strip().lower().replace(" ", "")
    shift = _UNITS.get(text[-2:], 0)
    digits = text[:-2] if shift else text.removesuffix("b")
    return int(digits) << shift if digits.isdigit() and len(digits) <= 12 else default


@dataclass(slots=True)
class Limits:
    """Bounds of one direction; ``queued`` counts the bytes held out of order in the whole flow."""

    max_size: int  # of one READ or WRITE; 0 is no limit
    queue_size: int
    queue_count: int
    queued: int = 0


class Transfer:
    """One direction of one open file. ``place`` is the offset up to which the file is known."""

    __slots__ = ("_direction", "_limits", "_queue", "_tracker", "file", "place", "tx")

    def __init__(self, tx: SmbTransaction, file: FileObject, tracker: FileTracker, limits: Limits) -> None:
        """Fill ``file``, which belongs to ``tx``."""
        self.tx = tx
        self.file = file
        self.place = 0
        self._tracker = tracker
        self._limits = limits
        self._direction = "read" if file.direction == TOCLIENT else "write"
        self._queue: dict[int, bytearray] = {}

    def chunk(self, offset: int) -> Chunk:
        """Begin a payload that lies at ``offset`` of the file."""
        if offset < self.place:
            self.tx.note("file_overlap")
        return Chunk(self, offset)

    def put(self, offset: int, data: bytes) -> None:
        """Take bytes at ``offset``."""
        self.tx.updated = True
        if offset > self.place:
            self._hold(offset, data)
            return
        fresh = data[self.place - offset :]
        self._tracker.append(self.file, fresh)
        self.place += len(fresh)

    def miss(self, offset: int, length: int) -> None:
        """Take note that the bytes at ``offset`` were lost on their way."""
        if offset <= self.place < offset + length:
            self._tracker.gap(self.file, offset + length - self.place)
            self.place = offset + length

    def _hold(self, offset: int, data: bytes) -> None:
        """Keep bytes until those before them have come; when they are too many, do without."""
        limits = self._limits
        key = next((at for at, held in self._queue.items() if at + len(held) == offset), offset)
        if key == offset and offset not in self._queue and len(self._queue) >= limits.queue_count:
            self.tx.note(f"{self._direction}_queue_cnt_exceeded")
            self.release()
        elif limits.queued + len(data) > limits.queue_size:
            self.tx.note(f"{self._direction}_queue_size_exceeded")
            self.release()
        if offset <= self.place or (not self._queue and limits.queued + len(data) > limits.queue_size):
            self._skip_to(offset)
            self.put(offset, data)
            return
        if key not in self._queue:
            key = offset
        held = self._queue.setdefault(key, bytearray())
        if key + len(held) == offset:
            held += data
            limits.queued += len(data)
        else:
            self.tx.note("file_overlap")

    def _skip_to(self, offset: int) -> None:
        if offset > self.place:
            self._tracker.gap(self.file, offset - self.place)
            self.place = offset

    def settle(self) -> None:
        """Take from the queue what is in order now."""
        while self._queue:
            offset = min(self._queue)
            if offset > self.place:
                return
            self._pop(offset)

    def _pop(self, offset: int) -> None:
        held = self._queue.pop(offset)
        self._limits.queued -= len(held)
        self.put(offset, bytes(held))

    def release(self) -> None:
        """Take everything from the queue, with gaps for what has not come."""
        for offset in sorted(self._queue):
            self._skip_to(offset)
            self._pop(offset)

    def close(self, *, complete: bool = True) -> None:
        """End the file and its transaction."""
        self.release()
        self._tracker.close(self.file, complete)
        self.tx.finish(0, 1)


class Chunk:
    """Sink of one payload."""

    __slots__ = ("_place", "_transfer")

    def __init__(self, transfer: Transfer, offset: int) -> None:
        """Begin at ``offset`` of the file."""
        self._transfer = transfer
        self._place = offset

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._transfer.put(self._place, data)
        self._place += len(data)

    def gap(self, length: int) -> None:
        """Take note of missing bytes."""
        self._transfer.miss(self._place, length)
        self._place += length

    def finish(self) -> None:
        """See whether what was held back is in order now."""
        self._transfer.settle()
