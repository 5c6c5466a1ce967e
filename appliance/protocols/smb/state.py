"""What a connection has agreed on and opened: dialect, trees, files and pipes, requests without answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from appliance.protocols.dcerpc.calls import Association
from appliance.protocols.dcerpc.reader import PduReader
from appliance.protocols.smb import names

if TYPE_CHECKING:
    from appliance.protocols.smb.transaction import SmbTransaction
    from appliance.protocols.smb.transfer import Transfer

MAX_TREES = 1024
MAX_ASKED = 16
MAX_FILES = 1024
MAX_PENDING = 1024
MAX_TRANSFERS = 128

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(slots=True)
class Header:
    """What SMB1 and SMB2 headers have in common. ``dos``: the status is one of DOS."""

    version: int
    command: int
    status: int
    response: bool
    session: int
    tree: int
    message: int
    dos: bool = False
    wide: bool = True
    related: bool = False
    asynchronous: bool = False


@dataclass(slots=True)
class Tree:
    """A share that is connected."""

    name: str
    is_pipe: bool


@dataclass(slots=True)
class OpenFile:
    """A file or pipe that a client has open; ``transfers`` are those of each direction.

    ``is_pipe`` is None while it cannot be told, because the tree was connected unseen.
    """

    name: str
    fid: bytes = b""
    fuid: str = ""
    share: str = ""
    is_pipe: bool | None = False
    transfers: list[Transfer | None] = field(default_factory=lambda: [None, None])
    association: Association = field(default_factory=Association)
    readers: tuple[PduReader, PduReader] = field(default_factory=lambda: (PduReader(), PduReader()))
    rpc: bool = False  # calls have been seen in it


@dataclass(slots=True)
class Pending:
    """A request that waits for its response."""

    tx: SmbTransaction | None = None
    file: OpenFile | None = None
    offset: int = 0
    tree: int = 0


class State:
    """Tables of one connection; each drops its oldest entry when it is full."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self.dialect = 0
        self.dialect1 = ""
        self.offered: list[str] = []
        self.trees: dict[tuple[int, int], Tree] = {}
        self.files: dict[tuple[int, bytes], OpenFile] = {}
        self.pending: dict[tuple[int, int, int], Pending] = {}
        self.transfers: dict[int, Transfer] = {}
        self.open: dict[int, SmbTransaction] = {}  # transactions that wait for something
        self.related: OpenFile | None = None
        self.heard = False  # a response has been seen
        self.asked: list[Tree] = []  # trees whose connection was asked for before that

    def dialect_name(self) -> str:
        """Name the dialect as records do."""
        if self.dialect:
            return names.DIALECTS.get(self.dialect, "unknown")
        return self.dialect1 or "unknown"

    def tree(self, header: Header) -> Tree | None:
        """Give the share that a message refers to.

        Where only the client is seen, trees bear their numbers in the order in which they were asked for.
        """
        found = self.trees.get((header.session, header.tree))
        if found is None and self.asked and not self.heard:
            found = self.asked.pop(0)
            self.connect(header, found)
        return found

    def ask(self, tree: Tree) -> None:
        """Remember a tree whose number is not known yet."""
        if not self.heard and len(self.asked) < MAX_ASKED:
            self.asked.append(tree)

    def connect(self, header: Header, tree: Tree) -> None:
        """Remember a share."""
        put(self.trees, (header.session, header.tree), tree, MAX_TREES)

    def wait(self, header: Header, entry: Pending) -> None:
        """Remember a request."""
        entry.tree = header.tree
        put(self.pending, (header.version, header.command, header.message), entry, MAX_PENDING)

    def answered(self, header: Header) -> Pending | None:
        """Give the request of a response and forget it; a late answer (async) does not name its tree."""
        entry = self.pending.pop((header.version, header.command, header.message), None)
        if entry is not None and header.asynchronous:
            header.tree = entry.tree
        return entry

    def opened(self, version: int, file: OpenFile) -> None:
        """Remember an open file; gives way to it the one that was opened first."""
        dropped = put(self.files, (version, file.fid), file, MAX_FILES)
        if dropped is not None and dropped is not file:
            self.forget(dropped)

    def close(self, version: int, fid: bytes) -> OpenFile | None:
        """Forget an open file."""
        return self.files.pop((version, fid), None)

    def forget(self, file: OpenFile) -> None:
        """End the transfers of a file that is not followed any more."""
        for transfer in file.transfers:
            if transfer is not None:
                self.end(transfer, complete=False)
        file.transfers = [None, None]

    def begin(self, transfer: Transfer) -> None:
        """Count a transfer; the oldest ends when there are too many."""
        dropped = put(self.transfers, id(transfer), transfer, MAX_TRANSFERS)
        if dropped is not None:
            dropped.close(complete=False)

    def end(self, transfer: Transfer, *, complete: bool = True) -> None:
        """End a transfer."""
        self.transfers.pop(id(transfer), None)
        transfer.close(complete=complete)


def put(table: dict[_K, _V], key: _K, value: _V, limit: int) -> _V | None:
    """Add an entry to a bounded table; gives the one that had to go: its predecessor or the oldest."""
    dropped = table.pop(key, None)
    if dropped is None and len(table) >= limit:
        dropped = table.pop(next(iter(table)))
    table[key] = value
    return dropped
