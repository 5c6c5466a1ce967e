"""HTTP/2 over one connection (RFC 9113): frames become transactions, one for each stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE, Parser
from appliance.model.flow import Flow
from appliance.protocols.files import FileTracker, name_from_disposition, name_from_path
from appliance.protocols.http1.config import size as read_size
from appliance.protocols.http1.decompress import codings
from appliance.protocols.http1.transaction import HttpTransaction, content_range
from appliance.protocols.http2 import doh, frames
from appliance.protocols.http2.body import Allowance, Body
from appliance.protocols.http2.hpack import Field
from appliance.protocols.http2.side import Side
from appliance.protocols.http2.transaction import (
    FIELDS,
    MAX_VALUES,
    FrameNotes,
    Http2Transaction,
    authority_host,
    decode_settings,
)

MAX_STREAMS = 512  # live ones; the rest of a flow's transactions are left to frames of the connection
MAX_GLOBAL = 512  # live transactions of frames of the connection
MAX_FRAMES = 65_536  # of one direction of a stream
MAX_FILES_KEPT = 4 << 20  # bytes of the files of one flow
_MAX_TABLE = 65_536
_MAX_BLOCK = 102_400  # bytes of a field block in several frames
_MAX_CODINGS = 2
_LATE = frozenset({frames.PRIORITY, frames.RST_STREAM, frames.WINDOW_UPDATE})


class Http2Parser(Parser):
    """Grows a transaction for each stream, and one for each frame of the connection itself."""

    name = "http2"
    log_type = "http2"

    def __init__(self, settings: Any = None) -> None:
        """Start with the protocol's options: ``max-streams``, ``max-table-size``, ``max-reassembly-size``."""
        super().__init__(settings)
        options: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
        self.max_streams = min(read_size(options.get("max-streams"), MAX_STREAMS), MAX_STREAMS) or MAX_STREAMS
        self.max_table = min(read_size(options.get("max-table-size"), _MAX_TABLE), _MAX_TABLE)
        self.max_block = min(read_size(options.get("max-reassembly-size"), _MAX_BLOCK), 1 << 20)
        self.doh = True
        self.files = FileTracker(100 << 10)
        self.allowance = Allowance(MAX_FILES_KEPT)
        self.transactions: list[Http2Transaction] = []  # type: ignore[assignment]
        self.sides = (Side(self, 0, self.max_table), Side(self, 1, self.max_table))
        self._streams: dict[int, Http2Transaction] = {}
        self._globals = 0
        self._full = False  # of streams that are given up, until they are dropped
        self._highest = [0, 0]  # stream of each parity: even ones are the server's

    @override
    def open(self, flow: Flow, app: AppSettings, carried: Any) -> None:
        """Learn what is wanted of files; ``carried`` is the HTTP/1 request that asked for the upgrade."""
        self.files = FileTracker.of(app)
        self.doh = "doh2" not in app.disabled
        if isinstance(carried, HttpTransaction):
            self._from_http1(carried)

    def _from_http1(self, request: HttpTransaction) -> None:
        """The request before the upgrade is that of stream 1, its settings are the client's first."""
        fields = [Field(b":method", request.request.method), Field(b":path", request.request.uri)]
        for name, value in request.request_headers.fields:
            lower = name.lower()
            if lower == b"http2-settings":
                self._http1_settings(value)
            else:
                fields.append(Field(b":authority" if lower == b"host" else name, value))
        tx = self._stream(1)
        if tx is not None:
            self._count(tx, 0, frames.HEADERS)
            self._fields(tx, 0, fields, frames.END_STREAM)

    def _http1_settings(self, value: bytes) -> None:
        payload = decode_settings(value[:4096])
        tx = self._connection(0)
        if payload is None or len(payload) % 6:
            tx.note("invalid_http1_settings")
            return
        self._count(tx, 0, frames.SETTINGS)
        tx.notes[0].settings = frames.parse_settings(payload)[:MAX_VALUES]

    # --- bytes

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take the next bytes of one direction."""
        self.sides[direction].feed(chunk)

    @override
    def gap(self, direction: int, length: int) -> None:
        """Go on after a hole inside DATA; anything else ends the reading of this direction."""
        side = self.sides[direction]
        side.gap(length)
        if side.lost:
            self._give_up(direction)

    @override
    def end(self, direction: int) -> None:
        """Finish what is unfinished in one direction."""
        self._give_up(direction)

    def _give_up(self, direction: int) -> None:
        for tx in self.transactions:
            tx.finish(direction, complete=False)

    @override
    def drop_done(self, inspected: bool) -> None:
        """Forget transactions that are done with; their files give room to others."""
        super().drop_done(inspected)
        live = self.transactions
        self._full = False
        self._globals = sum(1 for tx in live if tx.bodies is None)
        self.allowance.keep = MAX_FILES_KEPT - sum(len(file.data) for tx in live for file in tx.files)
        self._streams = {tx.stream: tx for tx in live if tx.bodies is not None}

    # --- transactions

    def note(self, event: str) -> None:
        """Record an event with the newest transaction, or with the connection when there is none."""
        if self.transactions:
            self.transactions[-1].note(event)
            self.transactions[-1].updated = True
        elif event not in self.events:
            self.events.append(event)

    def _open(self, stream: int) -> Http2Transaction:
        number = self.next_tx
        self.next_tx += 1
        bodies = None
        if stream:
            bodies = (
                Body(self.files, self.allowance, 0, number),
                Body(self.files, self.allowance, 1, number),
            )
        tx = Http2Transaction(number, stream, bodies)
        tx.created = self.now
        self.transactions.append(tx)
        return tx

    def _connection(self, direction: int, stream: int = 0) -> Http2Transaction:
        """Open the transaction of one frame, of the connection or late for a ``stream``: complete at once."""
        if self._globals >= MAX_GLOBAL:
            oldest = next((i for i, tx in enumerate(self.transactions) if tx.bodies is None), -1)
            if oldest >= 0:
                del self.transactions[oldest]
                self._globals -= 1
        tx = self._open(0)
        tx.stream = stream
        self._globals += 1
        tx.skip[1 - direction] = True
        tx.progress[:] = [COMPLETE, COMPLETE]
        return tx

    def _stream(self, number: int) -> Http2Transaction | None:
        """Give a stream's transaction; None when there are too many."""
        tx = self._streams.get(number)
        if tx is not None:
            return tx
        live = len(self.transactions) - self._globals
        if live >= self.max_streams:
            self._too_many()
            return None
        tx = self._streams[number] = self._open(number)
        self._highest[number & 1] = max(self._highest[number & 1], number)
        return tx

    def _too_many(self) -> None:
        """The streams that are open are given up, so that newer ones can be read."""
        if self._full:
            return
        self._full = True
        for tx in self.transactions:
            if not tx.done:
                tx.note("too_many_streams")
                tx.finish(0, complete=False)
                tx.finish(1, complete=False)

    def _count(self, tx: Http2Transaction, direction: int, kind: int) -> FrameNotes:
        notes = tx.notes[direction]
        notes.count += 1
        if notes.count == MAX_FRAMES:
            tx.note("too_many_frames")
        if kind not in notes.types:
            notes.types.append(kind)
        tx.updated = True
        return notes

    # --- frames

    def data_frame(self, side: Side, stream: int) -> Http2Transaction | None:
        """A DATA frame begins; gives the transaction that its bytes belong to."""
        if not stream:
            tx: Http2Transaction | None = self._connection(side.direction)
        else:
            tx = self._stream(stream)
        if tx is None:
            return None
        self._count(tx, side.direction, frames.DATA)
        if not stream:
            tx.note("data_stream_zero")
            return None
        self._reuse(tx)
        return tx

    def body(self, tx: Http2Transaction, direction: int, data: bytes) -> None:
        """Bytes of a DATA frame."""
        if tx.bodies is not None and tx.progress[direction] < COMPLETE:
            tx.bodies[direction].feed(data)
            doh.feed(tx, direction, data)
            tx.sync()
            tx.updated = True

    def lose(self, tx: Http2Transaction, direction: int, length: int) -> None:
        """Bytes of a DATA frame are missing."""
        if tx.bodies is not None and length:
            tx.bodies[direction].gap(length)
            tx.doh[direction] = None
            tx.sync()

    def data_end(self, tx: Http2Transaction, direction: int, flags: int) -> None:
        """A DATA frame is over."""
        if flags & frames.END_STREAM:
            self._end_stream(tx, direction)

    def frame(self, side: Side, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Take a whole frame that is not DATA."""
        if kind == frames.CONTINUATION:
            self._continuation(side, flags, stream, payload)
            return
        if kind == frames.PUSH_PROMISE:
            bare = frames.unpad(payload, flags)
            stream = (
                int.from_bytes(bare[:4], "big") & 0x7FFF_FFFF if bare is not None and len(bare) >= 4 else 0
            )
        # What comes late for a stream that is forgotten opens no new one.
        late = kind in _LATE and stream not in self._streams and stream <= self._highest[stream & 1]
        tx = self._stream(stream) if stream and not late else self._connection(side.direction, stream)
        if tx is None:
            return
        notes = self._count(tx, side.direction, kind)
        if kind in frames.OF_STREAM and not stream:
            tx.note("invalid_frame_header")
        self._meaning(side, tx, notes, kind, flags, payload)

    def _meaning(
        self, side: Side, tx: Http2Transaction, notes: FrameNotes, kind: int, flags: int, payload: bytes
    ) -> None:
        """Take note of what a frame says."""
        expected = frames.FIXED.get(kind)
        ragged = (kind == frames.SETTINGS and len(payload) % 6) or (
            kind == frames.GOAWAY and len(payload) < 8
        )
        if ragged or (expected is not None and len(payload) != expected):
            tx.note("invalid_frame_length")
            return
        if kind == frames.HEADERS:
            self._reuse(tx)
            self._headers(side, tx, notes, flags, payload)
        elif kind == frames.PUSH_PROMISE:
            self._promise(side, tx, flags, payload)
        elif kind == frames.SETTINGS:
            notes.settings = frames.parse_settings(payload)[:MAX_VALUES]
        elif kind == frames.PRIORITY:
            _keep(notes.priorities, payload[4])
        elif kind == frames.WINDOW_UPDATE:
            _keep(notes.windows, int.from_bytes(payload, "big") & 0x7FFF_FFFF)
        elif kind == frames.GOAWAY:
            _keep(notes.errors, int.from_bytes(payload[4:8], "big"))
        elif kind == frames.RST_STREAM:
            _keep(notes.errors, int.from_bytes(payload, "big"))
            self._reset(tx)

    def _reset(self, tx: Http2Transaction) -> None:
        tx.closed = True
        for direction in (0, 1):
            tx.finish(direction, complete=False)

    def _reuse(self, tx: Http2Transaction) -> None:
        if tx.closed:
            tx.note("stream_id_reuse")

    # --- field blocks

    def _headers(
        self, side: Side, tx: Http2Transaction, notes: FrameNotes, flags: int, payload: bytes
    ) -> None:
        bare = frames.unpad(payload, flags)
        if bare is None or (flags & frames.WITH_PRIORITY and len(bare) < 5):
            tx.note("invalid_frame_data")
            return
        if flags & frames.WITH_PRIORITY:
            _keep(notes.priorities, bare[4])
            bare = bare[5:]
        self._block(side, tx, flags, bare)

    def _promise(self, side: Side, tx: Http2Transaction, flags: int, payload: bytes) -> None:
        bare = frames.unpad(payload, flags)
        if bare is None or len(bare) < 4:
            tx.note("invalid_frame_data")
            return
        self._block(side, tx, flags & ~frames.END_STREAM, bare[4:])

    def _block(self, side: Side, tx: Http2Transaction, flags: int, data: bytes) -> None:
        """A block begins; it is decoded when it is whole, since the table depends on all of it."""
        side.block = bytearray(data)
        side.block_stream, side.block_flags = tx.stream, flags
        if flags & frames.END_HEADERS:
            self._decode(side, tx)

    def _continuation(self, side: Side, flags: int, stream: int, payload: bytes) -> None:
        target = side.block_stream if side.block_stream >= 0 else stream
        tx = self._stream(target) if target else self._connection(side.direction)
        if tx is None:
            return
        self._count(tx, side.direction, frames.CONTINUATION)
        if side.block_stream < 0:
            tx.note("invalid_frame_header")
            return
        if len(side.block) + len(payload) <= self.max_block:
            side.block += payload
        else:
            tx.note("reassembly_limit_reached")
        side.block_flags |= flags & frames.END_HEADERS
        if flags & frames.END_HEADERS:
            self._decode(side, tx)

    def _decode(self, side: Side, tx: Http2Transaction) -> None:
        data, side.block, side.block_stream = bytes(side.block), bytearray(), -1
        found, events = side.hpack.decode(data)
        for event in events:
            tx.note(event)
        self._fields(tx, side.direction, found, side.block_flags)

    def _fields(self, tx: Http2Transaction, direction: int, found: list[Field], flags: int) -> None:
        """A block has been decoded."""
        tx.add_fields(direction, found)
        if direction == 0:
            _check_authority(tx)
        self._prepare_body(tx, direction, found)
        if self.doh and doh.look(tx, direction, found):
            self.known_as = "doh2"
        tx.advance(direction, FIELDS)
        if flags & frames.END_STREAM:
            self._end_stream(tx, direction)

    def _prepare_body(self, tx: Http2Transaction, direction: int, found: list[Field]) -> None:
        """Set name, range and codings of the body from the fields."""
        if tx.bodies is None:
            return
        body = tx.bodies[direction]
        body.name = name_from_disposition(tx.first(direction, b"content-disposition"))
        body.name = body.name or name_from_path(tx.first(0, b":path")) or tx.first(0, b":path")
        coding = [field.value for field in found if field.name.lower() == b"content-encoding"]
        if coding:
            body.decode(codings(b", ".join(coding), _MAX_CODINGS, with_lzma=False)[0])
        ranged = tx.first(direction, b"content-range")
        if ranged and direction:
            body.ranged = content_range(ranged)
            if body.ranged is None:
                tx.note("invalid_range")

    def _end_stream(self, tx: Http2Transaction, direction: int) -> None:
        doh.finish(tx, direction)
        tx.finish(direction)
        if tx.done:
            tx.closed = True


def _keep(values: list[int], value: int) -> None:
    if len(values) < MAX_VALUES:
        values.append(value)


def _check_authority(tx: Http2Transaction) -> None:
    """Note a user in the authority, and a host field that says something else."""
    authority, host = tx.first(0, b":authority"), tx.first(0, b"host")
    if b"@" in authority:
        tx.note("userinfo_in_uri")
    if authority and host and authority_host(authority) != authority_host(host):
        tx.note("authority_host_mismatch")
