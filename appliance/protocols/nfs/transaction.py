"""What a call of NFS, or the whole transfer of a file, tells rules and logs."""

from __future__ import annotations

import zlib
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.model.packet import TOSERVER
from appliance.protocols.nfs.calls import STATUSES, Call
from appliance.protocols.nfs.rpc import Message
from appliance.protocols.reader import text

_QUIET = frozenset(("GETATTR",))


class NfsTransaction(Transaction):
    """One call with its reply, or all the pieces of a file that travels in ``direction``."""

    __slots__ = ("auth", "call", "chunks", "creds", "direction", "last", "name", "status", "xid")

    def __init__(self, tx_id: int, call: Call, message: Message, name: bytes, direction: int = -1) -> None:
        """Open for ``call``; a file transfer has the ``direction`` of the file, a call has both (-1)."""
        super().__init__(tx_id)
        self.call = call
        self.name = name
        self.direction = direction
        self.xid = message.xid
        self.auth = message.auth_name
        self.creds = message.creds
        self.status: int | None = None
        self.chunks = 0
        self.last = False
        if direction < 0:
            self.progress[TOSERVER] = COMPLETE

    @property
    def is_file(self) -> bool:
        """Tell whether this is a transfer."""
        return self.direction >= 0

    def complete(self) -> None:
        """Take note that nothing more will come."""
        self.progress[:] = [COMPLETE, COMPLETE]
        self.updated = True

    def answered(self, message: Message, status: int) -> None:
        """Take over from a reply what the record tells of it."""
        self.status = status
        self.updated = True
        if self.is_file:
            self.xid, self.auth, self.creds = message.xid, message.auth_name, {}

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return None  # rules look at values

    @override
    def value(self, name: str) -> Any:
        if name == "nfs_version":
            return self.call.version
        return self.call.number if name == "nfs_procedure" else None

    @override
    def log(self) -> dict[str, Any]:
        call = self.call
        found: dict[str, Any] = {
            "version": call.version,
            "procedure": call.operation,
            "filename": text(self.name),
            "id": self.id + 1,
            "file_tx": self.is_file,
        }
        if call.handle:
            found["hhash"] = f"{zlib.crc32(call.handle):08x}"
        if call.target and call.operation == "RENAME":
            found["rename"] = text(call.target)
        if self.is_file:
            found[call.operation.lower()] = {
                "first": True,
                "last": self.last,
                "last_xid": self.xid,
                "chunks": self.chunks,
            }
        found["type"] = "request" if self.status is None else "response"
        if self.status is not None:
            found["status"] = STATUSES.get(self.status, str(self.status))
        rpc: dict[str, Any] = {"xid": self.xid, "auth_type": self.auth}
        if self.status is not None:
            rpc["status"] = "ACCEPTED"
        if self.creds:
            rpc["creds"] = self.creds
        return found | {"rpc": rpc}

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the record; none of calls that only ask for attributes, which there are very many of."""
        return [] if self.call.operation in _QUIET else [self.log()]
