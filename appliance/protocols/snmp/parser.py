"""SNMP over UDP: each datagram is a transaction of its own."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue, Parser
from appliance.protocols.single import MessageTransaction
from appliance.protocols.snmp import message as snmp
from appliance.protocols.snmp.message import Message, parse


class SnmpTransaction(MessageTransaction):
    """One message; it exists in its own direction only."""

    __slots__ = ("message",)

    def __init__(self, tx_id: int, direction: int, message: Message | None) -> None:
        """Wrap ``message`` that travelled in ``direction``; None is one that could not be read."""
        super().__init__(tx_id, direction)
        self.message = message or Message()
        self.events.extend(self.message.events if message is not None else ["malformed_data"])

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.message.community if name == "snmp.community" else self.message.user

    @override
    def value(self, name: str) -> Any:
        if name == "snmp.version":
            return self.message.version or None
        return self.message.pdu if name == "snmp.pdu_type" else None

    @override
    def log(self) -> dict[str, Any]:
        message = self.message
        found: dict[str, Any] = {"version": message.version}
        if message.encrypted:
            found["pdu_type"] = "encrypted"
        elif message.pdu is not None:
            found |= _pdu(message)
        for key, value in (("community", message.community), ("usm", message.user)):
            if value is not None:
                found[key] = value.decode("utf-8", "backslashreplace")
        return found

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A message that could not be read is an anomaly and no record."""
        return [self.log()] if self.message.version else []


def _pdu(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"pdu_type": snmp.PDUS[message.pdu or 0]}
    if message.error:
        found["error"] = _named(snmp.ERRORS, message.error, "ErrorStatus")
    if message.trap is not None:
        found["trap_type"] = _named(snmp.TRAPS, message.trap, "TrapType")
        found["trap_oid"] = message.trap_oid
        if message.trap_address:
            found["trap_address"] = message.trap_address
    if message.variables:
        found["vars"] = list(message.variables)
    return found


def _named(table: tuple[str, ...], number: int, kind: str) -> str:
    return table[number] if 0 <= number < len(table) else f"{kind}({number})"


class SnmpParser(Parser):
    """Messages of one flow, which all have the version of the first."""

    name = "snmp"
    log_type = "snmp"

    def __init__(self, settings: Any = None) -> None:
        """Start before the first message."""
        super().__init__(settings)
        self._version = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        message = parse(chunk)
        if message is not None:
            if self._version and message.version != self._version:
                message.events.append("version_mismatch")
            self._version = self._version or message.version
        self.transactions.append(SnmpTransaction(self.next_tx, direction, message))
        self.next_tx += 1
