"""SMB1: requests and responses by command (MS-CIFS section 2.2.4, MS-SMB section 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.smb import blocks, nbss, status
from appliance.protocols.smb.blocks import Block
from appliance.protocols.smb.smb1io import FileCommands, identify
from appliance.protocols.smb.smb1trans import Transactions
from appliance.protocols.smb.state import Header, Pending, Tree
from appliance.protocols.smb.text import guid, number, text_at

if TYPE_CHECKING:
    from appliance.protocols.smb.parser import SmbParser

_MAX_DIALECTS = 64
_EXTENDED = 0x80000000  # capability: security blobs
_REPLY = 0x80

_Taker = Callable[[Header, Block], None]
_Answer = Callable[[Header, Block, Pending], None]


class Smb1:
    """Commands of one connection."""

    def __init__(self, parser: SmbParser) -> None:
        """Report to ``parser``."""
        self._parser = parser
        self._state = parser.state
        self._negotiating = False
        self._files = FileCommands(parser)
        transactions = Transactions(parser, self._files)
        self._requests: dict[int, _Taker] = {
            blocks.NEGOTIATE: self._negotiate,
            blocks.SESSION_SETUP: self._session_setup,
            blocks.TREE_CONNECT: self._tree_connect,
            blocks.TREE_DISCONNECT: self._tree_disconnect,
            **self._files.requests,
            **transactions.requests,
        }
        self._responses: dict[int, _Answer] = {
            blocks.NEGOTIATE: self._negotiated,
            blocks.SESSION_SETUP: self._session_up,
            blocks.TREE_CONNECT: self._tree_connected,
            **self._files.responses,
            **transactions.responses,
        }

    def header(self, raw: bytes) -> Header:
        """Read the header."""
        return blocks.header(raw)

    def span(self, head: bytes) -> tuple[int, int] | None:
        """Say where the payload of a READ response or a WRITE request is, when no command precedes it."""
        place = blocks.HEADER_LEN
        command, response, count = head[4], head[9] & _REPLY, head[place] if len(head) > place else 0
        at = place + 1
        if command == blocks.WRITE_ANDX and not response and count in {12, 14}:
            size = number(head, at + 20, 2) | number(head, at + 18, 2) << 16
            offset = number(head, at + 22, 2)
        elif command == blocks.READ_ANDX and response and count == 12:
            size = number(head, at + 10, 2) | number(head, at + 14, 4) << 16
            offset = number(head, at + 12, 2)
        else:
            return None
        alone = head[at] == blocks.NO_MORE or not number(head, at + 2, 2)
        return (offset, size) if alone and offset >= at + 2 * count + 2 else None

    def payload(self, header: Header, head: bytes, length: int) -> nbss.Sink | None:
        """Begin the payload of a READ response or a WRITE request."""
        found, _ = blocks.chain(head)
        if header.response:
            self._parser.check_size(TOCLIENT, length, request=False)
            entry = self._state.answered(header)
            return self._files.read_sink(header, entry) if entry is not None else None
        self._parser.check_size(TOSERVER, length, request=True)
        return self._files.write_sink(header, found[0])

    def record(self, header: Header, raw: bytes) -> None:
        """Take all commands of a message."""
        found, sound = blocks.chain(raw)
        if not sound and len(raw) < nbss.MAX_HELD:
            self._parser.note("malformed_data")
        self._state.related = None
        for block in found:
            header.command = block.command
            if header.response:
                self._response(header, block)
            else:
                self._requests.get(block.command, self._generic)(header, block)

    def _response(self, header: Header, block: Block) -> None:
        entry = self._state.answered(header)
        if entry is None:
            return
        answer = self._responses.get(block.command)
        if answer is not None:
            answer(header, block, entry)
        self._parser.conclude(entry, header)

    def _generic(self, header: Header, block: Block) -> None:
        tx = self._parser.request(header)
        if block.data[:1] == b"\x04" and len(block.data) > 1:
            tx.details["filename"] = block.text(1, wide=header.wide)[0]

    def _negotiate(self, header: Header, block: Block) -> None:
        tx = self._parser.request(header)
        if self._negotiating:
            tx.note("duplicate_negotiate")
        self._negotiating = True
        offered: list[str] = []
        at = 0
        while at < len(block.data) and len(offered) < _MAX_DIALECTS:
            if block.data[at] != 2 or block.data.find(b"\0", at) < 0:
                tx.note("negotiate_malformed_dialects")
                break
            name, at = text_at(block.data, at + 1, wide=False)
            offered.append(name)
        self._state.offered = offered
        tx.details["client_dialects"] = offered

    def _negotiated(self, header: Header, block: Block, entry: Pending) -> None:
        if header.status or entry.tx is None:
            return
        offered, chosen = self._state.offered, block.number(0)
        if chosen < len(offered):
            self._state.dialect1 = offered[chosen]
        if len(block.words) == 34 and block.number(19, 4) & _EXTENDED:
            entry.tx.details["server_guid"] = guid(block.data[:16])

    def _session_setup(self, header: Header, block: Block) -> None:
        tx = self._parser.request(header)
        if len(block.words) == 24:
            size = block.number(14)
            self._parser.credentials(tx, block.data[:size], "malformed_ntlmssp_request")
            at = size
        else:
            at = block.number(14) + (block.number(16) if len(block.words) == 26 else 0)
            for _ in range(2):  # account and domain
                _, at = block.text(at, wide=header.wide)
        tx.details["request"] = identify(header, block, at)

    def _session_up(self, header: Header, block: Block, entry: Pending) -> None:
        if entry.tx is None:
            return
        entry.tx.session = header.session
        size = block.number(6) if len(block.words) == 8 else 0
        if size:
            self._parser.challenge(entry.tx, block.data[:size])
        if header.status in {status.SUCCESS, status.MORE_PROCESSING}:
            entry.tx.details["response"] = identify(header, block, size)

    def _tree_connect(self, header: Header, block: Block) -> None:
        tx = self._parser.request(header)
        path, at = block.text(block.number(6), wide=header.wide)
        service, _ = text_at(block.data, at, wide=False)
        tx.set_share(path, is_pipe=service == "IPC" or path.upper().endswith("IPC$"))
        tx.details["service"] = {"request": service}
        self._state.ask(Tree(path, tx.is_pipe))

    def _tree_connected(self, header: Header, block: Block, entry: Pending) -> None:
        tx = entry.tx
        if tx is None or header.status:
            return
        service, _ = text_at(block.data, 0, wide=False)
        tx.tree = header.tree
        tx.is_pipe = service == "IPC"
        tx.details.setdefault("service", {})["response"] = service
        tx.details["share_type"] = {"IPC": "PIPE", "LPT1:": "PRINT", "A:": "FILE"}.get(service, "UNKNOWN")
        self._state.connect(header, Tree(tx.share or "", tx.is_pipe))

    def _tree_disconnect(self, header: Header, block: Block) -> None:
        self._generic(header, block)
        self._state.trees.pop((header.session, header.tree), None)
