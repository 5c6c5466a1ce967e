"""What waits for a receiver that is slow or absent: in memory, then on disk, oldest first."""

from __future__ import annotations

from collections import deque

from appliance.sinks.spool import Segment, Spool

OVERHEAD = 64  # what a record costs in memory beside its bytes
_MIN_SEGMENT, _MAX_SEGMENT = 4 << 10, 8 << 20


def segment_size(memory: int, disk: int) -> int:
    """Give the size of spool files that fits the bounds of a buffer: several of them fit in both."""
    return min(max(min(memory // 4, disk // 8), _MIN_SEGMENT), _MAX_SEGMENT)


class _Run:
    """Messages in memory, one behind the other, that came from the same file or from none."""

    __slots__ = ("left", "source")

    def __init__(self, source: Segment | None) -> None:
        self.source = source
        self.left = 1


class RecordBuffer:
    """A bounded first-in, first-out buffer of messages with confirmation.

    :meth:`take` gives messages out one by one, :meth:`confirm` forgets the oldest of these, and
    :meth:`rewind` gives all that were not confirmed out again: so each arrives at least once. When both
    memory and disk are full, new messages are lost and counted, so that the beginning of what happened is
    kept.
    """

    def __init__(self, memory: int, spool: Spool | None = None) -> None:
        """Hold up to ``memory`` bytes (each message counted with :data:`OVERHEAD`), the rest in ``spool``."""
        self._limit = memory
        self._spool = spool
        self._waiting: deque[bytes] = deque()
        self._given: deque[bytes] = deque()  # out and not confirmed, oldest first
        self._runs: deque[_Run] = deque()  # of given and waiting ones, oldest first
        self._bytes = 0
        self._lost = 0

    @property
    def lost(self) -> int:
        """Messages that there was no room for, or that were damaged on disk."""
        return self._lost + (self._spool.lost if self._spool is not None else 0)

    @property
    def held(self) -> int:
        """Messages that are not confirmed."""
        on_disk = self._spool.records if self._spool is not None else 0
        return len(self._waiting) + len(self._given) + on_disk

    @property
    def memory_bytes(self) -> int:
        """Bytes in memory, overhead included."""
        return self._bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes on disk."""
        return self._spool.size if self._spool is not None else 0

    @property
    def room(self) -> int:
        """Bytes that messages, each with :data:`OVERHEAD`, may have to be taken for sure."""
        if self._spool is None:
            return max(self._limit - self._bytes, 0)
        return self._spool.room

    def push(self, message: bytes) -> bool:
        """Add a message behind all others; False when it is lost."""
        spool = self._spool
        full = self._bytes + len(message) + OVERHEAD > self._limit
        if spool is None and full:
            self._lost += 1
            return False
        if spool is not None and (full or spool.records):
            return spool.append(message)
        self._add(message, None)
        return True

    def take(self) -> bytes | None:
        """Give the oldest message that is not out; None when there is none."""
        if not self._waiting:
            self._fill()
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        self._given.append(message)
        return message

    def give_back(self) -> None:
        """Take back the message that was given out last, since it could not be sent now."""
        self._waiting.appendleft(self._given.pop())

    def confirm(self, count: int) -> None:
        """Forget the ``count`` oldest messages that are out."""
        for _ in range(count):
            self._bytes -= len(self._given.popleft()) + OVERHEAD
            run = self._runs[0]
            run.left -= 1
            if not run.left:
                self._runs.popleft()
                self._discard(run.source)

    def rewind(self) -> None:
        """Have everything that is not confirmed given out again."""
        self._waiting.extendleft(reversed(self._given))
        self._given.clear()

    def close(self) -> int:
        """Keep on disk what is in memory, where there is a spool; gives the messages lost by closing."""
        before = self.lost
        self.rewind()
        if self._spool is None:
            self._lost += len(self._waiting)
        else:
            loaded = [run.source for run in self._runs if run.source is not None]
            self._spool.put_back(list(self._waiting), loaded)
            self._spool.close()
        self._waiting.clear()
        self._runs.clear()
        self._bytes = 0
        return self.lost - before

    def _add(self, message: bytes, source: Segment | None) -> None:
        self._waiting.append(message)
        self._bytes += len(message) + OVERHEAD
        if self._runs and self._runs[-1].source is source:
            self._runs[-1].left += 1
        else:
            self._runs.append(_Run(source))

    def _fill(self) -> None:
        """Bring the next file into memory once there is room, or nothing else is there."""
        spool = self._spool
        while spool is not None and spool.records and not self._waiting:
            if self._given and self._bytes + spool.next_size > self._limit:
                return
            loaded = spool.load()
            if loaded is None:
                return
            segment, messages = loaded
            for message in messages:
                self._add(message, segment)
            if not messages:
                spool.discard(segment)

    def _discard(self, segment: Segment | None) -> None:
        if self._spool is not None and segment is not None:
            self._spool.discard(segment)
