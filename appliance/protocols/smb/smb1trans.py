"""SMB1 transactions: pipes (TRANS), file information (TRANS2), create (NT_TRANS).

MS-CIFS sections 2.2.4.33, 2.2.4.46 and 2.2.4.62.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.smb import status
from appliance.protocols.smb.blocks import Block
from appliance.protocols.smb.smb1io import FileCommands, create_details
from appliance.protocols.smb.state import Header, Pending
from appliance.protocols.smb.text import number, oem, text_at, utf16

if TYPE_CHECKING:
    from appliance.protocols.smb.parser import SmbParser

_TRANS, _TRANS2, _NT_TRANS = 0x25, 0x32, 0xA0
_SET_PATH_INFO, _SET_FILE_INFO = 0x06, 0x08
_NT_CREATE = 1
_RENAME_LEVELS = frozenset((0x010A, 0x03F2))
_DISPOSITION_LEVELS = frozenset((0x0102, 0x03F5))
_WITH_DATA = frozenset((status.SUCCESS, status.BUFFER_OVERFLOW))


@dataclass(slots=True)
class _Parts:
    setup: bytes
    parameters: bytes
    data: bytes
    place: int  # of the parameters in the message


def _parts(block: Block, counts: int, size: int, setup: int) -> _Parts:
    """Cut out what the words point at: count and offset of parameters and data, ``size`` bytes each."""
    values = [block.number(counts + i * size, size) for i in range(4)]
    parameters, data = (
        block.raw[offset : offset + length] if offset >= block.place else b""
        for length, offset in (values[:2], values[2:])
    )
    return _Parts(block.words[setup:], parameters, data, values[1])


class Transactions:
    """Transaction commands of one connection."""

    def __init__(self, parser: SmbParser, files: FileCommands) -> None:
        """Report to ``parser``; ``files`` knows what is open."""
        self._parser = parser
        self._state = parser.state
        self._files = files
        self.requests: dict[int, Callable[[Header, Block], None]] = {
            _TRANS: self._trans,
            _TRANS2: self._trans2,
            _NT_TRANS: self._nt_trans,
        }
        self.responses: dict[int, Callable[[Header, Block, Pending], None]] = {
            _TRANS: self._trans_done,
            _NT_TRANS: self._nt_trans_done,
        }

    def _trans(self, header: Header, block: Block) -> None:
        """A call through a pipe; the setup words are a function and the pipe's number."""
        parts = _parts(block, 18, 2, 28)
        if len(parts.setup) < 4:
            return
        file = self._files.file(header, parts.setup[2:4], chained=block.chained)
        if parts.data:
            self._parser.pipe(header, file, TOSERVER, parts.data)
        self._state.wait(header, Pending(file=file))

    def _trans_done(self, header: Header, block: Block, entry: Pending) -> None:
        if entry.file is None or header.status not in _WITH_DATA or len(block.words) < 20:
            return
        length, offset = block.number(12), block.number(14)
        if offset >= block.place:
            self._parser.pipe(header, entry.file, TOCLIENT, block.raw[offset : offset + length])

    def _trans2(self, header: Header, block: Block) -> None:
        """Rename or delete through file information; other functions are not followed."""
        parts = _parts(block, 18, 2, 28)
        function = number(parts.setup, 0, 2)
        by_file = function == _SET_FILE_INFO
        level = number(parts.parameters, 2 if by_file else 0, 2)
        known = level in _RENAME_LEVELS or level in _DISPOSITION_LEVELS
        if function not in {_SET_PATH_INFO, _SET_FILE_INFO} or not known:
            return
        if by_file:
            name = self._files.file(header, parts.parameters[:2]).name
        else:
            at = 6 + ((parts.place + 6) % 2 if header.wide else 0)
            name, _ = text_at(parts.parameters, at, wide=header.wide)
        tx = self._parser.request(header)
        tx.details = {"filename": name}
        if level in _RENAME_LEVELS:
            length = number(parts.data, 8, 4)
            decode = utf16 if header.wide else oem
            tx.details["rename"] = {"from": name, "to": decode(parts.data[12 : 12 + length])}
        else:
            deletes = number(parts.data, 0, 1) & 1
            tx.details["access"] = "delete on close" if deletes else "normal"
        tx.details["level_of_interest"] = f"0x{level:04x}"

    def _nt_trans(self, header: Header, block: Block) -> None:
        """NT_TRANSACT_CREATE opens a file; others are only noted."""
        tx = self._parser.request(header)
        if block.number(36) != _NT_CREATE:
            return
        parts = _parts(block, 19, 4, 38)
        parameters = parts.parameters
        at = 53 + ((parts.place + 53) % 2 if header.wide else 0)
        length = number(parameters, 44, 4)
        raw = parameters[at : at + length]
        details = create_details(number(parameters, 28, 4), number(parameters, 32, 4))
        self._files.create(header, utf16(raw) if header.wide else oem(raw), tx, details)

    def _nt_trans_done(self, header: Header, block: Block, entry: Pending) -> None:
        if header.status or entry.file is None or len(block.words) < 36:
            return
        length, offset = block.number(11, 4), block.number(15, 4)
        parameters = block.raw[offset : offset + length] if offset >= block.place else b""
        if len(parameters) >= 63:
            self._files.created(entry, parameters[2:4], parameters[12:44], number(parameters, 56, 8))
