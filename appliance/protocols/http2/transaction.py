"""One stream, or one frame of the connection, as a transaction: what rules ask of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Transaction
from appliance.protocols.dns.parser import DnsTransaction
from appliance.protocols.http2 import log
from appliance.protocols.http2.body import Body
from appliance.protocols.http2.hpack import Field

FIELDS = 40  # step: a field block has been read
MAX_VALUES = 1024  # of one kind kept of one direction
MAX_KEPT = 512 << 10  # bytes of fields kept of one direction
MAX_KEPT_FIELDS = 4096


class FrameNotes:
    """What the frames of one direction said besides fields and data."""

    __slots__ = ("count", "errors", "priorities", "settings", "types", "windows")

    def __init__(self) -> None:
        """Start without frames."""
        self.count = 0
        self.types: list[int] = []
        self.errors: list[int] = []
        self.priorities: list[int] = []
        self.windows: list[int] = []
        self.settings: list[tuple[int, int]] = []


class Http2Transaction(Transaction):
    """A stream; ``stream`` 0 is a frame of the connection as a whole. Pairs have the request first."""

    __slots__ = ("_firsts", "_size", "bodies", "closed", "dns", "doh", "fields", "notes", "stream")

    def __init__(self, tx_id: int, stream: int, bodies: tuple[Body, Body] | None) -> None:
        """Open a stream without frames; the connection has no ``bodies``."""
        super().__init__(tx_id)
        self.stream = stream
        self.bodies = bodies
        self.fields: tuple[list[Field], list[Field]] = ([], [])
        self.notes = (FrameNotes(), FrameNotes())
        self.dns: list[DnsTransaction | None] = [None, None]
        self.doh: list[bytearray | None] = [None, None]  # messages of DNS as far as they have come
        self.closed = False
        self._size = [0, 0]
        self._firsts: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})

    def note(self, event: str) -> None:
        """Record an event once."""
        if event not in self.events:
            self.events.append(event)

    def advance(self, direction: int, step: int) -> None:
        """Go on to a step of one direction; never back."""
        self.progress[direction] = max(self.progress[direction], step)
        self.updated = True

    def add_fields(self, direction: int, fields: list[Field]) -> None:
        """Add what a field block said, within bounds."""
        kept = self.fields[direction]
        for field in fields:
            self._size[direction] += len(field.name) + len(field.value)
            if self._size[direction] > MAX_KEPT or len(kept) >= MAX_KEPT_FIELDS:
                self.note("reassembly_limit_reached")
                return
            kept.append(field)
            self._firsts[direction].setdefault(field.name.lower(), field.value)

    def sync(self) -> None:
        """Show the files and events of the bodies."""
        for body in self.bodies or ():
            for event in body.events:
                self.note(event)
        self.files = [body.file for body in self.bodies or () if body.file is not None]

    def get(self, direction: int, name: bytes) -> bytes | None:
        """Give a field, repeated ones joined by ``", "``."""
        found = [field.value for field in self.fields[direction] if field.name.lower() == name]
        return b", ".join(found) if found else None

    def first(self, direction: int, name: bytes) -> bytes:
        """Give the first field of a name, empty when there is none."""
        return self._firsts[direction].get(name, b"")

    def finish(self, direction: int, complete: bool = True) -> None:
        """One end says no more on this stream."""
        if self.progress[direction] >= COMPLETE:
            return
        if self.bodies is not None:
            self.bodies[direction].close(complete)
            self.sync()
        self.advance(direction, COMPLETE)

    @property
    @override
    def record_kind(self) -> str:
        """Give the kind of its record: DNS over HTTPS has its own."""
        return "doh2" if any(self.dns) else ""

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        """Give a buffer of the HTTP keywords, or of DNS when that is what is carried."""
        if name.startswith("dns."):
            inner = self.dns[direction]
            return inner.buffer(name, direction) if inner is not None else None
        getter = _BUFFERS.get(name)
        return getter(self, direction) if getter is not None else None

    @override
    def value(self, name: str) -> Any:
        """Give what frames or DNS said in either direction."""
        if name in {"http.request_headers", "http.response_headers"}:
            return log.fields(self.fields[name == "http.response_headers"])
        found = [item for direction in (0, 1) for item in self.compared(name, direction) or ()]
        return found or None

    @override
    def compared(self, name: str, direction: int) -> Any:
        """Give what the frames of one direction said."""
        if name.startswith("dns."):
            inner = self.dns[direction]
            found = inner.value(name) if inner is not None else None
            return found if found is None or isinstance(found, list) else [found]
        if name == "urilen":
            return [len(_uri(self, 0) or b"")] if direction == 0 else None
        getter = _VALUES.get(name)
        return (getter(self, direction) or None) if getter is not None else None

    @override
    def log(self) -> dict[str, Any]:
        """Give the ``http`` object; with DNS inside, both objects."""
        return log.body(self, {})

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the record, unless there is nothing to tell."""
        return [log.body(self, options)] if log.worth(self) else []


def authority_host(authority: bytes) -> bytes:
    """Give the host of an authority: no user, no port, lower case."""
    host = authority.rpartition(b"@")[2]
    bare = host.partition(b"]")[0] + b"]" if host[:1] == b"[" else host.partition(b":")[0]
    return bare.lower()


def decode_settings(text: bytes) -> bytes | None:
    """Undo the base64url of an ``HTTP2-Settings`` field (RFC 7540 section 3.2.1) or of ``dns=``."""
    bare = text.strip().rstrip(b"=")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _uri(tx: Http2Transaction, direction: int) -> bytes | None:
    return tx.first(0, b":path") or None if direction == 0 else None


def _host_raw(tx: Http2Transaction, direction: int) -> bytes | None:
    return tx.first(0, b":authority") or tx.first(0, b"host") or None if direction == 0 else None


def _host(tx: Http2Transaction, direction: int) -> bytes | None:
    raw = _host_raw(tx, direction)
    return authority_host(raw) or None if raw is not None else None


def _is_cookie(field: Field, direction: int) -> bool:
    return field.name.lower() == (b"set-cookie" if direction else b"cookie")


def _header(tx: Http2Transaction, direction: int) -> bytes | None:
    named = [f for f in tx.fields[direction] if f.name and not _is_cookie(f, direction)]
    return b"".join(f.name + b": " + f.value + b"\r\n" for f in named) or None


def _raw(tx: Http2Transaction, direction: int) -> bytes | None:
    return b"".join(f.name + b": " + f.value + b"\r\n" for f in tx.fields[direction] if f.name) or None


def _names(tx: Http2Transaction, direction: int) -> bytes | None:
    names = [field.name for field in tx.fields[direction] if field.name]
    return b"\r\n" + b"".join(name + b"\r\n" for name in names) + b"\r\n" if names else None


def _each(tx: Http2Transaction, direction: int) -> list[bytes] | None:
    return [f.name + b": " + f.value for f in tx.fields[direction] if f.name] or None


def _each_name(tx: Http2Transaction, direction: int) -> list[bytes] | None:
    return [f.name for f in tx.fields[direction] if f.name] or None


def _cookie(tx: Http2Transaction, direction: int) -> bytes | None:
    crumbs = [field.value for field in tx.fields[direction] if _is_cookie(field, direction)]
    return b"; ".join(crumbs) or None


def _request_line(tx: Http2Transaction, direction: int) -> bytes | None:
    method = tx.first(0, b":method")
    return method + b" " + (_uri(tx, 0) or b"") + b" HTTP/2\r\n" if method and direction == 0 else None


def _response_line(tx: Http2Transaction, direction: int) -> bytes | None:
    status = tx.first(1, b":status")
    return b"HTTP/2 " + status + b"\r\n" if status and direction == 1 else None


def _protocol(tx: Http2Transaction, direction: int) -> bytes | None:
    return b"HTTP/2" if tx.fields[direction] else None


def _data(tx: Http2Transaction, direction: int) -> bytes | None:
    file = tx.bodies[direction].file if tx.bodies is not None else None
    return bytes(file.data) or None if file is not None else None


def _file_data(tx: Http2Transaction, direction: int) -> list[bytes] | None:
    data = _data(tx, direction)
    return [data] if data is not None else None


def _file_name(tx: Http2Transaction, direction: int) -> list[bytes] | None:
    file = tx.bodies[direction].file if tx.bodies is not None else None
    return [file.name] if file is not None else None


def _field(name: bytes) -> Callable[[Http2Transaction, int], BufferValue]:
    return lambda tx, direction: tx.get(direction, name)


_BUFFERS: dict[str, Callable[[Http2Transaction, int], BufferValue]] = {
    "http.uri": _uri,
    "http.uri.raw": _uri,
    "http.method": lambda tx, _: tx.first(0, b":method") or None,
    "http.stat_code": lambda tx, _: tx.first(1, b":status") or None,
    "http.host": _host,
    "http.host.raw": _host_raw,
    "http.protocol": _protocol,
    "http.request_line": _request_line,
    "http.response_line": _response_line,
    "http.header": _header,
    "http.header.raw": _raw,
    "http.header_names": _names,
    "http.request_header": _each,
    "http.response_header": _each,
    "http.cookie": _cookie,
    "http.user_agent": _field(b"user-agent"),
    "http.referer": _field(b"referer"),
    "http.content_type": _field(b"content-type"),
    "http.content_len": _field(b"content-length"),
    "http.connection": _field(b"connection"),
    "http.accept": _field(b"accept"),
    "http.accept_enc": _field(b"accept-encoding"),
    "http.accept_lang": _field(b"accept-language"),
    "http.location": _field(b"location"),
    "http.server": _field(b"server"),
    "http.request_body": _data,
    "http.response_body": _data,
    "http2.header_name": _each_name,
    "file.data": _file_data,
    "file.name": _file_name,
}
_VALUES: dict[str, Callable[[Http2Transaction, int], list[Any]]] = {
    "http2.frametype": lambda tx, direction: tx.notes[direction].types,
    "http2.errorcode": lambda tx, direction: tx.notes[direction].errors,
    "http2.priority": lambda tx, direction: tx.notes[direction].priorities,
    "http2.window": lambda tx, direction: tx.notes[direction].windows,
    "http2.settings": lambda tx, direction: tx.notes[direction].settings,
    "http2.size_update": lambda tx, direction: [f.update for f in tx.fields[direction] if f.update >= 0],
}
