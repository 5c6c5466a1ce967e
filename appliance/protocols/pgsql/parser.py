"""PostgreSQL: framing, and which answers belong to which request."""

from __future__ import annotations

from collections import deque
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, Parser
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.marks import Marks
from appliance.protocols.pgsql import messages
from appliance.protocols.pgsql.transaction import ALONE, ENCRYPTION, PgsqlTransaction
from appliance.protocols.reader import Reader, note, text
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES
from appliance.protocols.transports import HeldSide

MAX_KEPT = 256 << 10  # bytes of one message that are looked at
MAX_STARTUP = 10_000
MAX_OPEN = 1024
MAX_QUERIES = 64  # statements of one exchange
_LENGTH = 4
_REQUESTS = "QPBDECHSFpXdcf"
_EXTENDED = frozenset("PBDECHSF")
_ANYTIME = frozenset("ANS")  # notices and notifications, which answer nothing
_COPYING = frozenset("dcf")


class PgsqlParser(Parser):
    """Messages of one connection."""

    name = "pgsql"
    log_type = "pgsql"

    def __init__(self, settings: Any = None) -> None:
        """Start before the first message, which has no type."""
        super().__init__(settings)
        self._sides = (HeldSide(), HeldSide())
        self._open: deque[PgsqlTransaction] = deque()
        self._started = False
        self._marks = Marks()
        self._asked = messages.CLEARTEXT
        self._extended: PgsqlTransaction | None = None  # collects messages up to Sync

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        side = self._sides[direction]
        side.held += chunk
        while not self.failed and not self.upgrade and self._step(direction, side):
            pass
        if self.upgrade:
            self.upgrade_data = (bytes(self._sides[0].held), bytes(self._sides[1].held))

    @override
    def gap(self, direction: int, length: int) -> None:
        """Only a hole within what is not read anyway does no harm."""
        self.failed = self.failed or not self._sides[direction].passes(length)

    def _step(self, direction: int, side: HeldSide) -> bool:
        """Take one message; False while it is not complete."""
        held = side.held
        if side.skip:
            step = min(side.skip, len(held))
            del held[:step]
            side.skip -= step
        if not held:
            return False
        if direction == TOSERVER:
            typed = self._started or held[0] != 0
            return self._typed(direction, side) if typed else self._untyped(held)
        if self._open and self._open[0].kind == ENCRYPTION and held[0] in b"SNG":
            return self._encryption(held)
        return self._typed(direction, side)

    def _untyped(self, held: bytearray) -> bool:
        """Take the first message of a client, which has a code instead of a type."""
        if len(held) < 2 * _LENGTH:
            return False
        length = int.from_bytes(held[:_LENGTH], "big")
        if not 2 * _LENGTH <= length <= MAX_STARTUP:
            self._invalid(TOSERVER, "invalid_length")
            return False
        self._marks.note(self, TOSERVER, len(held), ("pdu", 0, length))
        if len(held) < length:
            return False
        code = int.from_bytes(held[_LENGTH : 2 * _LENGTH], "big")
        body = bytes(held[2 * _LENGTH : length])
        del held[:length]
        self._first(code, body)
        return True

    def _first(self, code: int, body: bytes) -> None:
        tx = self._new(TOSERVER)
        fine = True
        if code in {messages.SSL, messages.GSS}:
            tx.request["message"] = "SSL Request" if code == messages.SSL else "GSSENC Request"
            tx.kind = ENCRYPTION
        elif code == messages.CANCEL:
            fine = messages.cancel(body, tx.request)
            tx.kind = ALONE
        elif code >> 16 == messages.VERSION_3 >> 16:
            self._started = True
            fine = messages.startup(body, tx.request)
        else:
            fine = False
            tx.kind = ENCRYPTION  # an older or newer way to begin: a server answers with one byte or an error
        if not fine:
            note(tx, "malformed_request")
        self._ask(tx)

    def _encryption(self, held: bytearray) -> bool:
        """Take the one byte that answers a request for encryption."""
        tx = self._open.popleft()
        accepted = held[0] != 0x4E
        tx.response["ssl_accepted"] = accepted
        del held[:1]
        tx.complete()
        if accepted:
            self.upgrade = "tls"
        return True

    def _typed(self, direction: int, side: HeldSide) -> bool:
        """Take a message with type and length, as much of it as is looked at."""
        held = side.held
        if len(held) < 1 + _LENGTH:
            return False
        kind = chr(held[0])
        length = int.from_bytes(held[1 : 1 + _LENGTH], "big") - _LENGTH
        known = kind in _REQUESTS if direction == TOSERVER else kind in messages.RESPONSES
        if not known or length < 0:
            event = "malformed_request" if direction == TOSERVER else "malformed_response"
            self._invalid(direction, "invalid_length" if known else event)
            return False
        self._marks.note(self, direction, len(held), ("pdu", 0, 1 + _LENGTH + length))
        counted = kind == "d" or (kind == "D" and direction == TOCLIENT)
        kept = min(length, 2 if counted else MAX_KEPT)
        if len(held) < 1 + _LENGTH + kept:
            return False
        body = bytes(held[1 + _LENGTH : 1 + _LENGTH + kept])
        del held[: 1 + _LENGTH + kept]
        side.skip = length - kept
        if direction == TOSERVER:
            self._request(kind, body, length)
        else:
            self._response(kind, body, length)
        return True

    def _invalid(self, direction: int, event: str) -> None:
        """What follows cannot be told apart into messages."""
        tx = self._new(direction)
        note(tx, event)
        tx.complete()
        self.failed = True

    def _new(self, direction: int) -> PgsqlTransaction:
        tx = PgsqlTransaction(self.next_tx, direction)
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _ask(self, tx: PgsqlTransaction) -> None:
        """Take note of a request: it waits for its answer, or there is none."""
        tx.progress[TOSERVER] = COMPLETE
        if tx.kind == ALONE:
            tx.skip[TOCLIENT] = True
            tx.complete()
            return
        self._open.append(tx)
        if len(self._open) > MAX_OPEN:
            oldest = self._open.popleft()
            note(oldest, "too_many_transactions")
            oldest.complete()

    def _request(self, kind: str, body: bytes, size: int) -> None:
        self._started = True
        if kind in _COPYING and self._open:
            self._copy_in(kind, size)
        elif kind in _EXTENDED:
            self._extend(kind, body)
        else:
            tx = self._new(TOSERVER)
            if not self._simple(tx, kind, body):
                note(tx, "malformed_request")
            self._ask(tx)

    def _simple(self, tx: PgsqlTransaction, kind: str, body: bytes) -> bool:
        """Take a message that is a request by itself."""
        if kind == "Q":
            tx.query.append(body.rstrip(b"\0"))
            tx.request["simple_query"] = text(tx.query[0])
        elif kind == "p":
            return messages.password(body, tx.request, self._asked)
        else:
            tx.kind = ALONE
            tx.request["message"] = {"X": "termination_message", "c": "copy_done", "f": "copy_fail"}.get(
                kind, "copy_data"
            )
        return True

    def _copy_in(self, kind: str, size: int) -> None:
        """Count data that the client sends for a COPY."""
        tx = self._open[0]
        tx.updated = True
        if kind == "d":
            messages.count_copy("copy_data_in", size, tx.request)
        else:
            tx.request["message"] = "copy_done" if kind == "c" else "copy_fail"

    def _extend(self, kind: str, body: bytes) -> None:
        """Take a message of the extended query protocol; they are one exchange up to Sync."""
        tx = self._extended
        if tx is None:
            tx = self._extended = self._new(TOSERVER)
            tx.progress[TOSERVER] = COMPLETE
            self._ask(tx)
        if kind == "P":
            reader = Reader(body)
            reader.string()
            statement = reader.string()
            if reader.failed:
                note(tx, "malformed_request")
            elif len(tx.query) < MAX_QUERIES:
                tx.query.append(statement)
                tx.request["extended_query"] = text(statement)
        tx.updated = True
        if kind == "S":
            self._extended = None

    def _response(self, kind: str, body: bytes, size: int) -> None:
        if not self._open:
            if kind in _ANYTIME:
                return
            tx = self._new(TOCLIENT)
            tx.complete()
        else:
            tx = self._open[0]
        tx.updated = True
        found = tx.response
        if kind == "D":
            messages.count_row(body, size, found)
        elif kind == "d":
            messages.count_copy("copy_data_out", size, found)
        else:
            reader = Reader(body)
            messages.RESPONSES[kind](reader, found)
            if reader.failed:
                note(tx, "malformed_response")
        self._after(kind, tx)

    def _after(self, kind: str, tx: PgsqlTransaction) -> None:
        """Find out whether a response was the last to its request."""
        asked = tx.response.pop("asked", None)
        waits = asked in {messages.OK, messages.SASL_FINAL}
        if asked is not None and not waits:
            self._asked = asked
        over = kind == "Z" or (asked is not None and not waits)
        over = over or (kind == "E" and tx.kind == ENCRYPTION)
        if over and self._open and self._open[0] is tx:
            self._open.popleft()
            if tx is self._extended:
                self._extended = None
            tx.complete()


def probe_client(data: bytes) -> int:
    """Tell whether a client's first bytes are a request without or with a type."""
    if len(data) < 2 * _LENGTH:
        return PROBE_MAYBE if data[:2] in {b"", b"\0", b"\0\0"} or chr(data[0]) in _REQUESTS else PROBE_NO
    length = int.from_bytes(data[:_LENGTH], "big")
    if 2 * _LENGTH <= length <= MAX_STARTUP:
        code = int.from_bytes(data[_LENGTH : 2 * _LENGTH], "big")
        named = code in {messages.SSL, messages.GSS, messages.CANCEL, messages.VERSION_3}
        return PROBE_YES if named or length == len(data) else PROBE_NO
    size = int.from_bytes(data[1 : 1 + _LENGTH], "big")
    return PROBE_YES if chr(data[0]) in "QPpX" and _LENGTH <= size <= MAX_KEPT else PROBE_NO


def probe_server(data: bytes) -> int:
    """Tell whether a server's first bytes are a response."""
    if data in {b"S", b"N", b"G"}:
        return PROBE_YES
    if len(data) < 1 + _LENGTH:
        return PROBE_MAYBE if chr(data[0]) in messages.RESPONSES else PROBE_NO
    size = int.from_bytes(data[1 : 1 + _LENGTH], "big")
    return PROBE_YES if chr(data[0]) in messages.RESPONSES and _LENGTH <= size <= MAX_KEPT else PROBE_NO
