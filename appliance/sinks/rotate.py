"""A file of lines that is put aside by size and by time, and that survives what happens to files."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from appliance.sinks.complaints import Complaints, Say
from appliance.sinks.compress import PART, Compressor

_SECOND = 1_000_000_000
_LOOK = _SECOND  # how often to look whether the file is still the one with its name
_RETRY = 10 * _SECOND  # after a rotation that failed
_MODE = 0o640
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_MAX_SAME = 10_000


@dataclass(frozen=True, slots=True)
class Rotation:
    """When to put a file aside: at ``size`` bytes, ``every`` nanoseconds (0: never); ``keep`` old ones."""

    size: int = 0
    every: int = 0
    keep: int = 10
    compress: bool = False


class RotatingFile:
    """Appends lines to a file; time is an argument everywhere (nanoseconds since the epoch).

    An old file is called as the file with ``-20260102T030405Z`` behind it (and ``.1``, ``.2`` ... if that
    exists already), and ``.gz`` behind that when it is compressed. Intervals are counted from the epoch:
    ``every`` one day rotates at midnight UTC. A file that somebody has removed or renamed is opened anew
    under its name within a second of writing. What cannot be written is lost, counted and said; no line is
    ever written in part.
    """

    def __init__(self, path: str, rotation: Rotation, say: Say, now: int) -> None:
        """Open ``path``; when that fails it is said and tried again with the next lines."""
        self.path = Path(path)
        self.complaints = Complaints(path, say)
        self.aside = Complaints(path, say)  # about old files
        self.written = 0
        self.lost = 0
        self.rotated = 0
        self._rotation = rotation
        self._compressor = Compressor(say) if rotation.compress else None
        self._fd = -1
        self._size = 0
        self._period = 0
        self._looked = now
        self._not_before = now
        self._open(now)
        self._take_up_old()

    def write(self, lines: Sequence[bytes], now: int) -> None:
        """Append whole lines, each with its end."""
        self.tick(now)
        if self._fd < 0 and not self._open(now):
            self.lost += len(lines)
            return
        for part in self._parts(lines, now):
            self._append(part, now)

    def tick(self, now: int) -> None:
        """Rotate when it is time to, and look after the file; to be called when nothing is written, too."""
        if abs(now - self._looked) >= _LOOK:
            self._looked = now
            if self._fd >= 0 and not self._is_ours():
                self.reopen(now)
        every = self._rotation.every
        if every and self._fd >= 0 and now // every != self._period:
            if self._size:
                self._rotate(now)
            else:
                self._period = now // every

    def reopen(self, now: int) -> None:
        """Open the file anew under its name, for who renames files himself (logrotate)."""
        self._shut()
        self._open(now)

    def close(self, within: float = 0.0) -> None:
        """Close the file; compressing gets ``within`` seconds to end, else the next start does it."""
        self._shut()
        if self._compressor is not None:
            self._compressor.wait(within)
            self._compressor.stop()

    def _parts(self, lines: Sequence[bytes], now: int) -> list[Sequence[bytes]]:
        """Part lines where the file becomes full; rotates on the way for all but the last part."""
        limit = self._rotation.size
        if not limit:
            return [lines]
        parts: list[Sequence[bytes]] = []
        start = pending = 0
        for at, line in enumerate(lines):
            size = self._size + pending
            if size and size + len(line) > limit and now >= self._not_before:
                self._append(lines[start:at], now)
                self._rotate(now)
                start, pending = at, 0
            pending += len(line)
        parts.append(lines[start:])
        return parts

    def _append(self, lines: Sequence[bytes], now: int) -> None:
        """Write lines in one piece; of a piece that does not fit the whole lines stay."""
        if self._fd < 0:
            self.lost += len(lines)
            return
        data = memoryview(b"".join(lines))
        done, problem = 0, ""
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError as error:
            problem = error.strerror or str(error)
        kept = len(lines) if not problem else self._cut(lines, done)
        self.written += kept
        self.lost += len(lines) - kept
        self._size += done
        if problem:
            self.complaints.add(f"cannot be written: {problem}", now)
        elif lines:
            self.complaints.over()

    def _cut(self, lines: Sequence[bytes], done: int) -> int:
        """Take back the part of a line that was written; gives the number of lines that stay."""
        whole = kept = 0
        for line in lines:
            if whole + len(line) > done:
                break
            whole += len(line)
            kept += 1
        if done > whole:
            try:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - (done - whole))
                self._size -= done - whole
            except OSError:
                self._shut()  # no ordinary file; a new start is all that can be had
        return kept

    def _open(self, now: int) -> bool:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, _FLAGS, _MODE)
            found = os.fstat(self._fd)
        except OSError as error:
            self.complaints.add(f"cannot be opened: {error.strerror or error}", now)
            return False
        self._size = found.st_size
        every = self._rotation.every
        if every:
            self._period = (found.st_mtime_ns if found.st_size else now) // every
        return True

    def _shut(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_ours(self) -> bool:
        """Tell whether the open file is still the one with its name."""
        try:
            there, here = self.path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _rotate(self, now: int) -> None:
        """Put the file aside. When that fails, the file is written on and it is tried again later."""
        if now < self._not_before or not self._size:
            return
        try:
            aside = self._free_name(now)
            self.path.rename(aside)
        except OSError as error:
            self._not_before = now + _RETRY
            self.aside.add(f"cannot be rotated: {error.strerror or error}", now)
            return
        self.rotated += 1
        self.aside.over()
        self.reopen(now)
        if self._rotation.every:
            self._period = now // self._rotation.every
        if self._compressor is not None and self._rotation.keep:
            self._compressor.add(aside)
        self._remove_old(now)

    def _free_name(self, now: int) -> Path:
        moment = datetime.fromtimestamp(now // _SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
        base = f"{self.path.name}-{moment}"
        for number in range(_MAX_SAME):
            name = self.path.with_name(f"{base}.{number:04d}" if number else base)
            if not name.exists() and not name.with_name(name.name + ".gz").exists():
                return name
        raise FileExistsError(errno.EEXIST, "too many old files of one second")

    def _old(self) -> list[Path]:
        """Give the old files, oldest first; both forms of one file count as one."""
        found = {}
        start = self.path.name + "-"
        for entry in self.path.parent.iterdir():
            name = entry.name.removesuffix(".gz")
            if name.startswith(start) and _is_moment(name[len(start) :]):
                found[name] = entry.with_name(name)
        return [found[name] for name in sorted(found)]

    def _remove_old(self, now: int) -> None:
        try:
            old = self._old()
            for path in old[: max(len(old) - self._rotation.keep, 0)]:
                path.unlink(missing_ok=True)
                path.with_name(path.name + ".gz").unlink(missing_ok=True)
        except OSError as error:
            self.aside.add(f"old files cannot be removed: {error.strerror or error}", now)

    def _take_up_old(self) -> None:
        """Go on with compressing where an earlier run was stopped."""
        if self._compressor is None:
            return
        try:
            for part in self.path.parent.glob(f"{glob.escape(self.path.name)}-*.gz{PART}"):
                part.unlink(missing_ok=True)
            for path in self._old():
                if path.exists():
                    self._compressor.add(path)
        except OSError:  # the folder cannot be read; opening the file has said so
            return


def _is_moment(text: str) -> bool:
    """Tell whether this is what stands behind the name of an old file."""
    moment, _, number = text.partition(".")
    digits = moment[:8] + moment[9:15]
    return (
        len(moment) == 16
        and digits.isdigit()
        and moment[8] + moment[15] == "TZ"
        and (number or "0").isdigit()
    )
