"""Data of resource records as records of the log show it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from appliance.protocols.dns.message import Malformed, Message, Record

_SOA = struct.Struct(">IIIII")
_SRV = struct.Struct(">HHH")


def text(raw: bytes) -> str:
    """Bytes as text; what is not ASCII is escaped."""
    return raw.decode("ascii", "backslashreplace")


def _address4(_: Message, record: Record) -> Any:
    return ".".join(str(byte) for byte in record.data) if len(record.data) == 4 else None


def _address6(_: Message, record: Record) -> Any:
    if len(record.data) != 16:
        return None
    return ":".join(f"{record.data[i]:02x}{record.data[i + 1]:02x}" for i in range(0, 16, 2))


def _name(message: Message, record: Record) -> Any:
    return text(message.names.again(record.start)[0])


def _mail(message: Message, record: Record) -> Any:
    return text(message.names.again(record.start + 2)[0])


def _strings(_: Message, record: Record) -> Any:
    """Character strings of a TXT record, each with its length before it."""
    found, at, data = [], 0, record.data
    while at < len(data):
        length = data[at]
        found.append(text(data[at + 1 : at + 1 + length]))
        at += 1 + length
    return found


def _soa(message: Message, record: Record) -> Any:
    mname, at = message.names.again(record.start)
    rname, at = message.names.again(at)
    if at + _SOA.size > len(message.raw):
        return None
    serial, refresh, retry, expire, minimum = _SOA.unpack_from(message.raw, at)
    names = {"mname": text(mname), "rname": text(rname)}
    return names | {
        "serial": serial,
        "refresh": refresh,
        "retry": retry,
        "expire": expire,
        "minimum": minimum,
    }


def _srv(message: Message, record: Record) -> Any:
    if len(record.data) < _SRV.size:
        return None
    priority, weight, port = _SRV.unpack_from(record.data)
    target = text(message.names.again(record.start + _SRV.size)[0])
    return {"priority": priority, "weight": weight, "port": port, "name": target}


def _sshfp(_: Message, record: Record) -> Any:
    if len(record.data) < 3:
        return None
    fingerprint = ":".join(f"{byte:02x}" for byte in record.data[2:])
    return {"fingerprint": fingerprint, "algo": record.data[0], "type": record.data[1]}


def _options(_: Message, record: Record) -> Any:
    """EDNS options: code and data (RFC 6891 section 6.1.2)."""
    found, at, data = [], 0, record.data
    while at + 4 <= len(data):
        code, length = struct.unpack_from(">HH", data, at)
        found.append({"code": code, "data": text(data[at + 4 : at + 4 + length])})
        at += 4 + length
    return found


def _plain(_: Message, record: Record) -> Any:
    return text(record.data)


_READERS: dict[int, Callable[[Message, Record], Any]] = {
    1: _address4, 2: _name, 5: _name, 6: _soa, 10: _plain, 12: _name, 15: _mail, 16: _strings, 28: _address6,
    33: _srv, 41: _options, 44: _sshfp,
}  # fmt: skip
# Under which key structured data stands; the others are plain "rdata".
KEYS = {6: "soa", 33: "srv", 41: "opt", 44: "sshfp"}


def value(message: Message, record: Record) -> Any:
    """Give the record's data in its presentation form, None when it has none or is malformed."""
    reader = _READERS.get(record.type)
    if reader is None or (not record.data and record.type != 10):
        return None
    try:
        return reader(message, record)
    except Malformed:
        return None


def names(message: Message, records: list[Record]) -> list[bytes]:
    """Give every name that the records carry: their own and those in their data."""
    found = []
    for record in records:
        found.append(record.name)
        offset = {2: 0, 5: 0, 12: 0, 6: 0, 15: 2, 33: 6}.get(record.type)
        if offset is None or len(record.data) <= offset:
            continue
        try:
            found.append(message.names.again(record.start + offset)[0])
        except Malformed:
            continue
    return found
