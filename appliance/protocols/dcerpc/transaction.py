"""A call as a transaction of its own."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.protocols.dcerpc import pdu as wire
from appliance.protocols.dcerpc.calls import Call


class DcerpcTransaction(Transaction):
    """One call over TCP or UDP; ``activity`` and ``sequence`` are those of UDP."""

    __slots__ = ("activity", "call", "sequence")

    def __init__(self, tx_id: int, call: Call) -> None:
        """Wrap ``call``."""
        super().__init__(tx_id)
        self.call = call
        self.activity = ""
        self.sequence = 0

    def sync(self) -> None:
        """Take over how far the call has come."""
        self.updated = True
        for side in (0, 1):
            if self.call.done[side]:
                self.progress[side] = COMPLETE

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return bytes(self.call.stubs[direction]) or None if name == "dcerpc.stub_data" else None

    @override
    def value(self, name: str) -> Any:
        return self.call.value(name)

    @override
    def log(self) -> dict[str, Any]:
        """Give the ``dcerpc`` object of the record."""
        call = self.call
        body = call.log()
        if call.request == wire.REQUEST:
            body["req"] = {"opnum": call.opnum, **body["req"]}
        if self.activity:
            body |= {"activityuuid": self.activity, "seqnum": self.sequence, "rpc_version": "4.0"}
        else:
            body |= {"call_id": call.call_id, "rpc_version": call.version}
        return body
