"""DNS over HTTPS (RFC 8484) in a stream of HTTP/2: in the query of a GET, in the body of a POST or answer."""

from __future__ import annotations

from appliance.protocols.dns.message import Message, Names, parse
from appliance.protocols.dns.parser import DnsTransaction
from appliance.protocols.http2.hpack import Field
from appliance.protocols.http2.transaction import Http2Transaction, decode_settings

_KIND = b"application/dns-message"
_MAX_MESSAGE = 0xFFFF
_TOO_LONG = ("dns_request_too_long", "dns_response_too_long")


def look(tx: Http2Transaction, direction: int, fields: list[Field]) -> bool:
    """Find out from new ``fields`` whether DNS is carried; a GET brings its message along."""
    found = False
    for field in fields:
        name = field.name.lower()
        if name == b"content-type" and field.value.strip().lower() == _KIND:
            found = True
            if tx.doh[direction] is None and tx.dns[direction] is None:
                tx.doh[direction] = bytearray()
        elif direction == 0 and name == b"accept" and _KIND in field.value.lower():
            found = True
    if found and direction == 0:
        _from_path(tx, tx.first(0, b":path"))
    return found


def feed(tx: Http2Transaction, direction: int, data: bytes) -> None:
    """Collect the message out of DATA; it is never coded (section 5.1 wants it as it is on the wire)."""
    held = tx.doh[direction]
    if held is None:
        return
    if len(held) + len(data) > _MAX_MESSAGE:
        tx.note(_TOO_LONG[direction])
        tx.doh[direction] = None
        return
    held += data


def finish(tx: Http2Transaction, direction: int) -> None:
    """The direction is over: read the message."""
    held, tx.doh[direction] = tx.doh[direction], None
    if held:
        _read(tx, direction, bytes(held))


def _from_path(tx: Http2Transaction, path: bytes) -> None:
    query = path.partition(b"?")[2]
    for part in query.split(b"&"):
        if part.startswith(b"dns="):
            if len(part) > _MAX_MESSAGE:
                tx.note(_TOO_LONG[0])
                return
            raw = decode_settings(part[4:])
            if raw:
                _read(tx, 0, raw)
            return


def _read(tx: Http2Transaction, direction: int, raw: bytes) -> None:
    if tx.dns[direction] is not None:
        return
    message = parse(raw)
    if message is None:
        message = Message(raw, Names(raw))
        message.names.note("malformed_data")
    tx.dns[direction] = DnsTransaction(tx.id, direction, message)
