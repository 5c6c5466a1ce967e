"""SMB1 commands on files and pipes: open, read, write, close, rename."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.smb import blocks, names, nbss, status
from appliance.protocols.smb.blocks import Block
from appliance.protocols.smb.state import Header, OpenFile, Pending
from appliance.protocols.smb.text import number, seconds

if TYPE_CHECKING:
    from appliance.protocols.smb.parser import SmbParser
    from appliance.protocols.smb.transaction import SmbTransaction

_CLOSE, _RENAME, _READ, _WRITE, _WRITE_AND_CLOSE, _NT_RENAME = 0x04, 0x07, 0x0A, 0x0B, 0x2C, 0xA5
_DELETE_ON_CLOSE = 0x1000
_TIMES = ("created", "accessed", "modified", "changed")


def identify(header: Header, block: Block, at: int) -> dict[str, str]:
    """Read the operating system and LAN manager names of a session setup."""
    system, at = block.text(at, wide=header.wide)
    manager, _ = block.text(at, wide=header.wide)
    return {"native_os": system, "native_lm": manager}


class FileCommands:
    """Commands of one connection."""

    def __init__(self, parser: SmbParser) -> None:
        """Report to ``parser``."""
        self._parser = parser
        self._state = parser.state
        self.requests: dict[int, Callable[[Header, Block], None]] = {
            blocks.NT_CREATE: self._nt_create,
            blocks.OPEN_ANDX: self._open_andx,
            blocks.READ_ANDX: self._read_andx,
            blocks.WRITE_ANDX: self._write_andx,
            _READ: self._read,
            _WRITE: self._write,
            _WRITE_AND_CLOSE: self._write_and_close,
            _CLOSE: self._close,
            _RENAME: self._rename,
            _NT_RENAME: self._rename,
        }
        self.responses: dict[int, Callable[[Header, Block, Pending], None]] = {
            blocks.NT_CREATE: self._nt_created,
            blocks.OPEN_ANDX: self._opened,
            blocks.READ_ANDX: self._read_done,
            blocks.WRITE_ANDX: self._written,
            _READ: self._core_read_done,
            _WRITE: self._written,
            _WRITE_AND_CLOSE: self._written,
            _CLOSE: self._closed,
        }

    def file(self, header: Header, fid: bytes, *, chained: bool = False) -> OpenFile:
        """Give the file that a request names: that of the command before it in a chain, or by number."""
        state = self._state
        if chained and state.related is not None:
            return state.related
        file = state.files.get((1, fid))
        if file is None:
            tree = state.tree(header)
            is_pipe = tree.is_pipe if tree is not None else None
            file = OpenFile("", fid, "", tree.name if tree is not None else "", is_pipe)
            state.opened(1, file)
        return file

    # Open.

    def create(self, header: Header, name: str, tx: SmbTransaction, details: dict[str, Any]) -> None:
        """Open a file or pipe by name."""
        tree = self._state.tree(header)
        tx.details = {"filename": name or "<share_root>", **details}
        tx.details |= dict.fromkeys((*_TIMES, "size"), 0)
        is_pipe = tree.is_pipe if tree is not None else None
        file = OpenFile(name, share=tree.name if tree is not None else "", is_pipe=is_pipe)
        self._state.related = file
        self._state.wait(header, Pending(tx, file))

    def created(self, entry: Pending, fid: bytes, times: bytes, size: int) -> None:
        """The file is open."""
        if entry.file is None or entry.tx is None:
            return
        entry.file.fid = fid
        entry.tx.details |= {key: seconds(number(times, 8 * i, 8)) for i, key in enumerate(_TIMES)}
        entry.tx.details["size"] = size
        self._state.opened(1, entry.file)

    def _nt_create(self, header: Header, block: Block) -> None:
        name, _ = block.text(0, wide=header.wide)
        tx = self._parser.request(header)
        self.create(header, name, tx, create_details(block.number(35, 4), block.number(39, 4)))

    def _nt_created(self, header: Header, block: Block, entry: Pending) -> None:
        if not header.status and len(block.words) >= 63:
            self.created(entry, block.words[5:7], block.words[11:43], block.number(55, 8))

    def _open_andx(self, header: Header, block: Block) -> None:
        name, _ = block.text(0, wide=header.wide)
        self.create(header, name, self._parser.request(header), {})

    def _opened(self, header: Header, block: Block, entry: Pending) -> None:
        if not header.status and len(block.words) >= 16:
            self.created(entry, block.words[4:6], b"", block.number(12, 4))

    # Read and write.

    def write_sink(self, header: Header, block: Block) -> nbss.Sink:
        """Begin the payload of WRITE_ANDX."""
        offset = block.number(6, 4) | (block.number(24, 4) << 32 if len(block.words) == 28 else 0)
        return self._sink(header, block, block.words[4:6], offset)

    def _sink(self, header: Header, block: Block, fid: bytes, offset: int) -> nbss.Sink:
        file = self.file(header, fid, chained=block.chained)
        sink = self._parser.sink(header, file, TOSERVER, offset)
        self._state.wait(header, Pending(file=file))
        return sink

    def _write_andx(self, header: Header, block: Block) -> None:
        size = block.number(20) | block.number(18) << 16
        offset = block.number(22)
        data = block.raw[offset : offset + size] if offset >= block.place else block.data[:size]
        self._pour(self.write_sink(header, block), data)

    def _pour(self, sink: nbss.Sink, data: bytes) -> None:
        sink.feed(data)
        sink.finish()

    def _write(self, header: Header, block: Block) -> None:
        sink = self._sink(header, block, block.words[:2], block.number(4, 4))
        self._pour(sink, block.data[3 : 3 + block.number(2)])

    def _write_and_close(self, header: Header, block: Block) -> None:
        sink = self._sink(header, block, block.words[:2], block.number(4, 4))
        self._pour(sink, block.data[1 : 1 + block.number(2)])
        file = self.file(header, block.words[:2], chained=block.chained)
        self._parser.close_transfer(file, TOSERVER)
        self._state.close(1, file.fid)

    def _written(self, header: Header, block: Block, entry: Pending) -> None:  # noqa: ARG002 - takers share a form
        transfer = entry.file.transfers[TOSERVER] if entry.file is not None else None
        if transfer is not None:
            self._parser.settle(transfer.tx, header)

    def _read_andx(self, header: Header, block: Block) -> None:
        self._parser.check_size(TOCLIENT, block.number(10), request=True)
        file = self.file(header, block.words[4:6], chained=block.chained)
        offset = block.number(6, 4) | (block.number(20, 4) << 32 if len(block.words) == 24 else 0)
        self._state.wait(header, Pending(file=file, offset=offset))

    def read_sink(self, header: Header, entry: Pending) -> nbss.Sink | None:
        """Begin the payload of a READ response."""
        if entry.file is None:
            return None
        return self._parser.sink(header, entry.file, TOCLIENT, entry.offset)

    def _read_done(self, header: Header, block: Block, entry: Pending) -> None:
        if header.status not in {status.SUCCESS, status.BUFFER_OVERFLOW} or len(block.words) != 24:
            return
        size = block.number(10) | block.number(14, 4) << 16
        offset = block.number(12)
        data = block.raw[offset : offset + size] if offset >= block.place else block.data[:size]
        self._feed_read(header, entry, data)

    def _feed_read(self, header: Header, entry: Pending, data: bytes) -> None:
        sink = self.read_sink(header, entry)
        if sink is not None and data:
            self._pour(sink, data)

    def _read(self, header: Header, block: Block) -> None:
        file = self.file(header, block.words[:2], chained=block.chained)
        self._state.wait(header, Pending(file=file, offset=block.number(4, 4)))

    def _core_read_done(self, header: Header, block: Block, entry: Pending) -> None:
        if not header.status:
            self._feed_read(header, entry, block.data[3 : 3 + block.number(0)])

    # Close and rename.

    def _close(self, header: Header, block: Block) -> None:
        tx = self._parser.request(header)
        if block.chained and self._state.related is not None:
            file: OpenFile | None = self._state.related
        else:
            file = self._state.files.get((1, block.words[:2]))
        if file is not None:
            self._parser.close_transfer(file, TOSERVER)
        self._state.wait(header, Pending(tx, file))

    def _closed(self, header: Header, block: Block, entry: Pending) -> None:  # noqa: ARG002 - takers share a form
        if entry.file is not None:
            self._parser.close_transfer(entry.file, TOCLIENT)
            self._state.close(1, entry.file.fid)

    def _rename(self, header: Header, block: Block) -> None:
        tx = self._parser.request(header)
        old, at = block.text(1, wide=header.wide)
        new, _ = block.text(at + 1, wide=header.wide)
        tx.details = {"rename": {"from": old, "to": new}}


def create_details(disposition: int, options: int) -> dict[str, Any]:
    """Describe how a file is opened."""
    kind = "delete on close" if options & _DELETE_ON_CLOSE else "normal"
    return {"disposition": names.disposition(disposition), "access": kind}
