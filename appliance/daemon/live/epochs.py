"""The number of the policies in force, kept across restarts so that old marks in the kernel stay right."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

_FILE = "epoch.json"


def fingerprint(files: Iterable[Path], extra: str = "") -> str:
    """Give a hash of everything that verdicts depend on: the content of ``files`` and ``extra``."""
    digest = hashlib.sha256(extra.encode())
    for path in sorted(files):
        digest.update(str(path).encode() + b"\0")
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


class Epochs:
    """Gives each set of documents its number; the same documents keep theirs over a restart."""

    def __init__(self, folder: Path) -> None:
        """Read what was noted last, if anything was."""
        self._path = folder / _FILE
        self.current = 0
        self._fingerprint = ""
        try:
            noted = json.loads(self._path.read_text())
            self.current, self._fingerprint = int(noted["epoch"]), str(noted["fingerprint"])
        except (OSError, ValueError, TypeError, KeyError):
            return

    def of(self, documents: str) -> int:
        """Give the epoch of documents with this fingerprint, a new one unless they are those in force."""
        if documents == self._fingerprint and self.current:
            return self.current
        return self.advance(documents)

    def keep(self, documents: str) -> None:
        """Take note that other documents say the same of every connection, so that their epoch stays."""
        self._write(self.current, documents)

    def advance(self, documents: str | None = None) -> int:
        """Make everything the kernel remembers out of date; noted before it is used."""
        self._write(self.current + 1, self._fingerprint if documents is None else documents)
        return self.current

    def _write(self, epoch: int, documents: str) -> None:
        self.current, self._fingerprint = epoch, documents
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps({"epoch": self.current, "fingerprint": self._fingerprint}))
        beside.replace(self._path)
