"""The body of one direction of a stream: codings undone, the bytes kept as a file."""

from __future__ import annotations

from appliance.model.app import FileObject
from appliance.protocols.files import FileTracker
from appliance.protocols.http1.decompress import Budget, Chain

_BOMB = 1 << 20  # decoded bytes from which the ratio is looked at
ROOM = 8 << 20  # decoded bytes of one body
FLOW_ROOM = 32 << 20  # decoded bytes of all bodies of a flow, after which only the window is decoded


class Allowance:
    """What the bodies of one flow may still cost: bytes decoded, bytes kept in files."""

    __slots__ = ("decoded", "keep")

    def __init__(self, keep: int) -> None:
        """Keep at most ``keep`` bytes of live files."""
        self.decoded = FLOW_ROOM
        self.keep = keep


class Body:
    """Takes the DATA of one direction; the file is opened by the first byte."""

    __slots__ = ("allowance", "chain", "direction", "events", "file", "name", "ranged", "tracker", "tx_id")

    def __init__(self, tracker: FileTracker, allowance: Allowance, direction: int, tx_id: int) -> None:
        """Start empty; name, range and codings come with the fields."""
        self.tracker = tracker
        self.allowance = allowance
        self.direction = direction
        self.tx_id = tx_id
        self.name = b""
        self.ranged: tuple[int, int, int] | None = None
        self.chain: Chain | None = None
        self.file: FileObject | None = None
        self.events: list[str] = []

    def decode(self, kinds: list[str]) -> None:
        """Undo these codings, unless data has come before the fields."""
        if kinds and self.file is None and self.chain is None:
            room = min(ROOM, max(self.allowance.decoded, self.tracker.window))
            self.chain = Chain(kinds, Budget(_BOMB, room))

    def feed(self, data: bytes) -> None:
        """Take the next bytes of DATA frames."""
        if self.chain is None:
            self._put(data)
            return
        before = self.chain.budget.spent
        for piece in self.chain.feed(data):
            self._put(piece)
        self.allowance.decoded -= self.chain.budget.spent - before
        if (self.chain.failed or self.chain.budget.tripped) and not self.events:
            self.events.append("failed_decompression")

    def gap(self, length: int) -> None:
        """Take note that bytes are missing."""
        self._open()
        if self.file is not None:
            self.tracker.gap(self.file, length)

    def close(self, complete: bool) -> None:
        """No more data comes."""
        if self.chain is not None:
            for piece in self.chain.finish():
                self._put(piece)
            spent = self.chain.budget
            complete = complete and not spent.tripped and not (spent.room and spent.spent >= spent.room)
            self.chain = None
        if self.file is not None:
            self.tracker.close(self.file, complete)

    def _open(self) -> None:
        if self.file is None:
            self.file = self.tracker.open(self.name, self.direction, self.tx_id)
            self.file.range = self.ranged

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self._open()
        if self.file is None:
            return
        kept = len(self.file.data)
        if self.allowance.keep <= 0:
            self._count_only(self.file, data)
            return
        self.tracker.append(self.file, data)
        self.allowance.keep -= len(self.file.data) - kept

    def _count_only(self, file: FileObject, data: bytes) -> None:
        """The flow keeps as much as it may: the file goes on in size and hashes."""
        window, self.tracker.window = self.tracker.window, 0
        self.tracker.append(file, data)
        self.tracker.window = window
