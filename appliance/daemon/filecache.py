"""Compiled pattern databases and parsed rules kept in a folder between runs."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

_MAGIC = b"EWHS1\n"
_DIGEST = 32


def _private(status: os.stat_result) -> bool:
    """Tell whether nobody but us (or root) can have written a file."""
    return status.st_uid in {os.geteuid(), 0} and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class FileCache:
    """A folder of entries named by their key, kept below ``max_bytes`` by dropping the oldest.

    An entry carries a hash of its content: damage makes it unusable, never dangerous to load. One that
    somebody else owns or may write is not read: the hash would prove nothing.
    """

    def __init__(self, folder: Path, max_bytes: int = 256 << 20) -> None:
        """Use ``folder``, made for its owner alone when it is not there."""
        self._folder = folder
        self._max_bytes = max_bytes

    def load(self, key: str) -> bytes | None:
        """Give the entry, or None when there is none or it is damaged."""
        try:
            with self._path(key).open("rb") as file:
                data = file.read() if _private(os.fstat(file.fileno())) else b""
        except OSError:
            return None
        head = len(_MAGIC) + _DIGEST
        body = data[head:]
        if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : head] != hashlib.sha256(body).digest():
            return None
        return body

    def store(self, key: str, data: bytes) -> None:
        """Write the entry in one step; a folder that cannot be written costs only time."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._path(key), _MAGIC + hashlib.sha256(data).digest() + data)
            self._trim()
        except OSError:
            return

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.hs"

    def _write(self, path: Path, data: bytes) -> None:
        """Write beside the target and rename, so that readers see all or nothing."""
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _trim(self) -> None:
        """Remove the oldest entries while the folder is too large."""
        found = sorted((p.stat().st_mtime, p.stat().st_size, p) for p in self._folder.glob("*.hs"))
        total = sum(size for _, size, _ in found)
        for _, size, path in found:
            if total <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
