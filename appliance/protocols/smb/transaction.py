"""One SMB command with its response, a file transfer, or an RPC call inside a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.protocols.dcerpc import pdu as wire
from appliance.protocols.dcerpc.calls import Call
from appliance.protocols.smb import names, status
from appliance.protocols.smb.auth import Ntlm

if TYPE_CHECKING:
    from appliance.protocols.smb.state import State


class SmbTransaction(Transaction):
    """What rules ask of an exchange and what is logged.

    ``details`` are the parts of the record that belong to the command. ``share`` and ``is_pipe`` are
    those of a tree connect, ``call`` that of a pipe, ``status`` is -1 while there is no response.
    """

    __slots__ = (
        "call",
        "command",
        "details",
        "dos",
        "is_pipe",
        "ntlm",
        "session",
        "share",
        "state",
        "status",
        "tree",
        "version",
    )

    def __init__(self, tx_id: int, state: State, version: int, command: int) -> None:
        """Open a transaction for ``command`` of SMB ``version`` 1 or 2."""
        super().__init__(tx_id)
        self.state = state
        self.version = version
        self.command = command
        self.session = 0
        self.tree = 0
        self.status = -1
        self.dos = False
        self.details: dict[str, Any] = {}
        self.share: str | None = None
        self.is_pipe = False
        self.ntlm: Ntlm | None = None
        self.call: Call | None = None

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)
            self.updated = True

    def finish(self, *sides: int) -> None:
        """Complete the given directions."""
        self.updated = True
        for side in sides:
            self.progress[side] = COMPLETE
        if self.done:
            self.state.open.pop(self.id, None)

    def sync(self) -> None:
        """Take over how far the call has come."""
        self.updated = True
        if self.call is not None:
            self.finish(*(side for side in (0, 1) if self.call.done[side]))

    def set_share(self, share: str, *, is_pipe: bool) -> None:
        """Name the share of a tree connect."""
        self.share, self.is_pipe = share, is_pipe

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if name == "dcerpc.stub_data":
            return bytes(self.call.stubs[direction]) or None if self.call is not None else None
        if name == "file.data":
            return [bytes(file.data) for file in self.files if file.direction == direction] or None
        if name == "file.name":
            return [file.name for file in self.files if file.direction == direction] or None
        return self._text(name)

    def _text(self, name: str) -> bytes | None:
        """Give the buffers that are text, in UTF-8."""
        text: str | None = None
        if name in {"smb.share", "smb.named_pipe"}:
            text = self.share if self.is_pipe == (name == "smb.named_pipe") else None
        elif self.ntlm is not None:
            text = {"smb.ntlmssp_user": self.ntlm.user, "smb.ntlmssp_domain": self.ntlm.domain}.get(name)
        return text.encode("utf-8", "backslashreplace") if text else None

    @override
    def value(self, name: str) -> Any:
        if name == "smb.version":
            return "2 3" if self.version == 2 and 0x0300 <= self.state.dialect < 0x0400 else str(self.version)
        return self.call.value(name) if self.call is not None else None

    @override
    def log(self) -> dict[str, Any]:
        """Give the ``smb`` object of the record."""
        body: dict[str, Any] = {"id": self.id + 1, "dialect": self.state.dialect_name()}
        name = names.smb1_command if self.version == 1 else names.smb2_command
        body["command"] = name(self.command)
        if self.status >= 0:
            body |= self._log_status()
        body |= {"session_id": self.session, "tree_id": self.tree}
        if self.share is not None:
            body["named_pipe" if self.is_pipe else "share"] = self.share
        body |= self.details
        if self.ntlm is not None:
            body["ntlmssp"] = self.ntlm.log()
        if self.call is not None:
            body["dcerpc"] = self._log_call(self.call)
        return body

    def _log_status(self) -> dict[str, Any]:
        if not self.dos:
            return {"status": status.name(self.status), "status_code": f"0x{self.status:x}"}
        kind, code = self.status & 0xFF, self.status >> 16
        return {"status": status.dos_name(kind), "status_code": f"0x{code:04x}"}

    def _log_call(self, call: Call) -> dict[str, Any]:
        body = call.log()
        if call.request == wire.REQUEST:
            body["opnum"] = call.opnum
        body["call_id"] = call.call_id
        return body
