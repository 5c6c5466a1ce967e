"""The file store: files that passed, each under the SHA-256 of its contents.

Names come from the digest alone, never from the traffic. A file is written under a temporary name and
renamed when it is complete, so that what has its final name is whole; the same contents are kept once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from appliance.config.settings import EveOutput, FileStoreSettings
from appliance.model.event import Event, FileDataEvent, FileEvent
from appliance.sinks.application import file_record
from appliance.sinks.header import Context

_SECOND = 1_000_000_000
_TEMPORARY = "tmp"
_MAX_PENDING = 65_536  # files begun and not ended


@dataclass(slots=True)
class _Pending:
    """A file that is being written."""

    path: Path
    digest: Any = field(default_factory=hashlib.sha256)
    failed: bool = False


class FileStore:
    """Writes stored files below a folder.

    At most ``max_open`` files are open at a time: the one not written to for longest is closed and opened
    again when more of it comes. What cannot be written is counted as ``file_store.fs_errors``; inspection
    goes on.
    """

    def __init__(self, settings: FileStoreSettings, folder: Path, count: Callable[[str, int], None]) -> None:
        """Store below ``folder``; ``count`` adds to a counter of the engine."""
        self.context = Context(EveOutput())
        self._settings = settings
        self._folder = folder
        self._count = count
        self._pending: dict[int, _Pending] = {}
        self._open: OrderedDict[int, IO[bytes]] = OrderedDict()
        count("file_store.fs_errors", 0)
        count("file_store.open_files", 0)
        count("file_store.open_files_max_hit", 0)

    def write(self, event: Event) -> None:
        """Take the next bytes of a file, or its record."""
        if isinstance(event, FileDataEvent):
            self._data(event)
        elif isinstance(event, FileEvent) and event.file.stored and self._settings.write_fileinfo:
            self._fileinfo(event)

    def close(self) -> None:
        """Give up files that have not ended."""
        for number in list(self._pending):
            self._discard(number)

    def _data(self, event: FileDataEvent) -> None:
        number = event.file.store_id
        pending = self._pending.get(number)
        if pending is None:
            if len(self._pending) >= _MAX_PENDING:
                self._error()
                return
            pending = self._pending[number] = _Pending(self._temporary(number))
        if event.data and not pending.failed:
            self._append(number, pending, event.data)
        if event.last:
            if pending.failed or not event.file.store:
                self._discard(number)
            else:
                self._finish(number, pending)

    def _temporary(self, number: int) -> Path:
        return self._folder / _TEMPORARY / f"{os.getpid()}.{number}"

    def _append(self, number: int, pending: _Pending, data: bytes) -> None:
        try:
            self._handle(number, pending).write(data)
        except OSError:
            pending.failed = True
            self._error()
            return
        pending.digest.update(data)

    def _handle(self, number: int, pending: _Pending) -> IO[bytes]:
        """Give the open file, opening it if need be.

        Raises:
            OSError: it cannot be opened.
        """
        handle = self._open.get(number)
        if handle is None:
            if len(self._open) >= self._settings.max_open:
                self._count("file_store.open_files_max_hit", 1)
                self._shut(next(iter(self._open)))
            pending.path.parent.mkdir(parents=True, exist_ok=True)
            handle = self._open[number] = pending.path.open("ab")
            self._count("file_store.open_files", 1)
        self._open.move_to_end(number)
        return handle

    def _shut(self, number: int) -> None:
        """Close a file.

        Raises:
            OSError: what was buffered cannot be written.
        """
        handle = self._open.pop(number, None)
        if handle is not None:
            self._count("file_store.open_files", -1)
            handle.close()

    def _finish(self, number: int, pending: _Pending) -> None:
        """Give a complete file its name."""
        path = self._path(pending.digest.hexdigest())
        try:
            if number not in self._open:
                self._handle(number, pending)  # an empty file, or one that was closed for others
            self._shut(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            pending.path.replace(path)
        except OSError:
            self._error()
            self._discard(number)
            return
        del self._pending[number]

    def _discard(self, number: int) -> None:
        pending = self._pending.pop(number)
        try:
            self._shut(number)
            pending.path.unlink(missing_ok=True)
        except OSError:
            self._error()

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    def _fileinfo(self, event: FileEvent) -> None:
        """Write the record of a file beside it: ``<sha256>.<seconds>.<number>.json``."""
        digest = event.file.sha256
        if not digest:
            return
        name = f"{digest}.{event.now // _SECOND}.{event.file.store_id}.json"
        try:
            path = self._path(digest).with_name(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(file_record(self.context, event)) + "\n", encoding="utf-8")
        except OSError:
            self._error()

    def _error(self) -> None:
        self._count("file_store.fs_errors", 1)
