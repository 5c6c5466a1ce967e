"""WebSocket (RFC 6455): every frame is a transaction; the last of a message has all of its payload."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.protocols.http1.config import size as read_size
from appliance.protocols.http1.transaction import HttpTransaction
from appliance.protocols.marks import Marks
from appliance.protocols.websocket.deflate import Inflater
from appliance.protocols.websocket.frame import COMPRESSED, FIN, OPCODES, Frame, cut, sizes

MAX_PAYLOAD = 0xFFFF
_LARGEST = 1 << 20
_CONTROL = 8  # opcodes from here on may stand between the frames of a message
_TAKEOVER = (b"client_no_context_takeover", b"server_no_context_takeover")


class WebSocketTransaction(Transaction):
    """One frame; it exists in its own direction only."""

    __slots__ = ("frame",)

    def __init__(self, tx_id: int, direction: int, frame: Frame) -> None:
        """Wrap ``frame``, which is complete."""
        super().__init__(tx_id)
        self.frame = frame
        self.progress = [COMPLETE, COMPLETE]
        self.skip[1 - direction] = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        return self.frame.payload or None if name == "websocket.payload" else None

    @override
    def value(self, name: str) -> Any:
        frame = self.frame
        return {
            "websocket.opcode": frame.opcode,
            "websocket.flags": frame.flags,
            "websocket.mask": frame.mask,
        }.get(name)

    @override
    def log(self) -> dict[str, Any]:
        frame = self.frame
        body: dict[str, Any] = {"fin": bool(frame.flags & FIN)}
        if frame.mask is not None:
            body["mask"] = frame.mask
        body["opcode"] = OPCODES.get(frame.opcode, f"unknown-{frame.opcode}")
        return body

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        body = self.log()
        if _on(options, "payload-printable"):
            body["payload_printable"] = self.frame.payload.decode("utf-8", "replace")
        if _on(options, "payload-base64") or _on(options, "payload"):
            body["payload_base64"] = base64.b64encode(self.frame.payload).decode("ascii")
        return [body]


def _on(options: Mapping[str, Any], name: str) -> bool:
    return options.get(name) in {True, "yes", "true", "on"}


class _Side:
    """Reading state of one direction."""

    __slots__ = ("compressed", "held", "inflater", "lost", "message", "open", "skip", "whole")

    def __init__(self) -> None:
        self.held = bytearray()
        self.message = bytearray()  # payload of the frames of a message so far
        self.open = False  # in the middle of a message
        self.compressed = False
        self.whole = True  # nothing of the message was left out
        self.inflater = Inflater()
        self.skip = 0
        self.lost = False


class WebSocketParser(Parser):
    """Reads both directions after the handshake that HTTP/1 has seen."""

    name = "websocket"
    log_type = "websocket"

    def __init__(self, settings: Any = None) -> None:
        """Start with the protocol's options: ``max-payload-size``."""
        super().__init__(settings)
        options: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
        self.limit = min(max(read_size(options.get("max-payload-size"), MAX_PAYLOAD), 1), _LARGEST)
        self._sides = (_Side(), _Side())
        self._marks = Marks()

    @override
    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Learn from the handshake whether compression starts anew with each message."""
        del flow, app
        if isinstance(carried, HttpTransaction):
            agreed = (carried.response_headers.get(b"sec-websocket-extensions") or b"").lower()
            for direction, word in enumerate(_TAKEOVER):
                self._sides[direction].inflater.takeover = word not in agreed

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        side = self._sides[direction]
        if side.lost:
            return
        side.held += chunk
        at = 0
        while True:
            step = min(side.skip, len(side.held) - at)
            side.skip -= step
            at += step
            if side.skip:
                break
            self._note_frames(direction, side.held, at)
            frame, after = cut(side.held, at, self.limit)
            if frame is None:
                break
            at, side.skip = after, frame.skipped
            self._frame(direction, side, frame)
        del side.held[:at]

    @override
    def gap(self, direction: int, length: int) -> None:
        """A hole in what is passed over is harmless; after any other no frame can be found."""
        side = self._sides[direction]
        if length <= side.skip and not side.held:
            side.skip -= length
            return
        side.lost = True
        side.held.clear()
        side.message.clear()
        self.failed = all(one.lost for one in self._sides)

    def _note_frames(self, direction: int, held: bytearray, at: int) -> None:
        """Note where the frame at ``at`` is, its header and its payload, which may be masked."""
        found = sizes(held, at) if self.wanted_frames else None
        if found is not None:
            header, length = found
            pieces = ("header", 0, header), ("pdu", 0, header + length), ("data", header, length)
            self._marks.note(self, direction, len(held) - at, *pieces)

    def _frame(self, direction: int, side: _Side, frame: Frame) -> None:
        tx = WebSocketTransaction(self.next_tx, direction, frame)
        tx.created = self.now
        self.next_tx += 1
        self.transactions.append(tx)
        if frame.skipped:
            tx.events.append("skip_end_of_payload")
        if frame.opcode < _CONTROL:
            self._collect(side, tx, frame)

    def _collect(self, side: _Side, tx: WebSocketTransaction, frame: Frame) -> None:
        """Add a frame to its message; the last one is given all of it."""
        if not side.open:
            side.open, side.whole = True, True
            side.compressed = bool(frame.flags & COMPRESSED)
        room = self.limit - len(side.message)
        if len(frame.payload) > room:
            tx.events.append("reassembly_limit_reached")
        side.whole = side.whole and not frame.skipped and len(frame.payload) <= room
        side.message += frame.payload[: max(room, 0)]
        if not frame.flags & FIN:
            return
        payload, side.message, side.open = bytes(side.message), bytearray(), False
        frame.payload = self._inflated(side, tx, payload) if side.compressed else payload

    def _inflated(self, side: _Side, tx: WebSocketTransaction, payload: bytes) -> bytes:
        """Undo the compression; what does not decompress is given as it is."""
        found = side.inflater.message(payload, self.limit)
        if not side.whole:
            side.inflater.lose()
        if found is None:
            return payload
        if found[1]:
            tx.events.append("reassembly_limit_reached")
        return found[0]
