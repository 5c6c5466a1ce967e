"""A message body: framing undone elsewhere, here codings, limits, and the files inside."""

from __future__ import annotations

from appliance.model.app import FileObject
from appliance.protocols.files import MAX_NAME, FileTracker
from appliance.protocols.http1.decompress import Budget, Chain
from appliance.protocols.http1.multipart import Multipart

_MAX_KEPT = 1 << 20  # bytes of a body kept for rules when there is no limit
_MAX_FILES = 128  # of one message


class Body:
    """The decoded body of one direction of a transaction.

    :meth:`content` is what rules see, ``size`` how many decoded bytes were taken, at most ``limit`` of them.
    """

    __slots__ = (
        "chain",
        "closed",
        "_first",
        "_held",
        "events",
        "file",
        "files",
        "limit",
        "multipart",
        "name",
        "size",
        "tracker",
        "direction",
        "tx_id",
        "cut",
        "ranged",
        "is_file",
    )

    def __init__(self, tracker: FileTracker, direction: int, tx_id: int, limit: int) -> None:
        """Start an empty body; ``limit`` 0 is none."""
        self.begin(tracker, direction, tx_id, limit)

    def begin(self, tracker: FileTracker, direction: int, tx_id: int, limit: int) -> None:
        """Set all fields; with ``__new__`` it is a constructor that makes no objects of numbers."""
        self.tracker = tracker
        self.direction = direction
        self.tx_id = tx_id
        self.limit = limit
        self._first = b""  # what there is to see, while it came in one piece
        self._held: bytearray | None = None
        self.size = 0
        self.name = b""
        self.file: FileObject | None = None
        self.files: list[FileObject] | None = None
        self.chain: Chain | None = None
        self.multipart: Multipart | None = None
        self.events: list[str] | None = None
        self.closed = False
        self.cut = False
        self.is_file = True
        self.ranged: tuple[int, int, int] | None = None

    def content(self) -> bytes:
        """Give the bytes that rules see."""
        return self._first if self._held is None else bytes(self._held)

    def decode(self, kinds: list[str], bomb_limit: int) -> None:
        """Undo these codings from here on."""
        if kinds:
            self.chain = Chain(kinds, Budget(bomb_limit, self._allowed()))

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they came off the framing."""
        if self.closed:
            self._reopen()
        if self.chain is None:
            self._take(data)
            return
        for piece in self.chain.feed(data):
            self._take(piece)
        if self.chain.failed:
            self._note("gzip_decompression_failed")
        if self.chain.budget.tripped:
            self._note("compression_bomb")

    def gap(self, length: int) -> None:
        """Take note that bytes are missing."""
        if self.file is None and self.multipart is None and self.is_file:
            self._open(self.name)
        if self.file is not None:
            self.tracker.gap(self.file, length)
        self.size += length

    def close(self, complete: bool) -> None:
        """End the body; ``complete`` says whether its framing was."""
        if self.closed:
            return
        self.closed = True
        if self.file is not None and self.multipart is None:
            self.tracker.close(self.file, complete and not self.cut)

    def conclude(self) -> None:
        """Nothing can come any more: what codings and multipart hold back is given out."""
        if self.chain is not None:
            pieces, self.chain = self.chain.finish(), None
            for piece in pieces:
                closed = self.closed
                self._reopen()
                self._take(piece)
                if closed:
                    self.close(complete=True)
        if self.multipart is not None:
            self._steps(self.multipart.finish())
            if self.multipart is not None and not self.files:
                self._note("multipart_no_filedata")
            self.multipart = None

    def _reopen(self) -> None:
        """More came after the end of the message: it belongs to it all the same."""
        self.closed = False
        if self.file is not None and self.file.state in {"CLOSED", "TRUNCATED"} and not self.cut:
            self.tracker.reopen(self.file)

    def _allowed(self) -> int:
        """Give how many bytes are taken, 0 for all: a file that is stored goes on behind what rules see."""
        spool = self.tracker.spool
        if spool is not None and (spool.everything if self.file is None else self.file.store):
            return spool.depth
        return self.limit

    def _take(self, data: bytes) -> None:
        """Take decoded bytes within the limit."""
        limit = self._allowed()
        if limit and self.size + len(data) > limit:
            data = data[: max(limit - self.size, 0)]
            self._cut_after(data)
            return
        self._put(data)

    def _cut_after(self, data: bytes) -> None:
        """Take the last bytes that the limit allows; the file ends here."""
        if data:
            self._put(data)
        self.cut = True
        if self.multipart is not None:
            self._steps(self.multipart.finish())
        if self.file is not None:
            self.tracker.close(self.file, complete=False)

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self.size += len(data)
        self._hold(data, self.limit or _MAX_KEPT)
        if self.multipart is not None:
            self._steps(self.multipart.feed(data))
            return
        if self.file is None and self.is_file:
            self._open(self.name)
        if self.file is not None:
            self.tracker.append(self.file, data)

    def _hold(self, data: bytes, most: int) -> None:
        """Keep bytes for rules to see, up to ``most``."""
        if self._held is not None:
            if len(self._held) < most:
                self._held += data[: most - len(self._held)]
        elif self._first:
            self._held = bytearray(self._first)
            self._hold(data, most)
        else:
            self._first = data if len(data) <= most else data[:most]

    def _open(self, name: bytes) -> None:
        if self.files is None:
            self.files = []
        if len(self.files) >= _MAX_FILES:
            self.file = None
            return
        if len(name) > MAX_NAME:
            self._note("file_name_too_long")
        file = self.file = self.tracker.open(name, self.direction, self.tx_id)
        file.range = self.ranged
        self.files.append(file)

    def _steps(self, steps: list[tuple[str, bytes]]) -> None:
        """Carry out what the multipart reader found."""
        for step, value in steps:
            if step == "open":
                self._open(value)
            elif self.file is not None and step == "data":
                self.tracker.append(self.file, value)
            elif self.file is not None:
                self.tracker.close(self.file, complete=step == "close")
                self.file = None
        if self.multipart is not None:
            for event in self.multipart.events:
                self._note(event)

    def _note(self, event: str) -> None:
        if self.events is None:
            self.events = []
        if event not in self.events:
            self.events.append(event)
