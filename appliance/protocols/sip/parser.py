"""SIP over UDP and TCP: each message is a transaction of its own (RFC 3261)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue, Frame
from appliance.model.packet import TOCLIENT
from appliance.protocols.reader import MessageTransaction, text
from appliance.protocols.sip import sdp
from appliance.protocols.sip.message import MAX_LINE, Message, parse, start_line
from appliance.protocols.transports import EitherParser

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 10

_HEADERS = {
    "sip.from": b"from",
    "sip.to": b"to",
    "sip.via": b"via",
    "sip.user_agent": b"user-agent",
    "sip.content_type": b"content-type",
    "sip.content_length": b"content-length",
}
_SDP_TYPE = b"application/sdp"
_PIECES = ("line", "headers", "body")
FRAMES = frozenset(("pdu", *(f"{kind}.{piece}" for kind in ("request", "response") for piece in _PIECES)))


class SipTransaction(MessageTransaction):
    """One request or response."""

    __slots__ = ("message", "session")

    def __init__(self, tx_id: int, direction: int, message: Message, body: bytes) -> None:
        """Wrap ``message`` and read its body when that describes a session."""
        super().__init__(tx_id, direction)
        self.message = message
        kind = (message.header(b"content-type") or [b""])[0].partition(b";")[0]
        self.session = sdp.parse(body) if kind.strip().lower() == _SDP_TYPE else None

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if name in _HEADERS:
            return list(self.message.header(_HEADERS[name])) or None
        if name.startswith("sdp."):
            return (self.session.buffer(name[4:]) or None) if self.session is not None else None
        return self._line(name) or None

    def _line(self, name: str) -> bytes:
        """Give a part of the start line."""
        message = self.message
        if name == "sip.protocol":
            return message.version
        if message.method:
            return {
                "sip.method": message.method,
                "sip.uri": message.uri,
                "sip.request_line": message.line,
            }.get(name, b"")
        return {
            "sip.stat_code": message.code,
            "sip.stat_msg": message.reason,
            "sip.response_line": message.line,
        }.get(name, b"")

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the record; none for a request from the callee's side or its answer.

        These are inspected like all others, but records follow Suricata, where requests come from the
        client of a flow only.
        """
        del options
        turned = bool(self.message.method) == (self.direction == TOCLIENT)
        return [] if turned else [self.log()]

    @override
    def log(self) -> dict[str, Any]:
        message = self.message
        if message.method:
            names = ("method", "uri", "version")
            found: dict[str, Any] = {name: text(getattr(message, name)) for name in names}
            found["request_line"] = text(message.line)
        else:
            found = {name: text(getattr(message, name)) for name in ("version", "code", "reason")}
            found["response_line"] = text(message.line)
        if self.session is not None:
            found["sdp"] = self.session.log()
        return found


class _Side:
    """Reading state of one direction of a stream."""

    __slots__ = ("frame", "held", "lost", "message", "scanned", "skip")

    def __init__(self) -> None:
        self.frame: Frame | None = None  # of the message at hand
        self.held = bytearray()
        self.scanned = 0  # bytes of ``held`` known to have no end of headers
        self.skip = 0  # bytes of a body still to come that are not kept
        self.lost = False  # after a hole, until a message begins
        self.message: tuple[Message, int, bool] | None = None  # headers read, length of the body, in order


class SipParser(EitherParser):
    """Messages of one flow."""

    name = "sip"
    log_type = "sip"

    def __init__(self, settings: Any = None) -> None:
        """Start with nothing held back."""
        super().__init__(settings)
        self._sides = [_Side(), _Side()]

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take a datagram, or the next bytes of a stream."""
        if not self.stream:
            self._datagram(direction, chunk)
            return
        side = self._sides[direction]
        side.held += chunk
        while not self.failed and self._step(direction, side):
            pass

    @override
    def gap(self, direction: int, length: int) -> None:
        """Drop the message with the hole; go on at the next piece that begins with one."""
        side = self._sides[direction]
        if length <= side.skip:
            side.skip -= length
            return
        self.end_frame(side.frame, 0)
        self._sides[direction] = _Side()
        self._sides[direction].lost = True

    def _datagram(self, direction: int, data: bytes) -> None:
        """Read a datagram, which holds one message; empty ones keep bindings of addresses alive."""
        data = data.lstrip(b"\r\n\0")
        if not data:
            return
        size, begin = _head_end(data, 0)
        message, fine = parse(data[: size if size >= 0 else MAX_HEAD])
        if message is None:
            self._invalid()
            return
        body = data[begin:] if size >= 0 else b""
        length = message.content_length
        self.note_frame("pdu", direction, len(data), len(data), self.next_tx)
        self._note_pieces(direction, data, size, begin, len(body) if length < 0 else min(length, len(body)))
        tx = self._add(direction, message, body[: length if length >= 0 else MAX_BODY])
        if size < 0 or len(body) < length:
            tx.note("incomplete_data")
        if not fine:
            tx.note("invalid_data")

    def _step(self, direction: int, side: _Side) -> bool:
        """Go on reading a stream; False when more bytes are needed."""
        if side.skip:
            step = min(side.skip, len(side.held))
            del side.held[:step]
            side.skip -= step
        if not side.held:
            return False
        if side.message is not None:
            return self._body(direction, side)
        return self._head(direction, side)

    def _head(self, direction: int, side: _Side) -> bool:
        """Read start line and headers, once they are all there."""
        if side.scanned == 0:
            blank = len(side.held) - len(side.held.lstrip(b"\r\n"))
            del side.held[:blank]
            if side.held and not side.lost:
                side.frame = self.note_frame("pdu", direction, len(side.held), -1, self.next_tx)
        size, begin = _head_end(side.held, max(0, side.scanned - 3))
        if size < 0:
            side.scanned = len(side.held)
            if len(side.held) > MAX_HEAD or not self._plausible(side):
                self._stray(side)
            return False
        message, fine = parse(bytes(side.held[:size]))
        if message is None or size > MAX_HEAD:
            self._stray(side)
            return False
        length = max(0, message.content_length)
        if side.lost:
            self.note_frame("pdu", direction, len(side.held), begin + length, self.next_tx)
        elif side.frame is not None:
            side.frame.length, side.frame = begin + length, None
        self._note_pieces(direction, side.held, size, begin, length)
        del side.held[:begin]
        side.scanned, side.lost = 0, False
        side.message = (message, length, fine)
        return self._body(direction, side)

    def _plausible(self, side: _Side) -> bool:
        """Tell whether the first line, if it is there, is one of SIP."""
        end = side.held.find(b"\n", 0, MAX_LINE + 2)
        if end < 0:
            return len(side.held) <= MAX_LINE
        return start_line(bytes(side.held[:end]).rstrip(b"\r")) is not None

    def _stray(self, side: _Side) -> None:
        """The bytes held are not SIP: wait for what is after a hole, otherwise give up."""
        side.held.clear()
        side.scanned = 0
        if not side.lost:
            self._invalid()
            self.failed = True

    def _body(self, direction: int, side: _Side) -> bool:
        """Take the body, as much of it as is looked at, and finish the message."""
        if side.message is None:
            return False
        message, length, fine = side.message
        kept = min(length, MAX_BODY)
        if len(side.held) < kept:
            return False
        tx = self._add(direction, message, bytes(side.held[:kept]))
        if not fine:
            tx.note("invalid_data")
        del side.held[:kept]
        side.skip, side.message = length - kept, None
        return True

    @override
    def end(self, direction: int) -> None:
        """Take what there is of a message that was cut off."""
        side = self._sides[direction]
        if side.message is not None:
            tx = self._add(direction, side.message[0], bytes(side.held))
            tx.note("incomplete_data")
            side.message = None
        side.held.clear()
        super().end(direction)

    def _note_pieces(self, direction: int, data: bytes | bytearray, size: int, begin: int, body: int) -> None:
        """Note what a message at the front of ``data`` consists of; its headers are ``size`` bytes.

        The empty line before the body, which starts at ``begin``, belongs to neither.
        """
        if not self.wanted_frames:
            return
        kind = "response" if data[:4].upper() == b"SIP/" else "request"
        line = data.find(b"\n") + 1
        head = size + 1 if size >= 0 else len(data)
        for name, start, length in (("line", 0, line), ("headers", line, head - line), ("body", begin, body)):
            if length > 0:
                self.note_frame(f"{kind}.{name}", direction, len(data) - start, length, self.next_tx)

    def _add(self, direction: int, message: Message, body: bytes) -> SipTransaction:
        tx = SipTransaction(self.next_tx, direction, message, body)
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _invalid(self) -> None:
        """Note bytes that are no message."""
        if "invalid_data" not in self.events:
            self.events.append("invalid_data")


def _head_end(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Find the empty line after the headers: the size of what is before, and where the body begins."""
    at = data.find(b"\n", start)
    while at >= 0:
        if data[at + 1 : at + 2] == b"\n":
            return at, at + 2
        if data[at + 1 : at + 3] == b"\r\n":
            return at, at + 3
        at = data.find(b"\n", at + 1)
    return -1, -1
