"""NFS over TCP and UDP: replies to their calls, and the pieces of files put together."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE, FileObject, Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.files import FileTracker
from appliance.protocols.nfs import calls, rpc
from appliance.protocols.nfs.calls import Call
from appliance.protocols.nfs.transaction import NfsTransaction
from appliance.protocols.reader import note

MAX_OPEN = 1024  # calls that wait for their reply
MAX_FILES = 64  # transfers at a time
MAX_NAMES = 1024  # handles whose names are remembered
# In version 4 nearly every call only looks around; these are told of.
_TELLING = frozenset(("CREATE", "LINK", "REMOVE", "RENAME"))
# Up to this version writes are calls like others, as in Suricata, and make no file.
_CALLS_ONLY = 2
_Key = tuple[bytes, int]
_Waiting = tuple[Call, NfsTransaction | None]


class NfsParser(Parser):
    """Calls of one flow."""

    name = "nfs"
    log_type = "nfs"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing asked."""
        super().__init__(settings)
        self.stream = False
        self._files = FileTracker(100 << 10)
        self._records = (rpc.Records(), rpc.Records())
        self._waiting: dict[int, _Waiting] = {}
        self._transfers: dict[_Key, NfsTransaction] = {}
        self._names: dict[bytes, bytes] = {}
        self._ended = [False, False]
        self.transactions: list[NfsTransaction] = []  # type: ignore[assignment]

    @override
    def open(self, flow: Any, app: AppSettings, carried: Any) -> None:
        """Learn whether the flow is TCP, and what is wanted of files."""
        self.stream = flow.proto == 6
        self._files = FileTracker.of(app)

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        if not self.stream:
            self._message(direction, chunk)
            return
        for record in self._records[direction].feed(chunk):
            self._message(direction, record)

    @override
    def gap(self, direction: int, length: int) -> None:
        self._records[direction].gap(length)

    @override
    def end(self, direction: int) -> None:
        """End the transfers when both directions have ended: NFS itself has no end of a file."""
        self._ended[direction] = True
        if all(self._ended):
            for key in list(self._transfers):
                self._close(key)
        for tx in self.transactions:
            if not tx.is_file:
                tx.progress[direction] = COMPLETE
                tx.updated = True

    def _message(self, direction: int, data: bytes) -> None:
        message = rpc.parse(data)
        if message is None:
            return
        if direction == TOSERVER and message.kind == rpc.CALL and message.program == rpc.NFS:
            self._call(message)
        elif direction == TOCLIENT and message.kind == rpc.REPLY:
            self._reply(message)

    def _call(self, message: rpc.Message) -> None:
        found = calls.parse(message.version, message.procedure, message.reader)
        if message.reader.failed and message.version != 4 and found:
            tx = self._call_transaction(message, found[0])
            note(tx, "malformed_data")
            tx.complete()
            return
        waiting: _Waiting | None = None
        for call in found:
            waiting = self._one_call(message, call) or waiting
        if waiting is not None:
            self._waiting[message.xid] = waiting
            if len(self._waiting) > MAX_OPEN:
                _, forgotten = self._waiting.pop(next(iter(self._waiting)))
                if forgotten is not None and not forgotten.is_file:
                    forgotten.complete()

    def _one_call(self, message: rpc.Message, call: Call) -> _Waiting | None:
        """Take a call or one operation of a compound; gives what waits for the reply."""
        if call.operation == "WRITE" and call.version > _CALLS_ONLY:
            return call, self._piece(message, call, TOSERVER, call.data)
        if call.operation == "READ":
            return call, None
        if call.operation == "COMMIT" and (call.handle, TOSERVER) in self._transfers:
            self._close((call.handle, TOSERVER))
        if call.version == 4 and call.operation not in _TELLING:
            return None
        if call.version < 4 and call.number == 0:
            return None
        return call, self._call_transaction(message, call)

    def _call_transaction(self, message: rpc.Message, call: Call) -> NfsTransaction:
        tx = NfsTransaction(self.next_tx, call, message, call.name or self._names.get(call.handle, b""))
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _piece(self, message: rpc.Message, call: Call, direction: int, data: bytes) -> NfsTransaction:
        """Add a piece of a file to its transfer, which the first piece opens."""
        key = (call.handle, direction)
        tx = self._transfers.get(key)
        if tx is None:
            name = self._names.get(call.handle, b"")
            tx = NfsTransaction(self.next_tx, call, message, name, direction)
            self.next_tx += 1
            tx.skip[1 - direction] = True
            tx.files.append(self._files.open(name, direction, tx.id))
            self.transactions.append(tx)
            self._transfers[key] = tx
            if len(self._transfers) > MAX_FILES:
                self._close(next(iter(self._transfers)))
        tx.chunks += 1
        tx.updated = True
        file = tx.files[0]
        self._append(file, call.offset, data)
        return tx

    def _append(self, file: FileObject, offset: int, data: bytes) -> None:
        """Add what is next in the file; a hole before it is one, what was there already is passed over."""
        if offset > file.size:
            self._files.gap(file, offset - file.size)
        self._files.append(file, data[max(0, file.size - offset) :])

    def _close(self, key: _Key) -> None:
        tx = self._transfers.pop(key)
        tx.last = True
        self._files.close(tx.files[0])
        tx.complete()

    def _reply(self, message: rpc.Message) -> None:
        call, tx = self._waiting.pop(message.xid, (None, None))
        if call is None:
            return
        usable = message.accepted and message.procedure == 0
        result = calls.result(call, message.reader) if usable else calls.Result(calls.REFUSED)
        if result.data is not None:
            tx = self._piece(message, call, TOCLIENT, result.data)
        if tx is not None:
            tx.answered(message, result.status)
            if not tx.is_file:
                tx.complete()
        if result.eof and result.data is not None:
            self._close((call.handle, TOCLIENT))
        if result.handle and call.name:
            self._names[result.handle] = call.name
            if len(self._names) > MAX_NAMES:
                del self._names[next(iter(self._names))]
