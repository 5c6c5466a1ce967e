"""LDAP over TCP, and connectionless over UDP (RFC 4511, MS-ADTS 3.1.1.3.3)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols import ber
from appliance.protocols.ldap import names
from appliance.protocols.ldap.message import Message, parse
from appliance.protocols.ldap.transaction import LdapTransaction
from appliance.protocols.marks import Marks

MAX_MESSAGE = 256 << 10  # read; longer ones are skipped
MAX_FLOW = 2 << 20  # bytes of messages kept of all requests that wait
MAX_TX = 256  # requests without an answer, unless the settings say otherwise


class LdapParser(Parser):
    """Messages of one flow. Goes over to TLS when both ends agree to (section 4.14)."""

    name = "ldap"
    log_type = "ldap"

    def __init__(self, settings: Any = None) -> None:
        """Read how many requests may wait (``max-tx``)."""
        super().__init__(settings)
        wanted = (settings or {}).get("max-tx")
        self.max_tx = wanted if isinstance(wanted, int) and wanted > 0 else MAX_TX
        self._held = (bytearray(), bytearray())
        self._skip = [0, 0]
        self._marks = Marks()
        self._waiting: dict[int, LdapTransaction] = {}
        self._kept = 0  # bytes in those that wait
        self._start_tls = -1  # id of the request for it that waits
        self._sasl = False
        self._datagrams = False

    @override
    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Learn whether the flow is UDP."""
        del app, carried
        self._datagrams = flow.proto == 17

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        held = self._held[direction]
        held += chunk
        self._read(direction)
        if self._datagrams and held:
            held.clear()
            self._skip[direction] = 0
            self._invalid(direction, "incomplete_data")

    @override
    def gap(self, direction: int, length: int) -> None:
        """A hole inside of a message too long to be read is no loss; any other ends the reading."""
        if length <= self._skip[direction]:
            self._skip[direction] -= length
        else:
            self.failed = True

    @override
    def end(self, direction: int) -> None:
        super().end(direction)
        if direction == TOCLIENT:
            self._waiting.clear()
            self._kept = 0

    def _read(self, direction: int) -> None:
        """Take whole messages from what is held, as long as it is plain LDAP."""
        held = self._held[direction]
        at = 0
        while at < len(held) and not (self.failed or self.bypass or self.upgrade):
            if self._start_tls >= 0 and direction == TOSERVER:
                if len(held) - at > MAX_MESSAGE:
                    self.failed = True
                break  # what comes now is TLS, if the server agrees
            step = self._step(direction, held, at)
            if not step:
                break
            at += step
        del held[:at]
        if self.upgrade:
            self.upgrade_data = (bytes(self._held[0]), bytes(self._held[1]))
            for side in self._held:
                side.clear()

    def _step(self, direction: int, held: bytearray, at: int) -> int:
        """Take one message or part of a skipped one; give its bytes, 0 when it is not complete."""
        there = len(held) - at
        if self._skip[direction]:
            step = min(self._skip[direction], there)
            self._skip[direction] -= step
            return step
        size = ber.size(held, at) if held[at] == ber.SEQUENCE else ber.BAD
        if size == ber.BAD:
            self._foreign(direction)
            return there
        if size != ber.MORE:
            self._marks.note(self, direction, there, ("pdu", 0, size))
        if size > MAX_MESSAGE:
            self._skip[direction] = size
            self._invalid(direction)
            return self._step(direction, held, at)
        if size == ber.MORE or size > there:
            return 0
        message = parse(bytes(held[at : at + size]))
        if message is None:
            self._invalid(direction)
        else:
            self._message(direction, message)
        return size

    def _foreign(self, direction: int) -> None:
        """What is no LDAP: after a SASL bind it may be encrypted, otherwise it is an error."""
        if self._sasl:
            self.bypass = True
            return
        self._invalid(direction)
        self.failed = not self._datagrams

    def _invalid(self, direction: int, event: str = "invalid_data") -> None:
        tx = self._add(None)
        tx.skip[direction], tx.skip[1 - direction] = False, True
        tx.progress[:] = [COMPLETE, COMPLETE]
        tx.events.append(event)

    def _message(self, direction: int, message: Message) -> None:
        if message.operation in names.REQUESTS:
            if direction == TOSERVER:
                self._request(message)
            else:
                self._invalid(direction)
        elif direction == TOCLIENT:
            self._response(message)
        else:
            self._invalid(direction)

    def _add(self, request: Message | None) -> LdapTransaction:
        tx = LdapTransaction(self.next_tx, request)
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _request(self, message: Message) -> None:
        tx = self._add(message)
        if message.operation in names.UNANSWERED:
            return
        self._sasl = self._sasl or message.sasl
        if message.operation == names.EXTENDED_REQUEST and message.name == names.START_TLS:
            self._start_tls = -1 if self._datagrams else message.id
        if message.id in self._waiting:
            self._settle(message.id)
        while self._waiting and (len(self._waiting) >= self.max_tx or self._kept + message.size > MAX_FLOW):
            self._settle(next(iter(self._waiting)), "too_many_transactions")
        self._waiting[message.id] = tx
        self._kept += tx.kept

    def _settle(self, ident: int, *events: str) -> None:
        """Wait for no more responses to a request."""
        tx = self._waiting.pop(ident)
        self._kept -= tx.kept
        tx.events.extend(events)
        tx.progress[TOCLIENT] = COMPLETE
        tx.updated = True

    def _response(self, message: Message) -> None:
        tx = self._waiting.get(message.id)
        if tx is None:
            tx = self._add(None)
            if message.id:
                tx.events.append("request_not_found")
            tx.answer(message, MAX_FLOW)
            tx.progress[TOCLIENT] = COMPLETE
            return
        self._kept += tx.answer(message, MAX_FLOW - self._kept)
        if tx.progress[TOCLIENT] >= COMPLETE:
            self._settle(message.id)
        if message.id == self._start_tls:
            self._start_tls = -1
            if message.result == 0:
                self.upgrade = "tls"
            else:
                self._read(TOSERVER)
