"""DNS over UDP and TCP: each message is a transaction of its own (RFC 1035, RFC 7766)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dns import log, rdata
from appliance.protocols.dns.message import HEADER_LEN, Message, Names, Record, parse
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES
from appliance.protocols.transports import EitherParser

_MAX_OPCODE = 6
_MAX_HELD = 2 + 0xFFFF


class DnsTransaction(Transaction):
    """One message; it exists in its own direction only."""

    __slots__ = ("direction", "message")

    def __init__(self, tx_id: int, direction: int, message: Message) -> None:
        """Wrap ``message`` that travelled in ``direction``."""
        super().__init__(tx_id)
        self.direction = direction
        self.message = message
        self.progress = [COMPLETE, COMPLETE]
        self.skip[1 - direction] = True
        self.events.extend(message.names.events)

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        """Give the names that a buffer stands for, one instance each."""
        message = self.message
        section = name.partition(".")[2]
        if section in {"query", "queries.rrname", "query.name"}:
            return [question.name for question in message.questions] or None
        if section == "response.rrname":
            return self._response_names() or None
        found = self._section(section)
        return [record.name for record in found] or None

    def _section(self, name: str) -> list[Record]:
        message = self.message
        sections = {
            "answers.rrname": message.answers,
            "answer.name": message.answers,
            "authorities.rrname": message.authorities,
            "additionals.rrname": message.additionals,
        }
        return sections.get(name, [])

    def _response_names(self) -> list[bytes]:
        message = self.message
        if not message.is_response:
            return []
        records = message.answers + message.authorities + message.additionals
        return [question.name for question in message.questions] + rdata.names(message, records)

    @override
    def value(self, name: str) -> Any:
        """Give ``dns.opcode``, ``dns.rcode`` or the types of all records."""
        message = self.message
        if name == "dns.opcode":
            return message.opcode
        if name == "dns.rcode":
            return message.rcode
        if name.endswith(".rrtype"):
            kinds = [question.type for question in message.questions]
            return kinds + [record.type for record in message.answers]
        return None

    @override
    def log(self) -> dict[str, Any]:
        """Give the record's body, version 3."""
        return log.version3(self.message, self.id)

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the bodies that an output with ``options`` wants: version, types, directions."""
        return log.records(self.message, self.id, options)

    @override
    def ends(self, options: dict[str, Any]) -> int:
        return TOSERVER if log.is_version2(options) else self.direction


class DnsParser(EitherParser):
    """Messages of one flow. ``stream`` is set for TCP, where each has its length before it."""

    name = "dns"
    log_type = "dns"
    transaction: type[DnsTransaction] = DnsTransaction

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing held back."""
        super().__init__(settings)
        self._held = (bytearray(), bytearray())
        self._lost = [False, False]

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take a datagram, or the next bytes of a stream."""
        if not self.stream:
            self.note_frame("pdu", direction, len(chunk), len(chunk), self.next_tx)
            self._message(direction, chunk)
            return
        held = self._held[direction]
        held += chunk
        if self._lost[direction] and not self._resume(direction):
            return
        at = 0
        while at + 2 <= len(held):
            length = (held[at] << 8) | held[at + 1]
            if at + 2 + length > len(held):
                break
            if length:
                self.note_frame("pdu", direction, len(held) - at - 2, length, self.next_tx)
                self._message(direction, bytes(held[at + 2 : at + 2 + length]))
            at += 2 + length
        del held[:at]

    @override
    def gap(self, direction: int, length: int) -> None:
        """Drop the message with the hole; go on at the next piece that looks like one."""
        del length
        self._held[direction].clear()
        self._lost[direction] = True

    def _resume(self, direction: int) -> bool:
        """After a hole: does what was held begin with a message?"""
        held = self._held[direction]
        if len(held) < 2 + HEADER_LEN:
            return False
        if probe_stream(bytes(held[:_MAX_HELD])) == PROBE_NO:
            held.clear()
            return False
        self._lost[direction] = False
        return True

    def _message(self, direction: int, raw: bytes) -> None:
        message = parse(raw)
        if message is None:
            message = Message(raw, Names(raw))
            message.names.note("malformed_data")
        self._check(message, direction)
        self.transactions.append(self.transaction(self.next_tx, direction, message))
        self.next_tx += 1

    def _check(self, message: Message, direction: int) -> None:
        if len(message.raw) >= HEADER_LEN and message.is_response != (direction == TOCLIENT):
            message.names.note("not_a_response" if direction == TOCLIENT else "not_a_request")
        if message.flags & 0x0040:
            message.names.note("z_flag_set")
        if message.opcode > _MAX_OPCODE:
            message.names.note("invalid_opcode")


def probe(raw: bytes) -> int:
    """Tell whether a datagram is DNS: a header that makes sense and questions that can be read."""
    if len(raw) < HEADER_LEN:
        return PROBE_NO
    message = parse(raw)
    if message is None or message.opcode > _MAX_OPCODE:
        return PROBE_NO
    counts = [int.from_bytes(raw[at : at + 2], "big") for at in (4, 6, 8, 10)]
    # A question takes five bytes or more, a record eleven, unless the message was cut short.
    if sum(counts) == 0 or 2 * sum(counts) > len(raw):
        return PROBE_NO
    return PROBE_YES if message.questions or message.answers or message.additionals else PROBE_NO


def probe_stream(raw: bytes) -> int:
    """Tell whether a stream begins with DNS: a length, then a message."""
    if len(raw) < 2 + HEADER_LEN:
        return PROBE_MAYBE
    length = (raw[0] << 8) | raw[1]
    if length < HEADER_LEN:
        return PROBE_NO
    body = raw[2 : 2 + length]
    if len(body) == length:
        return probe(body)
    opcode = (body[2] >> 3) & 0xF
    questions = (body[4] << 8) | body[5]
    return PROBE_YES if opcode <= _MAX_OPCODE and 0 < 5 * questions <= length else PROBE_NO


def sender(raw: bytes) -> int:
    """Tell questions from answers by the QR bit, in a datagram or behind the length in a stream."""
    at = 2 if probe(raw) == PROBE_YES else 4
    if len(raw) <= at:
        return -1
    return TOCLIENT if raw[at] & 0x80 else TOSERVER


DIRECTIONS = (TOSERVER, TOCLIENT)
