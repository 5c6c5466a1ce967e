"""Bookkeeping of files that travel inside transactions: window, size, hashes, state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from appliance.config.settings import AppSettings
from appliance.model.app import FileObject
from appliance.protocols.spool import Spool

Magic = Callable[[bytes], str]

_MAKERS = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256}
MAX_NAME = 4096
MAGIC_BYTES = 4096  # enough for every signature that libmagic looks for near the start
_LARGEST = 1 << 62  # bytes; compiled, sizes are 64 bits wide


class FileTracker:
    """Opens, fills and closes the files of one flow.

    ``window`` bounds the bytes kept of one file, ``hashes`` are the digests computed ("md5", "sha1",
    "sha256") and ``magic`` names a content type from the first bytes (injected: libmagic is not
    part of the core). With a ``spool`` the bytes wait there until somebody fetches them to store them.
    """

    def __init__(
        self,
        window: int,
        hashes: frozenset[str] = frozenset(),
        magic: Magic | None = None,
        spool: Spool | None = None,
    ) -> None:
        """Start without files."""
        self._set_up(window, hashes, magic, spool)

    def _set_up(self, window: int, hashes: frozenset[str], magic: Magic | None, spool: Spool | None) -> None:
        """Set all fields."""
        self.window = window
        self.hashes = hashes
        self.magic = magic
        self.spool = spool
        self.next_id = 0

    def another(self) -> FileTracker:
        """Make a tracker for another flow that does the same."""
        made = FileTracker.__new__(FileTracker)
        made._set_up(self.window, self.hashes, self.magic, self.spool)
        return made

    @classmethod
    def of(cls, app: AppSettings, window: int = -1) -> FileTracker:
        """Make a tracker that does what the settings ask for; ``window`` in the place of theirs."""
        return cls(app.file_limit if window < 0 else window, app.force_hashes, app.magic, app.spool)

    def open(self, name: bytes, direction: int, tx_id: int) -> FileObject:
        """Begin a file."""
        name = name if len(name) <= MAX_NAME else name[:MAX_NAME]
        file = FileObject.__new__(FileObject)
        file.begin(self.next_id, name, direction, tx_id)
        self.next_id += 1
        if self.hashes:
            file.hashes = {kind: _MAKERS[kind](usedforsecurity=False) for kind in sorted(self.hashes)}
        if self.spool is not None:
            file.spool = self.spool.buffer()
            file.store = self.spool.everything
        return file

    def append(self, file: FileObject, data: bytes) -> None:
        """Add the next bytes; those beyond the window only count and hash."""
        if file.state != "OPEN" or not data:
            return
        room = self.window - len(file.data)
        if room > 0:
            file.data += data if len(data) <= room else data[:room]
        file.size += len(data)
        if file.hashes is not None:
            for digest in file.hashes.values():
                digest.update(data)
        if file.spool is not None:
            file.spool.add(data)
        if self.magic is not None and not file.magic and len(file.data) >= MAGIC_BYTES:
            file.magic = self.magic(bytes(file.data[:MAGIC_BYTES]))

    def gap(self, file: FileObject, length: int) -> None:
        """Take note that bytes are missing; digests say nothing after that.

        Whoever sends the file says where its pieces belong: nothing is larger than what a file can be.
        """
        if file.state != "OPEN":
            return
        file.gaps = True
        file.size = min(file.size + length, _LARGEST)
        room = self.window - len(file.data)
        if room > 0:
            file.data += bytes(min(room, length))

    def close(self, file: FileObject, complete: bool = True) -> None:
        """End a file: "CLOSED" when nothing is missing, "TRUNCATED" otherwise."""
        if file.state != "OPEN":
            return
        file.state = "CLOSED" if complete and not file.gaps else "TRUNCATED"
        if file.hashes is not None:
            for kind, digest in file.hashes.items():
                setattr(file, kind, digest.hexdigest())
        if self.magic is not None and not file.magic:
            file.magic = self.magic(bytes(file.data[:MAGIC_BYTES]))

    def reopen(self, file: FileObject) -> None:
        """Go on with a file that had been ended, because more of it has come."""
        file.state = "OPEN"
        file.logged = False


def name_from_path(path: bytes) -> bytes:
    """Give the last segment of a URL path, without query and decoded; empty when there is none."""
    segment = path.split(b"?", 1)[0].rsplit(b"/", 1)[-1]
    return unquote_to_bytes(segment)[:MAX_NAME]


def name_from_disposition(value: bytes) -> bytes:
    """Give the file name of a Content-Disposition header (RFC 6266), empty when it has none.

    ``filename=`` as token or quoted string; a path in front of the name is kept, as it was sent.
    """
    lower = value.lower()
    start = 0
    while True:
        at = lower.find(b"filename", start)
        if at < 0:
            return b""
        rest = value[at + 8 :].lstrip(b" \t")
        if rest[:1] == b"=" and (at == 0 or lower[at - 1 : at] in {b" ", b"\t", b";"}):
            return _parameter(rest[1:].lstrip(b" \t"))
        start = at + 8


def _parameter(rest: bytes) -> bytes:
    """Read a token or a quoted string; an unfinished quote goes up to the end."""
    if rest[:1] != b'"':
        return rest.split(b";", 1)[0].strip()[:MAX_NAME]
    out = bytearray()
    i = 1
    while i < len(rest) and len(out) < MAX_NAME:
        byte = rest[i]
        if byte == 0x22:
            break
        if byte == 0x5C and i + 1 < len(rest) and rest[i + 1] in b'"\\':
            i += 1
            byte = rest[i]
        out.append(byte)
        i += 1
    return bytes(out)
