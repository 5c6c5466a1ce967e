"""Syslog messages (RFC 5424) of records."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Protocol

from appliance.sinks.severity import FACILITIES, severities

_MAX_HOST, _MAX_NAME, _MAX_ID = 255, 48, 32
_MAX_SEQUENCE = 2_147_483_647  # RFC 5424 section 7.3.1
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "]": "\\]"})
_MAX_VALUE = 255
_BULKY = frozenset(
    ("payload", "payload_printable", "packet", "packet_info", "http_response_body", "http_request_body",
     "http_response_body_printable", "http_request_body_printable", "rule", "frame")
)  # fmt: skip
# Kept when even a record without its bulky parts is too long.
_ESSENTIAL = (
    "timestamp", "flow_id", "event_type", "in_iface", "vlan", "src_ip", "src_port", "dest_ip", "dest_port",
    "proto", "app_proto", "vm", "alert", "drop", "eastwall",
)  # fmt: skip
_encode = json.JSONEncoder(separators=(",", ":")).encode
_ADDRESSED = _ESSENTIAL[:11]


class Body(Protocol):
    """Makes the last part of a message."""

    shortened: int

    def make(self, fields: dict[str, Any], line: bytes, room: int) -> bytes:
        """Give at most ``room`` bytes for a record: ``fields`` parsed, ``line`` as it came."""


class SyslogFormatter:
    """Makes messages: header, structured data, body."""

    def __init__(
        self, body: Body, *, facility: str, host: str, app_name: str, enterprise: int, pid: int, limit: int
    ) -> None:
        """Fix what all messages share; none is longer than ``limit`` bytes (480 or more).

        Structured data that is ours has the identity ``eastwall@enterprise``.
        """
        self.body = body
        self._facility = FACILITIES.index(facility) << 3
        self._host = name(host, _MAX_HOST)
        self._tail = f"{name(app_name, _MAX_NAME)} {pid or '-'}"
        self._identity = f"eastwall@{enterprise}"
        self._limit = limit
        self._sequence = 0

    def message(self, fields: dict[str, Any], line: bytes) -> bytes:
        """Give the message of a record: ``fields`` parsed, ``line`` as it came, without its end."""
        self._sequence = self._sequence % _MAX_SEQUENCE + 1
        priority = self._facility | severities(fields)[0]
        kind = name(str(fields.get("event_type", "")), _MAX_ID)
        moment = timestamp(fields.get("timestamp"))
        head = f"<{priority}>1 {moment} {self._host} {self._tail} {kind} "
        head += f'[meta sequenceId="{self._sequence}"]'
        start = f"{head}{self._data(fields)} ".encode("utf-8", "replace")
        if len(start) > self._limit // 2:
            start = f"{head} ".encode()
        return start + self.body.make(fields, line, self._limit - len(start))

    def _data(self, fields: dict[str, Any]) -> str:
        pairs = "".join(f' {key}="{value(item)}"' for key, item in _essence(fields) if item not in (None, ""))
        return f"[{self._identity}{pairs}]"


def _essence(fields: dict[str, Any]) -> list[tuple[str, Any]]:
    """Give what a receiver should be able to sort by without reading the body."""
    alert, drop, own = (_object(fields.get(key)) for key in ("alert", "drop", "eastwall"))
    vm = _object(fields.get("vm"))
    source, target = _object(vm.get("src")), _object(vm.get("dest"))
    return [
        ("src", fields.get("src_ip")),
        ("spt", fields.get("src_port")),
        ("dst", fields.get("dest_ip")),
        ("dpt", fields.get("dest_port")),
        ("proto", fields.get("proto")),
        ("flow", fields.get("flow_id")),
        ("sid", alert.get("signature_id")),
        ("action", alert.get("action") or ("blocked" if drop else own.get("verdict"))),
        ("reason", drop.get("reason")),
        ("rule", drop.get("by") or own.get("rule") or own.get("by")),
        ("event", own.get("event")),
        ("srcVm", source.get("uuid")),
        ("dstVm", target.get("uuid")),
    ]


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


class JsonBody:
    """The record as EVE JSON: as it came where that fits, else without what is bulky, else what is essential.

    A record that is not whole says so with ``"truncated":true``, and is still JSON.
    """

    def __init__(self) -> None:
        self.shortened = 0

    def make(self, fields: dict[str, Any], line: bytes, room: int) -> bytes:
        """Give at most ``room`` bytes of JSON."""
        if len(line) <= room:
            return line
        self.shortened += 1
        lean = {key: part for key, part in fields.items() if key not in _BULKY}
        for kept in (
            lean,
            *({key: fields[key] for key in keys if key in fields} for keys in (_ESSENTIAL, _ADDRESSED)),
        ):
            text = _encode({**_without_bulk(kept), "truncated": True}).encode()
            if len(text) <= room:
                return text
        return b""


def _without_bulk(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is bulky one level below as well."""
    return {
        key: {name: item for name, item in part.items() if name not in _BULKY}
        if isinstance(part, dict)
        else part
        for key, part in fields.items()
    }


def name(text: str, limit: int) -> str:
    """Give a header field: printable ASCII without blanks, ``-`` for nothing (RFC 5424 section 6)."""
    kept = "".join(char if "!" <= char <= "~" else "_" for char in text[:limit])
    return kept or "-"


def value(item: Any) -> str:
    """Give the value of a parameter, escaped as RFC 5424 section 6.3.3 says, control characters as blanks."""
    text = str(item)[:_MAX_VALUE]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return text.translate(_ESCAPES)


def timestamp(text: Any) -> str:
    """Give EVE's time in the form of RFC 3339 with six digits, ``-`` when it is none."""
    try:
        return datetime.fromisoformat(str(text)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except ValueError:
        return "-"
