"""SMB 2 and 3: requests and responses by command (MS-SMB2 section 2.2). Offsets count from the header."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.smb import names, nbss, status
from appliance.protocols.smb.state import Header, OpenFile, Pending, Tree
from appliance.protocols.smb.text import guid, number, seconds, utf16

if TYPE_CHECKING:
    from appliance.protocols.smb.parser import SmbParser
    from appliance.protocols.smb.transaction import SmbTransaction

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE = range(7)
READ, WRITE, IOCTL, GET_INFO, SET_INFO = 8, 9, 11, 16, 17
_RESPONSE, _ASYNC, _RELATED = 1, 2, 4
_BODY = 64
_READ_HEAD, _WRITE_HEAD = _BODY + 16, _BODY + 48
_SAME = b"\xff" * 16  # the file of the command before, in a compound
_SAME_SESSION = (1 << 64) - 1
_MAX_DIALECTS = 64
_DELETE_ON_CLOSE = 0x1000
_FILE, _RENAME, _DISPOSITION = 1, 10, 13
_WITH_DATA = frozenset((status.SUCCESS, status.BUFFER_OVERFLOW))
_OVERFLOW = 1 << 32
_CHAINED = 1

_Taker = Callable[[Header, bytes], None]
_Answer = Callable[[Header, bytes, Pending], None]


def access(*, deletes: bool) -> str:
    """Name what an open file is for."""
    return "delete on close" if deletes else "normal"


class Smb2:
    """Commands of one connection."""

    def __init__(self, parser: SmbParser) -> None:
        """Report to ``parser``."""
        self._parser = parser
        self._state = parser.state
        self._negotiating = False
        self._before: Header | None = None
        self.compression: dict[str, int] = {}  # fields of the last compressed message
        self._requests: dict[int, _Taker] = {
            NEGOTIATE: self._negotiate,
            SESSION_SETUP: self._session_setup,
            TREE_CONNECT: self._tree_connect,
            TREE_DISCONNECT: self._tree_disconnect,
            CREATE: self._create,
            CLOSE: self._close,
            READ: self._read,
            IOCTL: self._ioctl,
            GET_INFO: self._pass,
            SET_INFO: self._set_info,
        }
        self._responses: dict[int, _Answer] = {
            NEGOTIATE: self._negotiated,
            SESSION_SETUP: self._session_up,
            TREE_CONNECT: self._tree_connected,
            CREATE: self._created,
            CLOSE: self._closed,
            READ: self._no_data,
            IOCTL: self._ioctl_done,
        }

    def header(self, raw: bytes) -> Header:
        """Read the header (MS-SMB2 2.2.1); a related request inherits session and tree."""
        flags = number(raw, 16, 4)
        asynchronous = bool(flags & _ASYNC)
        found = Header(
            version=2,
            command=number(raw, 12, 2),
            status=number(raw, 8, 4),
            response=bool(flags & _RESPONSE),
            session=number(raw, 40, 8),
            tree=0 if asynchronous else number(raw, 36, 4),
            message=number(raw, 24, 8),
            related=bool(flags & _RELATED),
            asynchronous=asynchronous,
        )
        if not found.response:
            before, self._before = self._before, found
            if found.related and before is not None:
                if found.session == _SAME_SESSION:
                    found.session = before.session
                if found.tree == 0xFFFFFFFF:
                    found.tree = before.tree
            elif not found.related:
                self._state.related = None
        return found

    def span(self, head: bytes) -> tuple[int, int] | None:
        """Say where the payload of a READ response or a WRITE request is."""
        command, response = number(head, 12, 2), head[16] & _RESPONSE
        if command == WRITE and not response and len(head) >= _WRITE_HEAD:
            offset, least = number(head, 66, 2), _WRITE_HEAD
        elif command == READ and response and number(head, 8, 4) in _WITH_DATA and len(head) >= _READ_HEAD:
            offset, least = head[66], _READ_HEAD
        else:
            return None
        return (offset, number(head, 68, 4)) if offset >= least else None

    def payload(self, header: Header, head: bytes, length: int) -> nbss.Sink | None:
        """Begin the payload of a READ response or a WRITE request."""
        parser = self._parser
        if header.response:
            entry = self._state.answered(header)
            parser.check_size(TOCLIENT, length, request=False)
            if entry is None or entry.file is None:
                return None
            return parser.sink(header, entry.file, TOCLIENT, entry.offset)
        parser.check_size(TOSERVER, length, request=True)
        file = self._file(header, head[80:96])
        sink = parser.sink(header, file, TOSERVER, number(head, 72, 8))
        self._state.wait(header, Pending(file=file))
        return sink

    def _written(self, header: Header, file: OpenFile) -> None:
        """A transfer bears the status of its latest response."""
        transfer = file.transfers[TOSERVER]
        if transfer is not None:
            self._parser.settle(transfer.tx, header)

    def record(self, header: Header, raw: bytes) -> None:
        """Take a request or response that has no bulk payload."""
        if not header.response:
            self._requests.get(header.command, self._generic)(header, raw)
        elif header.status != status.PENDING:
            self._response(header, raw)

    def _response(self, header: Header, raw: bytes) -> None:
        entry = self._state.answered(header)
        if entry is None and header.command == NEGOTIATE:
            # The answer to an SMB1 negotiation that offered SMB2 as well.
            entry = next((e for k, e in self._state.pending.items() if k[:2] == (1, 0x72)), None)
        if entry is None:
            return
        answer = self._responses.get(header.command)
        if answer is not None:
            answer(header, raw, entry)
        elif header.command == WRITE and entry.file is not None:
            self._written(header, entry.file)
        self._parser.conclude(entry, header)

    def _pass(self, header: Header, raw: bytes) -> None:
        """Nothing is made of this command."""

    def _generic(self, header: Header, raw: bytes) -> None:  # noqa: ARG002 - takers share a form
        self._parser.request(header)

    def _file(self, header: Header, fid: bytes) -> OpenFile:
        """Give the file that a request names; one that was opened unseen is taken up."""
        state = self._state
        if fid == _SAME and state.related is not None:
            return state.related
        file = state.files.get((2, fid))
        if file is None:
            tree = state.tree(header)
            is_pipe = tree.is_pipe if tree is not None else None
            file = OpenFile("", fid, guid(fid), tree.name if tree is not None else "", is_pipe)
            state.opened(2, file)
        return file

    # Connection, session and tree.

    def _negotiate(self, header: Header, raw: bytes) -> None:
        tx = self._parser.request(header)
        if self._negotiating:
            tx.note("duplicate_negotiate")
        self._negotiating = True
        count = min(number(raw, _BODY + 2, 2), _MAX_DIALECTS, max(len(raw) - _BODY - 36, 0) // 2)
        codes = [number(raw, _BODY + 36 + 2 * i, 2) for i in range(count)]
        tx.details["client_dialects"] = [names.DIALECTS.get(code, "unknown") for code in codes]
        tx.details["client_guid"] = guid(raw[_BODY + 12 : _BODY + 28])

    def _negotiated(self, header: Header, raw: bytes, entry: Pending) -> None:
        if header.status != status.SUCCESS or entry.tx is None:
            return
        if entry.tx.version == 1:
            self._state.pending = {k: e for k, e in self._state.pending.items() if e is not entry}
        self._state.dialect = number(raw, _BODY + 4, 2)
        sizes = (number(raw, _BODY + 32, 4), number(raw, _BODY + 36, 4))
        entry.tx.details |= {
            "server_guid": guid(raw[_BODY + 8 : _BODY + 24]),
            "max_read_size": sizes[0],
            "max_write_size": sizes[1],
        }
        for kind, size, side in (("read", sizes[0], TOCLIENT), ("write", sizes[1], TOSERVER)):
            limit = self._parser.limits[side].max_size
            if limit and size > limit:
                entry.tx.note(f"negotiate_max_{kind}_size_too_large")

    def _session_setup(self, header: Header, raw: bytes) -> None:
        tx = self._parser.request(header)
        blob = _slice(raw, number(raw, _BODY + 12, 2), number(raw, _BODY + 14, 2))
        self._parser.credentials(tx, blob, "malformed_ntlmssp_request")

    def _session_up(self, header: Header, raw: bytes, entry: Pending) -> None:
        if entry.tx is None:
            return
        entry.tx.session = header.session
        if header.status in {status.SUCCESS, status.MORE_PROCESSING}:
            blob = _slice(raw, number(raw, _BODY + 4, 2), number(raw, _BODY + 6, 2))
            self._parser.challenge(entry.tx, blob)

    def _tree_connect(self, header: Header, raw: bytes) -> None:
        tx = self._parser.request(header)
        path = utf16(_slice(raw, number(raw, _BODY + 4, 2), number(raw, _BODY + 6, 2)))
        tx.set_share(path, is_pipe=path.upper().endswith("IPC$"))
        self._state.ask(Tree(path, tx.is_pipe))

    def _tree_connected(self, header: Header, raw: bytes, entry: Pending) -> None:
        tx = entry.tx
        if tx is None or header.status != status.SUCCESS:
            return
        kind = raw[_BODY + 2] if len(raw) > _BODY + 2 else 0
        tx.is_pipe = kind == 2
        tx.tree = header.tree
        tx.details["share_type"] = names.SHARE_TYPES.get(kind, "UNKNOWN")
        self._state.connect(header, Tree(tx.share or "", tx.is_pipe))

    def _tree_disconnect(self, header: Header, raw: bytes) -> None:
        self._generic(header, raw)
        self._state.trees.pop((header.session, header.tree), None)

    # Files and pipes.

    def _create(self, header: Header, raw: bytes) -> None:
        tx = self._parser.request(header)
        name = utf16(_slice(raw, number(raw, _BODY + 44, 2), number(raw, _BODY + 46, 2)))
        tree = self._state.tree(header)
        tx.details = {
            "filename": name or "<share_root>",
            "disposition": names.disposition(number(raw, _BODY + 36, 4)),
            "access": access(deletes=bool(number(raw, _BODY + 40, 4) & _DELETE_ON_CLOSE)),
            **dict.fromkeys(("created", "accessed", "modified", "changed", "size"), 0),
        }
        is_pipe = tree.is_pipe if tree is not None else None
        file = OpenFile(name, share=tree.name if tree is not None else "", is_pipe=is_pipe)
        self._state.related = file
        self._state.wait(header, Pending(tx, file))

    def _created(self, header: Header, raw: bytes, entry: Pending) -> None:
        file, tx = entry.file, entry.tx
        if file is None or tx is None or header.status != status.SUCCESS or len(raw) < _BODY + 80:
            return
        file.fid = raw[_BODY + 64 : _BODY + 80]
        file.fuid = guid(file.fid)
        fields = enumerate(("created", "accessed", "modified", "changed"))
        tx.details |= {key: seconds(number(raw, _BODY + 8 + 8 * i, 8)) for i, key in fields}
        tx.details |= {"size": number(raw, _BODY + 48, 8), "fuid": file.fuid}
        for transfer in file.transfers:
            if transfer is not None:
                transfer.tx.details["fuid"] = file.fuid
        self._state.opened(2, file)

    def _close(self, header: Header, raw: bytes) -> None:
        """What was written is complete; what was read, when the server has answered."""
        tx = self._parser.request(header)
        fid = raw[_BODY + 8 : _BODY + 24]
        file = self._state.files.get((2, fid)) or (self._state.related if fid == _SAME else None)
        if file is not None:
            self._parser.close_transfer(file, TOSERVER)
        self._state.wait(header, Pending(tx, file))

    def _closed(self, header: Header, raw: bytes, entry: Pending) -> None:  # noqa: ARG002 - takers share a form
        if entry.file is not None:
            self._parser.close_transfer(entry.file, TOCLIENT)
            self._state.close(2, entry.file.fid)

    def _read(self, header: Header, raw: bytes) -> None:
        self._parser.check_size(TOCLIENT, number(raw, _BODY + 4, 4), request=True)
        file = self._file(header, raw[_BODY + 16 : _BODY + 32])
        self._state.wait(header, Pending(file=file, offset=number(raw, _BODY + 8, 8)))

    def _no_data(self, header: Header, raw: bytes, entry: Pending) -> None:  # noqa: ARG002 - takers share a form
        """A READ that failed: behind the end of what was read, the file is complete."""
        transfer = entry.file.transfers[TOCLIENT] if entry.file is not None else None
        if entry.file is None or transfer is None or header.status != status.END_OF_FILE:
            return
        if entry.offset <= transfer.place:
            self._parser.close_transfer(entry.file, TOCLIENT)

    def _ioctl(self, header: Header, raw: bytes) -> None:
        code = number(raw, _BODY + 4, 4)
        if code != names.FSCTL_PIPE_TRANSCEIVE:
            self._parser.request(header).details["function"] = names.function(code)
            return
        file = self._file(header, raw[_BODY + 8 : _BODY + 24])
        data = _slice(raw, number(raw, _BODY + 24, 4), number(raw, _BODY + 28, 4))
        self._parser.pipe(header, file, TOSERVER, data)
        self._state.wait(header, Pending(file=file))

    def _ioctl_done(self, header: Header, raw: bytes, entry: Pending) -> None:
        if entry.file is not None and header.status in _WITH_DATA:
            data = _slice(raw, number(raw, _BODY + 32, 4), number(raw, _BODY + 36, 4))
            self._parser.pipe(header, entry.file, TOCLIENT, data)

    def _set_info(self, header: Header, raw: bytes) -> None:
        kind, level = raw[_BODY + 2 : _BODY + 3], raw[_BODY + 3 : _BODY + 4]
        if kind != bytes((_FILE,)) or level not in {bytes((_RENAME,)), bytes((_DISPOSITION,))}:
            return
        file = self._file(header, raw[_BODY + 16 : _BODY + 32])
        data = _slice(raw, number(raw, _BODY + 8, 2), number(raw, _BODY + 4, 4))
        tx = self._parser.request(header)
        tx.details = {"filename": file.name}
        if level[0] == _RENAME:
            target = utf16(data[20 : 20 + number(data, 16, 4)])
            tx.details["rename"] = {"from": file.name, "to": target}
        else:
            tx.details["access"] = access(deletes=bool(number(data, 0, 1) & 1))
        tx.details["set_info"] = {
            "class": names.INFO_CLASSES[_FILE],
            "info_level": names.INFO_LEVELS[level[0]],
        }
        if file.fuid:
            tx.details["fuid"] = file.fuid

    def compressed(self, direction: int, raw: bytes) -> None:
        """Read a compression header (MS-SMB2 2.2.42); sizes that overflow are an attack (CVE-2020-0796)."""
        fields = {"original_size": number(raw, 4, 4), "algorithm": number(raw, 8, 2)}
        fields |= {"flags": number(raw, 10, 2), "offset": number(raw, 12, 4)}
        self.compression = fields
        beyond = len(raw) < nbss.MAX_HELD and fields["offset"] > len(raw) - 16
        if fields["original_size"] + fields["offset"] >= _OVERFLOW or beyond:
            tx: SmbTransaction = self._parser.new(Header(2, 0, 0, direction == TOCLIENT, 0, 0, 0))
            details: dict[str, Any] = {"compression": fields}
            tx.details |= details
            tx.note("compression_overflow")
            tx.finish(0, 1)


def _slice(raw: bytes, offset: int, length: int) -> bytes:
    """Give a buffer that a message refers to, as far as it is inside of it and behind the header."""
    return raw[offset : offset + length] if offset >= _BODY else b""
