"""Records on disk that wait for their receiver: segment files, oldest first, bounded in bytes."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path

_MAGIC = b"EWSPOOL1"
_HEAD = struct.Struct("<II")  # length, CRC-32 of the record
OVERHEAD = _HEAD.size  # what a record costs on disk beside its bytes
_MAX_RECORD = 1 << 20
_FIRST = 1 << 40  # numbers go up from here, and down for what has to stand in front
_OPEN, _SEALED = ".open", ".seg"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class SpoolError(Exception):
    """The folder cannot be used."""


class Segment:
    """One file: its number orders it; ``records`` and ``size`` say what it holds."""

    __slots__ = ("number", "path", "records", "size")

    def __init__(self, path: Path, number: int, records: int, size: int) -> None:
        self.path = path
        self.number = number
        self.records = records
        self.size = size


class Spool:
    """A folder of segments, used by one process at a time.

    A segment that is written to is called ``NUMBER.open``; when it is full, or is to be read, it becomes
    ``NUMBER-RECORDS.seg``. A process that is killed leaves an open one behind: what is whole in it is kept,
    the damaged end is cut off and counted in ``damaged`` (bytes). Files are not forced to the disk: they
    survive the end of the process, of the machine only as far as the kernel had written them.
    """

    def __init__(self, folder: str, limit: int, segment: int) -> None:
        """Take over ``folder``: at most ``limit`` bytes in it, about ``segment`` bytes in a file.

        Raises:
            SpoolError: it cannot be used, or another process uses it.
        """
        self.folder = Path(folder)
        self.limit = limit
        self.damaged = 0
        self.lost = 0
        self.trouble = ""
        self._segment = segment
        self._fd = -1
        self._highest = _FIRST
        self._current: Segment | None = None
        self._waiting: list[Segment] = []
        self._size = 0  # bytes of all files, also of those that were given out and not discarded
        try:
            self._lock = self._take_lock()
            self._recover()
        except OSError as error:
            raise SpoolError(f"{folder}: {error.strerror or error}") from error

    @property
    def records(self) -> int:
        """Records that wait here and were not given out."""
        return sum(one.records for one in self._waiting) + (self._current.records if self._current else 0)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self._size

    @property
    def next_size(self) -> int:
        """Bytes of the file that :meth:`load` would give."""
        first = self._waiting[0] if self._waiting else self._current
        return first.size if first is not None else 0

    @property
    def room(self) -> int:
        """Bytes that records, each with :data:`OVERHEAD`, may have to be taken for sure."""
        return max(self.limit - self._size - len(_MAGIC), 0)

    def append(self, record: bytes) -> bool:
        """Write a record behind all others; False, and counted, when there is no room for it."""
        if len(record) > _MAX_RECORD or len(record) + OVERHEAD > self.room:
            self.lost += 1
            return False
        try:
            current = self._current or self._begin(self._highest + 1)
            self._put(current, record)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            self.lost += 1
            return False
        self.trouble = ""
        if current.size >= self._segment:
            self._seal()
        return True

    def load(self) -> tuple[Segment, list[bytes]] | None:
        """Give the oldest segment and its records; it stays on disk until :meth:`discard`."""
        if not self._waiting:
            self._seal()
        if not self._waiting:
            return None
        segment = self._waiting.pop(0)
        try:
            records, _ = _read(segment.path)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            records = []
        self.lost += max(segment.records - len(records), 0)
        return segment, records

    def discard(self, segment: Segment) -> None:
        """Forget a segment whose records have arrived."""
        self._size -= segment.size
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def put_back(self, records: list[bytes], loaded: list[Segment]) -> None:
        """Keep for the next start what is in memory: ``records``, in front of everything that waits.

        ``loaded`` are the segments that some of them came from; these are discarded.
        """
        self._seal()
        waiting, self._waiting = self._waiting, []
        self._size -= sum(segment.size for segment in loaded)
        numbers = [segment.number for segment in (*loaded, *waiting)]
        self._keep(records, min(numbers, default=_FIRST) - 1)
        self._seal()
        self._waiting += waiting
        for segment in loaded:
            self._size += segment.size
            self.discard(segment)

    def _keep(self, records: list[bytes], number: int) -> None:
        """Write records to one file, as many as there is room for."""
        for at, record in enumerate(records):
            if len(record) > _MAX_RECORD or len(record) + OVERHEAD > self.room:
                self.lost += len(records) - at
                return
            try:
                self._put(self._current or self._begin(number), record)
            except OSError as error:
                self.trouble = error.strerror or str(error)
                self.lost += len(records) - at
                return

    def close(self) -> None:
        """Seal what is open and let go of the folder."""
        self._seal()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_lock(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise OSError(error.errno, "is in use by another process") from error
        return lock

    def _recover(self) -> None:
        """Find what an earlier process left."""
        for path in sorted(self.folder.iterdir()):
            if path.suffix == _OPEN and path.stem.isdigit():
                self._mend(path)
        for path in self.folder.iterdir():
            number, _, records = path.stem.partition("-")
            if path.suffix == _SEALED and number.isdigit() and records.isdigit():
                self._waiting.append(Segment(path, int(number), int(records), path.stat().st_size))
        self._waiting.sort(key=lambda segment: segment.number)
        self._size = sum(segment.size for segment in self._waiting)
        self._highest = max([_FIRST, *(segment.number for segment in self._waiting)])

    def _mend(self, path: Path) -> None:
        """Seal a segment that a process left open, without its damaged end."""
        records, whole = _read(path)
        self.damaged += max(path.stat().st_size - whole, 0)
        if not records:
            path.unlink()
            return
        os.truncate(path, whole)
        path.rename(path.with_name(f"{path.stem}-{len(records)}{_SEALED}"))

    def _begin(self, number: int) -> Segment:
        path = self.folder / f"{number:016d}{_OPEN}"
        self._fd = os.open(path, _FLAGS, 0o600)
        self._current = Segment(path, number, 0, 0)
        self._highest = max(self._highest, number)
        self._write(self._current, _MAGIC)
        return self._current

    def _put(self, segment: Segment, record: bytes) -> None:
        self._write(segment, _HEAD.pack(len(record), zlib.crc32(record)) + record)
        segment.records += 1

    def _write(self, segment: Segment, data: bytes) -> None:
        """Write all of ``data`` or nothing."""
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:
            if done:
                os.ftruncate(self._fd, segment.size)
            raise
        segment.size += done
        self._size += done

    def _seal(self) -> None:
        """End the file that is written to, if there is one."""
        current = self._current
        if current is None:
            return
        os.close(self._fd)
        self._fd, self._current = -1, None
        sealed = current.path.with_name(f"{current.path.stem}-{current.records}{_SEALED}")
        try:
            current.path.rename(sealed)
            current.path = sealed
        except OSError as error:
            self.trouble = error.strerror or str(error)
        if current.records:
            self._waiting.append(current)
        else:
            self.discard(current)


def _read(path: Path) -> tuple[list[bytes], int]:
    """Read the records of a file up to its end or its first damage; gives them and the bytes they take."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        return [], 0
    at, records = len(_MAGIC), []
    while at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if length > _MAX_RECORD or len(record) < length or zlib.crc32(record) != check:
            break
        records.append(record)
        at += _HEAD.size + length
    return records, at
