"""RPC over TCP (a stream of PDUs) and UDP (a PDU in each datagram)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE
from appliance.protocols.dcerpc import pdu as wire
from appliance.protocols.dcerpc.calls import Association, Call
from appliance.protocols.dcerpc.reader import PduReader
from appliance.protocols.dcerpc.transaction import DcerpcTransaction
from appliance.protocols.marks import Marks, message
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES
from appliance.protocols.transports import EitherParser

MAX_DATAGRAM_CALLS = 256  # open in one flow


class DcerpcParser(EitherParser):
    """Calls of one flow."""

    name = "dcerpc"
    log_type = "dcerpc"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing bound."""
        super().__init__(settings)
        self.stream = True
        self._association = Association(whole_responses=True)
        self._readers = (PduReader(), PduReader())
        self._marks = Marks()
        self._activities: dict[tuple[str, int], DcerpcTransaction] = {}

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take a datagram, or the next bytes of a stream."""
        if not self.stream:
            self._mark(direction, len(chunk), wire.CL_HEADER_LEN, len(chunk))
            self._datagram(chunk)
            return
        reader = self._readers[direction]
        marks = reader.marks = [] if self.wanted_frames else None
        found = reader.feed(chunk)
        for behind, length in marks or ():
            self._mark(direction, behind, wire.HEADER_LEN, length)
        self._pdus(found)

    def _mark(self, direction: int, behind: int, header: int, length: int) -> None:
        """Note where a PDU is, its header and what is in it."""
        self._marks.note(self, direction, behind, *message("", header, length))

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on where the next PDU begins, if that can be told."""
        self._pdus(self._readers[direction].gap(length))

    def _pdus(self, found: list[wire.Pdu | None]) -> None:
        for pdu in found:
            if pdu is None:
                self._note("malformed_data")
                continue
            call = self._association.take(pdu)
            if call is None:
                continue
            tx = call.owner or self._add(call)
            tx.sync()

    def _note(self, event: str) -> None:
        target = self.transactions[-1].events if self.transactions else self.events
        if event not in target:
            target.append(event)

    def _add(self, call: Call) -> DcerpcTransaction:
        tx = DcerpcTransaction(self.next_tx, call)
        call.owner = tx
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _datagram(self, raw: bytes) -> None:
        """Take a connectionless PDU; its type says whether it is request or response."""
        datagram = wire.parse_datagram(raw)
        if datagram is None:
            self._note("malformed_data")
            return
        if datagram.kind not in {wire.REQUEST, wire.RESPONSE, wire.FAULT}:
            return
        key = (datagram.activity, datagram.sequence)
        tx = self._activities.get(key) or self._activity(key)
        call = tx.call
        call.endian = datagram.endian
        if datagram.kind == wire.REQUEST:
            call.request, call.opnum, call.first = wire.REQUEST, datagram.opnum, True
            call.interfaces = [datagram.interface]
            side = 0
        else:
            call.response = datagram.kind
            call.done[0] = True
            side = 1
        call.append(side, datagram.stub)
        call.done[side] = call.done[side] or datagram.last
        tx.sync()
        if tx.done:
            self._activities.pop(key, None)

    def _activity(self, key: tuple[str, int]) -> DcerpcTransaction:
        """Open the call of an activity and sequence number; the oldest gives way to the newest."""
        if len(self._activities) >= MAX_DATAGRAM_CALLS:
            self._activities.pop(next(iter(self._activities))).progress[:] = [COMPLETE, COMPLETE]
        tx = self._activities[key] = self._add(Call(0))
        tx.activity, tx.sequence = key
        return tx


def probe(raw: bytes) -> int:
    """Tell whether a stream begins with a PDU."""
    if len(raw) < wire.HEADER_LEN:
        return PROBE_MAYBE if raw[:1] == b"\x05" else PROBE_NO
    return PROBE_YES if wire.plausible(raw) else PROBE_NO


def probe_datagram(raw: bytes) -> int:
    """Tell whether a datagram is a connectionless PDU."""
    return PROBE_YES if wire.plausible_datagram(raw) else PROBE_NO
