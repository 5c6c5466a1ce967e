"""EtherNet/IP over TCP and UDP: which response answers which request."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.enip.encapsulation import ALONE, COMMANDS, HEADER, STATUSES, Pdu, parse
from appliance.protocols.marks import Marks, message
from appliance.protocols.reader import note
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES
from appliance.protocols.transports import EitherParser

MAX_OPEN = 512
_NUMBERS = {
    "enip.protocol_version": "protocol_version",
    "enip.capabilities": "capabilities",
    "enip.revision": "revision",
    "enip.identity_status": "status",
    "enip.state": "state",
    "enip.serial": "serial",
    "enip.product_code": "product_code",
    "enip.device_type": "device_type",
    "enip.vendor_id": "vendor_id",
}
_PATHS = {"enip.cip_class": "class", "enip.cip_instance": "instance", "enip.cip_attribute": "attribute"}
_LIST_SERVICES, _LIST_IDENTITY = 0x04, 0x63


class EnipTransaction(Transaction):
    """A request with its response; rules see in each direction what travels there."""

    __slots__ = ("pdus",)

    def __init__(self, tx_id: int, alone: int) -> None:
        """Open; ``alone`` is the only direction there is, -1 for both."""
        super().__init__(tx_id)
        self.pdus: list[Pdu | None] = [None, None]
        if alone >= 0:
            self.skip[1 - alone] = True
            self.progress[1 - alone] = COMPLETE

    def take(self, direction: int, pdu: Pdu, fine: bool) -> None:
        """Add the request or the response."""
        self.pdus[direction] = pdu
        self.progress[direction] = COMPLETE
        self.updated = True
        if not fine:
            note(self, "invalid_pdu")

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        pdu = self.pdus[direction]
        wanted = _LIST_IDENTITY if name == "enip.product_name" else _LIST_SERVICES
        return pdu.name if pdu is not None and pdu.command == wanted else None

    @override
    def compared(self, name: str, direction: int) -> Any:
        pdu = self.pdus[direction]
        if pdu is None:
            return None
        if name == "enip_command":
            return pdu.command
        if name == "enip.status":
            return pdu.status
        if name in _NUMBERS:
            return pdu.numbers.get(_NUMBERS[name])
        return _of_cip(pdu, name)

    @override
    def log(self) -> dict[str, Any]:
        names = ((TOSERVER, "request"), (TOCLIENT, "response"))
        pdus = [(name, self.pdus[direction]) for direction, name in names]
        return {name: pdu.log() for name, pdu in pdus if pdu is not None}


def _of_cip(pdu: Pdu, name: str) -> Any:
    """Give what all the messages inside have."""
    if pdu.message is None:
        return None
    messages = pdu.message.all()
    if name == "cip_service":
        return [(one.service, one.of("class"), one.of("attribute")) for one in messages]
    if name == "enip.cip_status":
        return [one.status for one in messages if one.response] or None
    if name == "enip.cip_extendedstatus":
        return [one.extended for one in messages if one.extended is not None] or None
    return [value for one in messages for value in one.of(_PATHS.get(name, ""))] or None


class EnipParser(EitherParser):
    """Messages of one flow."""

    name = "enip"
    log_type = "enip"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing asked."""
        super().__init__(settings)
        self._held = (bytearray(), bytearray())
        self._marks = Marks()
        self._open: dict[tuple[int, bytes, int], list[EnipTransaction]] = {}
        self._waiting = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        held = self._held[direction]
        held += chunk
        while len(held) >= HEADER and not self.failed:
            size = HEADER + (held[2] | held[3] << 8)
            if held[0] | held[1] << 8 not in COMMANDS and self.stream:
                note(self._new(direction, direction), "invalid_pdu")
                self.failed = True
                return
            self._marks.note(self, direction, len(held), *message("", HEADER, size))
            if len(held) < size:
                break
            self._message(direction, bytes(held[:size]))
            del held[:size]
        if not self.stream:
            if held:
                note(self._new(direction, direction), "invalid_pdu")
            held.clear()

    def _message(self, direction: int, raw: bytes) -> None:
        pdu, fine = parse(raw, direction == TOCLIENT)
        if direction == TOCLIENT:
            found = self._open.get(pdu.key)
            if found:
                self._waiting -= 1
                tx = found.pop(0)
                if not found:
                    del self._open[pdu.key]
            else:
                tx = self._new(direction, direction)
            tx.take(direction, pdu, fine)
        elif pdu.command in ALONE:
            self._new(direction, direction).take(direction, pdu, fine)
        else:
            tx = self._new(direction, -1)
            tx.take(direction, pdu, fine)
            self._await(pdu, tx)

    def _await(self, pdu: Pdu, tx: EnipTransaction) -> None:
        """Let a request wait; when too many do, the first of them is over."""
        self._open.setdefault(pdu.key, []).append(tx)
        self._waiting += 1
        if self._waiting > MAX_OPEN:
            key = next(iter(self._open))
            oldest = self._open[key].pop(0)
            oldest.progress[TOCLIENT] = COMPLETE
            oldest.updated = True
            self._waiting -= 1
            if not self._open[key]:
                del self._open[key]

    def _new(self, direction: int, alone: int) -> EnipTransaction:
        tx = EnipTransaction(self.next_tx, alone)
        tx.progress[direction] = COMPLETE
        self.next_tx += 1
        self.transactions.append(tx)
        return tx


def probe(data: bytes) -> int:
    """Tell whether bytes begin with a header that makes sense."""
    if len(data) < HEADER:
        return PROBE_MAYBE if data[1:2] in {b"", b"\0"} and data[0] in COMMANDS else PROBE_NO
    pdu = Pdu(data[:HEADER])
    return PROBE_YES if pdu.command in COMMANDS and pdu.status in STATUSES and not pdu.options else PROBE_NO
