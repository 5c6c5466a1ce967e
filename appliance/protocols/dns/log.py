"""Records of DNS transactions: version 3 (one record a message) and version 2 (one a question)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.dns import rdata
from appliance.protocols.dns.message import MAX_NAME, Message, Record
from appliance.protocols.dns.names import rcode, rr_type

_Z = 0x0040
_FLAG_BITS = (("qr", 0x8000), ("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("ra", 0x0080), ("z", _Z))


def _no(options: dict[str, Any], *keys: str) -> bool:
    return any(str(options.get(key, "yes")).lower() in {"no", "false", "0"} for key in keys)


def _wanted(options: dict[str, Any], message: Message) -> bool:
    """Tell whether the output's list of record types, if any, names one of the message's."""
    kinds = {str(kind).upper() for kind in options.get("types") or ()}
    if not kinds:
        return True
    if message.questions:
        return any(rr_type(question.type) in kinds for question in message.questions)
    return any(rr_type(record.type) in kinds for record in message.answers)


def is_version2(options: dict[str, Any]) -> bool:
    """Tell whether an output wants the records of version 2."""
    return str(options.get("version", 3)) == "2"


def records(message: Message, tx_id: int, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the records that an output with ``options`` wants of this message."""
    off = ("answer", "responses") if message.is_response else ("query", "requests")
    if _no(options, *off) or not _wanted(options, message):
        return []
    if not is_version2(options):
        return [version3(message, tx_id, options)]
    if message.is_response:
        return [_answer2(message, options)]
    return [_query2(message, tx_id, index) for index in range(len(message.questions))]


def version3(message: Message, tx_id: int, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the one record of a message."""
    kind = "response" if message.is_response else "request"
    body: dict[str, Any] = {"version": 3, "type": kind, "tx_id": tx_id, "id": message.id}
    body["flags"] = f"{message.flags:x}"
    body |= {name: True for name, bit in _FLAG_BITS if message.flags & bit}
    body |= {"opcode": message.opcode, "rcode": rcode(message.rcode)}
    if message.questions:
        body["queries"] = [
            _name(question.name) | {"rrtype": rr_type(question.type)} for question in message.questions
        ]
    if message.is_response:
        body |= _answers(message, options or {})
    if message.additionals:
        body["additionals"] = _detailed(message, message.additionals)
    return body


def _name(name: bytes) -> dict[str, Any]:
    body: dict[str, Any] = {"rrname": rdata.text(name)}
    return body | ({"rrname_truncated": True} if len(name) >= MAX_NAME else {})


def _answers(message: Message, options: dict[str, Any]) -> dict[str, Any]:
    formats = options.get("formats") or ("detailed", "grouped")
    body: dict[str, Any] = {}
    if message.answers and "detailed" in formats:
        body["answers"] = _detailed(message, message.answers)
    if message.answers and "grouped" in formats:
        body["grouped"] = _grouped(message)
    if message.authorities:
        body["authorities"] = _detailed(message, message.authorities)
    return body


def _detailed(message: Message, found: list[Record]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in found:
        row = _name(record.name) | {"rrtype": rr_type(record.type), "ttl": record.ttl}
        data = rdata.value(message, record)
        if isinstance(data, list) and record.type == 16:
            rows.extend(row | {"rdata": item} for item in data)
            continue
        if data is not None:
            row[rdata.KEYS.get(record.type, "rdata")] = data
        rows.append(row)
    return rows


def _grouped(message: Message) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for record in message.answers:
        data = rdata.value(message, record)
        if data is None:
            continue
        group = groups.setdefault(rr_type(record.type), [])
        group.extend(data if isinstance(data, list) else [data])
    return groups


def _query2(message: Message, tx_id: int, index: int) -> dict[str, Any]:
    question = message.questions[index]
    body = {"type": "query", "id": message.id, "rrname": rdata.text(question.name)}
    body |= {"rrtype": rr_type(question.type), "tx_id": tx_id, "opcode": message.opcode}
    return body | ({"z": True} if message.flags & _Z else {})


def _answer2(message: Message, options: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"version": 2, "type": "answer", "id": message.id, "flags": f"{message.flags:x}"}
    body |= {name: True for name, bit in _FLAG_BITS if message.flags & bit}
    body["opcode"] = message.opcode
    if message.questions:
        body["rrname"] = rdata.text(message.questions[0].name)
        body["rrtype"] = rr_type(message.questions[0].type)
    body["rcode"] = rcode(message.rcode)
    return body | _answers(message, options)
