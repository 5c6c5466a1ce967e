"""The ``mdns`` record: one for each message, its names in UTF-8 (RFC 6763 section 4.1.1)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.dns import rdata
from appliance.protocols.dns.message import MAX_NAME, Malformed, Message, Record
from appliance.protocols.dns.names import rr_type

_NAMES = frozenset((2, 5, 12))  # NS, CNAME, PTR
_TXT, _SRV = 16, 33
_SRV_NAME = 6  # offset of the name in the data of SRV
_SHOWN = frozenset((1, 28, _SRV))  # besides names and texts: A, AAAA, SRV
_SECTIONS = ("answers", "authorities", "additionals")


def body(message: Message) -> dict[str, Any]:
    """Give the body of the record."""
    found: dict[str, Any] = {"type": "response" if message.is_response else "request"}
    if message.questions:
        found["queries"] = [
            _name(question.name) | {"rrtype": rr_type(question.type).lower()}
            for question in message.questions
        ]
    for section in _SECTIONS:
        records = getattr(message, section)
        if records:
            found[section] = [_record(message, record) for record in records]
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _name(name: bytes) -> dict[str, Any]:
    return {"rrname": _text(name)} | ({"rrname_truncated": True} if len(name) >= MAX_NAME else {})


def _record(message: Message, record: Record) -> dict[str, Any]:
    """Describe a resource record; its data stands under its type."""
    kind = rr_type(record.type).lower()
    data = _data(message, record)
    return _name(record.name) | ({kind: data} if data is not None else {"rrtype": kind})


def _data(message: Message, record: Record) -> Any:
    """Give the data of a record; None when it is malformed or shown in no form."""
    if record.type == _TXT:
        return _strings(record.data)
    try:
        if record.type in _NAMES:
            return _text(message.names.again(record.start)[0])
        found = rdata.value(message, record) if record.type in _SHOWN else None
        if record.type == _SRV and found is not None:
            found["name"] = _text(message.names.again(record.start + _SRV_NAME)[0])
    except Malformed:
        return None
    return found


def _strings(data: bytes) -> list[str]:
    """Cut character strings, each with its length before it."""
    found, at = [], 0
    while at < len(data):
        found.append(_text(data[at + 1 : at + 1 + data[at]]))
        at += 1 + data[at]
    return found
