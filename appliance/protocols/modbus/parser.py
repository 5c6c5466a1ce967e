"""Modbus over TCP: framing, and which response answers which request."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.marks import Marks
from appliance.protocols.modbus.pdu import HEADER, MAX_LENGTH, MIN_LENGTH, Pdu, answers, parse
from appliance.protocols.reader import note
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

MAX_OPEN = 500  # requests that wait for their response


class ModbusTransaction(Transaction):
    """A request with its response; either may be missing."""

    __slots__ = ("request", "response")

    def __init__(self, tx_id: int) -> None:
        """Open without either."""
        super().__init__(tx_id)
        self.request: Pdu | None = None
        self.response: Pdu | None = None

    def take(self, direction: int, pdu: Pdu) -> None:
        """Add the request or the response, with what is wrong with it."""
        if direction == TOSERVER:
            self.request = pdu
        else:
            self.response = pdu
        self.progress[direction] = COMPLETE
        self.updated = True
        for event in pdu.flaws:
            note(self, event)

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return None  # rules look at values

    @override
    def value(self, name: str) -> Any:
        return self.request if name == "modbus" else None

    @override
    def log(self) -> dict[str, Any]:
        found: dict[str, Any] = {"id": self.id + 1}
        for name, pdu in (("request", self.request), ("response", self.response)):
            if pdu is not None:
                found[name] = pdu.log()
        return found


class ModbusParser(Parser):
    """Requests and responses of one connection."""

    name = "modbus"
    log_type = "modbus"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing asked."""
        super().__init__(settings)
        self._held = (bytearray(), bytearray())
        self._open: dict[tuple[int, int], ModbusTransaction] = {}
        self._marks = Marks()

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        held = self._held[direction]
        held += chunk
        while len(held) > HEADER and not self.failed:
            length = held[4] << 8 | held[5]
            if not MIN_LENGTH <= length <= MAX_LENGTH:
                note(self._new(direction), "invalid_length")
                self.failed = True
                return
            size = HEADER - 1 + length
            self._marks.note(self, direction, len(held), ("pdu", 0, size))
            if len(held) < size:
                return
            self._unit(direction, parse(bytes(held[:size]), direction == TOCLIENT))
            del held[:size]

    def _unit(self, direction: int, pdu: Pdu) -> None:
        key = (pdu.transaction, pdu.unit)
        if direction == TOSERVER:
            self._request(key, pdu)
            return
        tx = self._open.pop(key, None)
        if tx is None:
            tx = self._new(direction)
            note(tx, "unsolicited_response")
        elif tx.request is not None and not answers(tx.request, pdu):
            note(tx, "value_mismatch")
        tx.take(direction, pdu)

    def _request(self, key: tuple[int, int], pdu: Pdu) -> None:
        tx = self._new(TOSERVER)
        tx.take(TOSERVER, pdu)
        before = self._open.pop(key, None)
        if before is None and len(self._open) >= MAX_OPEN:
            before = self._open.pop(next(iter(self._open)))
            note(before, "flooded")
        if before is not None:
            before.progress[TOCLIENT] = COMPLETE
            before.updated = True
        tx.progress[TOCLIENT] = 0
        tx.skip[TOCLIENT] = False
        self._open[key] = tx

    def _new(self, direction: int) -> ModbusTransaction:
        """Open a transaction that exists in ``direction`` only, for the time being."""
        tx = ModbusTransaction(self.next_tx)
        self.next_tx += 1
        tx.progress[:] = [COMPLETE, COMPLETE]
        tx.skip[1 - direction] = True
        self.transactions.append(tx)
        return tx


def probe(data: bytes) -> int:
    """Tell whether bytes begin with a header: protocol 0, a length that can be."""
    if any(data[2:4]):
        return PROBE_NO
    if len(data) <= HEADER:
        return PROBE_MAYBE
    return PROBE_YES if MIN_LENGTH <= (data[4] << 8 | data[5]) <= MAX_LENGTH else PROBE_NO
