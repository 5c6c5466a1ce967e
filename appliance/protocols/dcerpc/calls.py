"""Calls of one RPC association: which request belongs to which response, and what is bound.

Shared by RPC over TCP and RPC inside the named pipes of SMB.
"""

from __future__ import annotations

from typing import Any

from appliance.protocols.dcerpc import pdu as wire
from appliance.protocols.dcerpc.pdu import Interface, Pdu

MAX_STUB = 1 << 20  # bytes kept of one direction of a call
MAX_HELD = 4 << 20  # bytes kept of all open calls of an association
MAX_CALLS = 64  # open at a time
MAX_CONTEXTS = 1024

REQUESTS = frozenset((wire.REQUEST, wire.BIND, wire.ALTER_CONTEXT))
RESPONSES = frozenset(
    (wire.RESPONSE, wire.FAULT, wire.BIND_ACK, wire.BIND_NAK, wire.ALTER_CONTEXT_RESP, wire.REJECT)
)


class Call:
    """A request with its response. What belongs to one direction is a pair, request first.

    ``request`` and ``response`` are PDU types, -1 while not seen. ``owner`` is the transaction made for
    it. ``sizes`` count all stub bytes, ``stubs`` hold them up to :data:`MAX_STUB`.
    """

    __slots__ = (
        "association",
        "call_id",
        "context",
        "done",
        "endian",
        "first",
        "fragments",
        "interfaces",
        "opnum",
        "owner",
        "request",
        "response",
        "sizes",
        "stubs",
        "version",
    )

    def __init__(self, call_id: int, association: Association | None = None) -> None:
        """Start a call of which nothing is known."""
        self.association = association
        self.call_id = call_id
        self.request = -1
        self.response = -1
        self.context = -1
        self.opnum = -1
        self.first = False
        self.endian = "little"
        self.version = "5.0"
        self.stubs = (bytearray(), bytearray())
        self.sizes = [0, 0]
        self.fragments = [0, 0]
        self.interfaces: list[Interface] = []
        self.done = [False, False]
        self.owner: Any = None

    def append(self, side: int, data: bytes) -> None:
        """Add the stub data of one fragment."""
        self.fragments[side] += 1
        self.sizes[side] += len(data)
        room = MAX_STUB - len(self.stubs[side])
        if room > 0:
            self.stubs[side].extend(data[:room])

    def called(self) -> list[Interface]:
        """Give the accepted interface that a request calls; empty for anything else."""
        if self.request != wire.REQUEST:
            return []
        blind = self.association is not None and not self.association.answered
        return [item for item in self.interfaces if item.result == 0 or (blind and item.result < 0)]

    def value(self, name: str) -> Any:
        """Answer for ``dcerpc.opnum``, ``dcerpc.iface`` and ``dcerpc.endian``; None for others."""
        if name == "dcerpc.endian":
            return self.endian
        if self.request != wire.REQUEST:
            return None
        if name == "dcerpc.opnum":
            return self.opnum
        if name == "dcerpc.iface":
            return [(item.uuid, item.major, self.first) for item in self.called()]
        return None

    def log(self) -> dict[str, Any]:
        """Give the fields that RPC has wherever it is carried: types, interfaces, sizes, call number."""
        body: dict[str, Any] = {
            "request": wire.kind_name(self.request) if self.request >= 0 else "REQUEST_LOST"
        }
        body["response"] = wire.kind_name(self.response) if self.response >= 0 else "UNREPLIED"
        if self.interfaces:
            body["interfaces"] = [_interface(item) for item in self.interfaces]
        if self.request == wire.REQUEST:
            body["req"] = {"frag_cnt": self.fragments[0], "stub_data_size": self.sizes[0]}
        if self.response == wire.RESPONSE:
            body["res"] = {"frag_cnt": self.fragments[1], "stub_data_size": self.sizes[1]}
        return body


def _interface(item: Interface) -> dict[str, Any]:
    row: dict[str, Any] = {"uuid": item.uuid, "version": f"{item.major}.{item.minor}"}
    if item.result >= 0:
        # Readers of these records know no reason but 0, whatever the server gave.
        row |= {"ack_result": item.result, "ack_reason": 0}
    return row


class Association:
    """What was bound on one connection or pipe, and the calls that are open on it."""

    def __init__(self, *, whole_responses: bool = False) -> None:
        """Start with nothing bound.

        ``whole_responses`` counts the eight bytes of call header of a response to its stub data, as rules
        for RPC over TCP expect it; in the pipes of SMB they do not.
        """
        self._whole = whole_responses
        self.contexts: dict[int, Interface] = {}
        self.calls: dict[int, Call] = {}
        self.answered = False

    def take(self, pdu: Pdu) -> Call | None:
        """Take a PDU; give the call it belongs to, None when it belongs to none.

        A call without ``owner`` is new. ``done`` says which sides have come to their end.
        """
        if pdu.kind in REQUESTS:
            return self._request(pdu)
        if pdu.kind in RESPONSES:
            self.answered = True
            return self._response(pdu)
        return None

    def _open(self, pdu: Pdu) -> Call:
        """Make a call; the oldest that is open gives way when there are too many."""
        self.calls.pop(pdu.call_id, None)
        while len(self.calls) >= MAX_CALLS or self._held() > MAX_HELD:
            oldest = self.calls.pop(next(iter(self.calls)))
            oldest.done = [True, True]
        call = self.calls[pdu.call_id] = Call(pdu.call_id, self)
        call.endian, call.version = pdu.endian, pdu.version
        return call

    def _held(self) -> int:
        return sum(len(stub) for call in self.calls.values() for stub in call.stubs)

    def _request(self, pdu: Pdu) -> Call | None:
        if pdu.kind != wire.REQUEST:
            return self._bind(pdu) if pdu.first else None
        call = self.calls.get(pdu.call_id)
        if pdu.first or call is None or call.request != wire.REQUEST or call.done[0]:
            call = self._open(pdu)
            call.request, call.opnum, call.context, call.first = pdu.kind, pdu.opnum, pdu.context, pdu.first
            bound = self.contexts.get(pdu.context)
            call.interfaces = [bound] if bound is not None else []
        call.append(0, pdu.stub)
        call.done[0] = call.done[0] or pdu.last
        return call

    def _bind(self, pdu: Pdu) -> Call:
        call = self._open(pdu)
        call.request, call.first = pdu.kind, True
        call.interfaces = pdu.interfaces
        for item in pdu.interfaces:
            if len(self.contexts) < MAX_CONTEXTS or item.context in self.contexts:
                self.contexts[item.context] = item
        call.fragments[0] = 1
        call.done[0] = True
        return call

    def _response(self, pdu: Pdu) -> Call:
        call = self.calls.get(pdu.call_id)
        if call is None:
            call = self._open(pdu)
            call.done[0] = True
        call.response = pdu.kind
        call.append(1, pdu.body if self._whole else pdu.stub)
        if pdu.results and call.request in {wire.BIND, wire.ALTER_CONTEXT}:
            for item, result in zip(call.interfaces, pdu.results, strict=False):
                item.result = result
        if pdu.last or pdu.kind != wire.RESPONSE:
            call.done = [True, True]
            del self.calls[pdu.call_id]
        return call
