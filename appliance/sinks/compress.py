"""Rotated files are compressed beside their writer, which never waits for it."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections import deque
from pathlib import Path

from appliance.sinks.complaints import Say

_CHUNK = 1 << 18
_LEVEL = 6
PART = ".part"


class Compressor:
    """Makes ``NAME.gz`` of files in a thread of its own, one after the other.

    A file stays as it is until its compressed form is complete, so stopping at any time loses nothing; what
    was not done is found and done by the next start.
    """

    def __init__(self, say: Say) -> None:
        """Tell by ``say`` what could not be compressed."""
        self._say = say
        self._waiting: deque[Path] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, path: Path) -> None:
        """Compress ``path`` when its turn comes."""
        with self._wake:
            self._waiting.append(path)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compress", daemon=True)
                self._thread.start()
            self._wake.notify_all()

    def wait(self, within: float) -> bool:
        """Wait until everything is done; False when ``within`` seconds were not enough."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting, within)

    def stop(self) -> None:
        """Stop at the next chunk; what is not complete is left uncompressed."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while path := self._next():
            try:
                self._compress(path)
            except OSError as error:
                self._say(f"{path}: cannot be compressed: {error.strerror or error}")
            with self._wake:
                self._waiting.popleft()
                self._wake.notify_all()

    def _next(self) -> Path | None:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._stopping)
            return None if self._stopping else self._waiting[0]

    def _compress(self, path: Path) -> None:
        part = path.with_name(path.name + ".gz" + PART)
        try:
            if self._copy(path, part):
                part.replace(path.with_name(path.name + ".gz"))
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # removed while it waited: nothing is left to do
            return
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _copy(self, path: Path, part: Path) -> bool:
        """Write the compressed form; False when stopped on the way."""
        with path.open("rb") as source, gzip.open(part, "wb", compresslevel=_LEVEL) as target:
            part.chmod(path.stat().st_mode & 0o777)
            while data := source.read(_CHUNK):
                target.write(data)
                if self._stopping:
                    return False
        return True
