"""The ``http`` object of a stream's record, and with DNS inside the ``dns`` object beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.protocols.dns import log as dns_log
from appliance.protocols.http1.transaction import text
from appliance.protocols.http2.frames import error_record_name, settings_record_name
from appliance.protocols.http2.hpack import Field

if TYPE_CHECKING:
    from appliance.protocols.http2.transaction import FrameNotes, Http2Transaction

# Field name -> its key in the record.
_REQUEST = {
    b":method": "http_method",
    b":path": "url",
    b":authority": "hostname",
    b"host": "hostname",
    b"user-agent": "http_user_agent",
}
_MAX_DIGITS = 18


def fields(found: list[Field]) -> list[dict[str, Any]]:
    """Give each field, size update or error of a direction."""
    rows: list[dict[str, Any]] = []
    for field in found:
        if field.error:
            rows.append({"error": field.error})
        elif field.update >= 0:
            rows.append({"table_size_update": field.update})
        else:
            rows.append({"name": text(field.name), "value": text(field.value)})
    return rows


def worth(tx: Http2Transaction) -> bool:
    """Tell whether there is something to record besides that frames were seen."""
    return any(tx.fields) or any(tx.dns) or any(_side(notes) for notes in tx.notes)


def body(tx: Http2Transaction, options: dict[str, Any]) -> dict[str, Any]:
    """Give the record's body: the ``http`` object, or ``http`` and ``dns`` for DNS over HTTPS."""
    http = _http(tx)
    inner = tx.dns[1] or tx.dns[0]
    if inner is None:
        return http
    return {"http": http, "dns": dns_log.version3(inner.message, inner.id, options)}


def _http(tx: Http2Transaction) -> dict[str, Any]:
    record: dict[str, Any] = {"version": "2"}
    for direction, key in ((0, "request_headers"), (1, "response_headers")):
        if tx.fields[direction]:
            record[key] = fields(tx.fields[direction])
    for field in tx.fields[0]:
        name = _REQUEST.get(field.name.lower())
        if name is not None:
            record.setdefault(name, text(field.value))
    _numbers(tx, record)
    sides = {"request": _side(tx.notes[0]), "response": _side(tx.notes[1])}
    record["http2"] = {"stream_id": tx.stream, **sides}
    return record


def _numbers(tx: Http2Transaction, record: dict[str, Any]) -> None:
    """Add length and status, where they are numbers."""
    length = tx.first(1, b"content-length") or tx.first(0, b"content-length")
    for key, value in (("length", length), ("status", tx.first(1, b":status"))):
        if value.isdigit() and len(value) <= _MAX_DIGITS:
            record[key] = int(value)


def _side(notes: FrameNotes) -> dict[str, Any]:
    """Give what the frames of one direction said."""
    found: dict[str, Any] = {}
    if notes.settings:
        found["settings"] = [
            {"settings_id": settings_record_name(number), "settings_value": value}
            for number, value in notes.settings
        ]
    if notes.errors:
        found["error_code"] = error_record_name(notes.errors[0])
    if notes.priorities:
        found["priority"] = notes.priorities[0]
    return found
