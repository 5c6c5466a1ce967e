"""Kerberos between clients and the key distribution centre, over UDP and TCP (RFC 4120 section 7.2)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue
from appliance.protocols.krb5 import names
from appliance.protocols.krb5.message import Message, parse
from appliance.protocols.single import MessageTransaction
from appliance.protocols.transports import EitherParser

# A ticket with the groups of a Windows user stays below 64 KiB, and a request carries two at most.
MAX_MESSAGE = 256 << 10


class KrbTransaction(MessageTransaction):
    """One message; it exists in its own direction only. ``request`` is the request that it fails."""

    __slots__ = ("message", "request")

    def __init__(self, tx_id: int, direction: int, message: Message, request: int) -> None:
        """Wrap ``message`` that travelled in ``direction``."""
        super().__init__(tx_id, direction)
        self.message = message
        self.request = request
        if message.encryption is not None and names.weak(message.encryption):
            self.events.append("weak_encryption")

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        """Give the components of a name, one instance each."""
        if name == "krb5.cname":
            return list(self.message.cname) or None
        if name == "krb5.sname":
            return list(self.message.sname) or None
        return None

    @override
    def value(self, name: str) -> Any:
        message = self.message
        if name == "krb5_msg_type":
            return message.kind or None
        if name == "krb5_err_code":
            return message.error
        if name == "krb5.ticket_encryption":
            return message.ticket_encryption
        if name == "krb5.weak_encryption":
            return message.encryption is not None and names.weak(message.encryption)
        return None

    @override
    def log(self) -> dict[str, Any]:
        message = self.message
        found: dict[str, Any] = {"msg_type": names.MESSAGES.get(message.kind, "UNKNOWN")}
        if message.error is not None:
            found["failed_request"] = names.MESSAGES.get(self.request, "UNKNOWN")
            found["error_code"] = names.ERRORS.get(message.error, f"UNKNOWN ({message.error})")
        found["cname"] = _text(b"/".join(message.cname)) or "<empty>"
        found["realm"] = _text(message.realm or b"") or "<empty>"
        found["sname"] = _text(b"/".join(message.sname)) or "<empty>"
        kind = message.encryption
        found["encryption"] = "<none>" if kind is None else names.encryption_name(kind)
        found["weak_encryption"] = kind is not None and names.weak(kind)
        if message.ticket_encryption is not None:
            found["ticket_encryption"] = names.encryption_name(message.ticket_encryption)
            found["ticket_weak_encryption"] = names.weak(message.ticket_encryption)
        return found

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A message that could not be read is an anomaly and no record."""
        return [self.log()] if self.message.kind else []


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


class KrbParser(EitherParser):
    """Messages of one flow; over TCP each has its length before it."""

    name = "krb5"
    log_type = "krb5"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing held back."""
        super().__init__(settings)
        self._held = (bytearray(), bytearray())
        self._skip = [0, 0]
        self._request = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take a datagram, or the next bytes of a stream."""
        if not self.stream:
            self._message(direction, chunk)
            return
        held = self._held[direction]
        held += chunk
        at = 0
        while at < len(held):
            if self._skip[direction]:
                at += self._leave_out(direction, len(held) - at)
                continue
            if at + 4 > len(held):
                break
            length = int.from_bytes(held[at : at + 4], "big")
            if length > MAX_MESSAGE:
                self._skip[direction] = 4 + length
                self._malformed(direction)
                continue
            if at + 4 + length > len(held):
                break
            if length:
                self._message(direction, bytes(held[at + 4 : at + 4 + length]))
            at += 4 + length
        del held[:at]

    @override
    def gap(self, direction: int, length: int) -> None:
        """A hole inside of a message too long to be read is no loss; any other ends the reading."""
        if length <= self._skip[direction]:
            self._skip[direction] -= length
        else:
            self.failed = True

    def _leave_out(self, direction: int, there: int) -> int:
        """Count off what belongs to a message that is not read; of ``there`` bytes, give how many."""
        step = min(self._skip[direction], there)
        self._skip[direction] -= step
        return step

    def _malformed(self, direction: int) -> None:
        """Note that a message could not be read."""
        tx = self._add(direction, Message(0))
        tx.events.append("malformed_data")

    def _message(self, direction: int, raw: bytes) -> None:
        message = parse(raw)
        if message is None:
            self._malformed(direction)
            return
        if message.kind in {names.AS_REQ, names.TGS_REQ, names.AP_REQ}:
            self._request = message.kind
        if message.kind in {names.AP_REQ, names.AP_REP}:
            return  # they authenticate to a service, the KDC is not asked anything
        self._add(direction, message)
        if message.kind not in {names.AS_REQ, names.TGS_REQ}:
            self._request = 0

    def _add(self, direction: int, message: Message) -> KrbTransaction:
        tx = KrbTransaction(self.next_tx, direction, message, self._request)
        self.next_tx += 1
        self.transactions.append(tx)
        return tx
