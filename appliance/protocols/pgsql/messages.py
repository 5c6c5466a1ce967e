"""Messages of the PostgreSQL frontend/backend protocol 3.0 (PostgreSQL manual, chapter 55)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.protocols.reader import Reader, text

SSL, GSS, CANCEL, VERSION_3 = 80877103, 80877104, 80877102, 3 << 16
MAX_PARAMETERS = 64
MAX_FIELDS = 32

# Authentication request of the server -> its name; what follows tells how the client answers.
OK, CLEARTEXT, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
_AUTHENTICATION = {
    0: "authentication_ok",
    2: "authentication_kerb_v5",
    3: "authentication_cleartext_password",
    5: "authentication_md5_password",
    6: "authentication_scm_credentials",
    7: "authentication_gss",
    8: "authentication_gss_continue",
    9: "authentication_sspi",
    10: "authentication_sasl",
    11: "authentication_sasl_continue",
    12: "authentication_sasl_final",
}
_MECHANISMS = {b"SCRAM-SHA-256": "scram_SHA256", b"SCRAM-SHA-256-PLUS": "scram_SHA256_plus"}
_ERRORS = {
    "S": "severity_localizable",
    "V": "severity_non_localizable",
    "C": "code",
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "p": "internal_position",
    "q": "internal_query",
    "W": "where",
    "s": "schema_name",
    "t": "table",
    "c": "column",
    "d": "data_type",
    "n": "constraint",
    "F": "file",
    "L": "line",
    "R": "routine",
}
_PARAMETERS = {
    b"DateStyle": "date_style",
    b"IntervalStyle": "interval_style",
    b"TimeZone": "time_zone",
}

Body = dict[str, Any]


def startup(data: bytes, found: Body) -> bool:
    """Read StartupMessage after its code: names and values, ended by an empty name."""
    reader = Reader(data)
    found["protocol_version"] = "3.0"
    user = ""
    optional: list[dict[str, str]] = []
    while reader.left and len(optional) < MAX_PARAMETERS:
        name = reader.string()
        if not name:
            break
        value = text(reader.string())
        if name == b"user":
            user = value
        else:
            optional.append({text(name): value})
    found["startup_parameters"] = {"user": user} | ({"optional_parameters": optional} if optional else {})
    return not reader.failed


def cancel(data: bytes, found: Body) -> bool:
    """Read CancelRequest after its code."""
    reader = Reader(data)
    found["message"] = "cancel_request"
    found["process_id"], found["secret_key"] = reader.uint(4), reader.uint(4)
    return not reader.failed


def password(data: bytes, found: Body, asked: int) -> bool:
    """Read what the client answers to an authentication request of kind ``asked``."""
    reader = Reader(data)
    if asked == SASL:
        name = reader.string()
        found["sasl_authentication_mechanism"] = _MECHANISMS.get(name, text(name))
        size = reader.uint(4)
        found["sasl_param"] = text(reader.take(0 if size == 0xFFFFFFFF else size))
    elif asked == SASL_CONTINUE:
        found["sasl_response"] = text(reader.rest())
    else:
        found["password"] = text(reader.string())
    return not reader.failed


def _authentication(reader: Reader, found: Body) -> None:
    kind = reader.uint(4)
    found["asked"] = kind
    name = _AUTHENTICATION.get(kind, f"authentication_{kind}")
    if kind == MD5:
        found[name] = text(reader.take(4))
    elif kind in {SASL_CONTINUE, SASL_FINAL}:
        found[name] = text(reader.rest())
    else:
        found["message"] = name


def _parameter(reader: Reader, found: Body) -> None:
    name = reader.string()
    row = {_PARAMETERS.get(name, text(name)): text(reader.string())}
    rows = found.setdefault("parameter_status", [])
    if len(rows) < MAX_PARAMETERS:
        rows.append(row)


def _key(reader: Reader, found: Body) -> None:
    found["process_id"], found["secret_key"] = reader.uint(4), reader.uint(4)


def _error(reader: Reader, found: Body) -> None:
    """Read ErrorResponse or NoticeResponse: a letter and a string for each field."""
    for _ in range(MAX_FIELDS):
        letter = chr(reader.uint(1))
        if letter == "\0" or not reader.left:
            return
        value = text(reader.string())
        if letter in _ERRORS:
            found[_ERRORS[letter]] = value


def _row_description(reader: Reader, found: Body) -> None:
    found["field_count"] = reader.uint(2)


def _completed(reader: Reader, found: Body) -> None:
    found["command_completed"] = text(reader.string())


def _notification(reader: Reader, found: Body) -> None:
    found["process_id"] = reader.uint(4)
    found["channel_name"], found["payload"] = text(reader.string()), text(reader.string())


def _copy_in(reader: Reader, found: Body) -> None:
    reader.take(1)
    found["copy_in_response"] = {"columns": reader.uint(2)}


def _copy_out(reader: Reader, found: Body) -> None:
    reader.take(1)
    found["copy_out_response"] = {"columns": reader.uint(2)}


def _nothing(reader: Reader, found: Body) -> None:
    """Pass over a message of which nothing is told."""


RESPONSES: dict[str, Callable[[Reader, Body], None]] = {
    "R": _authentication,
    "S": _parameter,
    "K": _key,
    "E": _error,
    "N": _error,
    "T": _row_description,
    "C": _completed,
    "A": _notification,
    "G": _copy_in,
    "H": _copy_out,
    "W": _nothing,
    "Z": _nothing,
    "I": _nothing,
    "1": _nothing,
    "2": _nothing,
    "3": _nothing,
    "n": _nothing,
    "s": _nothing,
    "t": _nothing,
    "v": _nothing,
    "V": _nothing,
    "c": _nothing,
    "d": _nothing,
    "D": _nothing,
}


def count_row(head: bytes, size: int, found: Body) -> None:
    """Count a DataRow by its first bytes: the bytes of its values are what is not lengths."""
    columns = int.from_bytes(head[:2], "big")
    found["data_rows"] = found.get("data_rows", 0) + 1
    found["data_size"] = found.get("data_size", 0) + max(0, size - 2 - 4 * columns)


def count_copy(name: str, size: int, found: Body) -> None:
    """Count a CopyData message."""
    row = found.setdefault(name, {"msg_count": 0, "data_size": 0})
    row["msg_count"] += 1
    row["data_size"] += size
