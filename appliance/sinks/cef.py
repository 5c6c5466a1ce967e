"""CEF (ArcSight Common Event Format, CEF:0) of EVE records: alerts, drops, anomalies and our own notices.

``docs/outputs.md`` has the table of fields; a test keeps it complete.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from appliance.sinks.severity import severities

_VENDOR = "Eastwall"
_PRODUCT = "Eastwall"
_MAX_VALUE = 1023  # the bound of the format's text fields
_MAX_NAME = 512
_MAX_CVES = 8
_CVE = re.compile(r"(?<!\d)(\d{4})[-_](\d{4,7})(?!\d)")
_HEADER = str.maketrans({"\\": "\\\\", "|": "\\|", "\n": " ", "\r": " ", "\0": " "})
_EXTENSION = str.maketrans({"\\": "\\\\", "=": "\\=", "\n": "\\n", "\r": "\\r", "\0": " "})
# Custom fields and what they hold.
LABELS = {
    "cs1": "rule",
    "cs2": "policy",
    "cs3": "cve",
    "cs4": "sourceInterface",
    "cs5": "destinationInterface",
    "cs6": "event",
    "c6a2": "Source IPv6 Address",
    "c6a3": "Destination IPv6 Address",
    "cn1": "flowId",
    "cn2": "vlan",
}
Pairs = Iterator[tuple[str, Any]]
Fields = dict[str, Any]


class CefFormatter:
    """Makes CEF lines of parsed EVE records."""

    def __init__(self, version: str, host: str) -> None:
        """Name our ``version`` and this ``host``."""
        self._start = f"CEF:0|{_VENDOR}|{_PRODUCT}|{version.translate(_HEADER)}|"
        self._host = host
        self.shortened = 0

    def make(self, fields: Fields, line: bytes, room: int) -> bytes:
        """Give the line of a record, without an end; fields beyond ``room`` bytes are left out."""
        del line
        identity, name = _identity(fields)
        head = f"{identity.translate(_HEADER)}|{name[:_MAX_NAME].translate(_HEADER)}|{severities(fields)[1]}|"
        text = (self._start + head).encode("utf-8", "replace")
        parts = []
        size = len(text)
        for key, value in self._pairs(fields):
            label = f" {key}Label={LABELS[key]}" if key in LABELS else ""
            part = f"{key}={_text(value)}{label}".encode("utf-8", "replace")
            if size + len(part) + 1 > room:
                self.shortened += 1
                break
            size += len(part) + 1
            parts.append(part)
        return (text + b" ".join(parts))[:room]

    def _pairs(self, fields: Fields) -> Pairs:
        """Give the extension's fields, the most needed first, those with nothing to say left out."""
        for key, value in self._all(fields):
            if value is not None and value not in ("", [], ()):
                yield key, value

    def _all(self, fields: Fields) -> Pairs:
        yield "rt", _milliseconds(fields.get("timestamp"))
        yield "dvchost", self._host
        yield "act", _action(fields)
        yield from _ends(fields)
        yield from _machines(fields)
        yield from _cause(fields)
        yield "cn1", fields.get("flow_id")
        yield "deviceInboundInterface", fields.get("in_iface")
        yield "cn2", next(iter(_list(fields.get("vlan"))), None)
        yield from _ether(fields)
        yield from _web(fields)


def _text(value: Any) -> str:
    return str(value)[:_MAX_VALUE].translate(_EXTENSION)


def _part(fields: Fields, name: str) -> Fields:
    """Give an object inside of a record, an empty one when it is not there."""
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _identity(fields: Fields) -> tuple[str, str]:
    """Give the signature's identity and the event's name."""
    kind = str(fields.get("event_type", ""))
    alert, drop, own, anomaly = (_part(fields, name) for name in ("alert", "drop", "eastwall", "anomaly"))
    if kind == "alert":
        return f"{alert.get('gid', 1)}:{alert.get('signature_id', 0)}", str(alert.get("signature") or "alert")
    if kind == "drop":
        return f"drop:{drop.get('reason', '')}", f"Packet dropped: {drop.get('reason', '')}"
    if kind == "eastwall":
        return f"eastwall:{own.get('event', '')}", f"Protection: {own.get('event', '')}"
    if kind == "anomaly":
        return f"anomaly:{anomaly.get('event', '')}", f"Anomaly: {anomaly.get('event', '')}"
    return kind, kind


def _milliseconds(timestamp: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(str(timestamp)).timestamp() * 1000)
    except ValueError:
        return None


def _action(fields: Fields) -> str:
    kind = fields.get("event_type")
    verdict = _part(fields, "verdict")
    if kind == "drop":
        return "rejected" if verdict.get("reject") else "blocked"
    if kind == "alert":
        return str(_part(fields, "alert").get("action", ""))
    own = _part(fields, "eastwall")
    named = {"accept": "allowed", "bypass": "allowed", "drop": "blocked", "reject": "rejected"}
    if own.get("event") == "application_denied":
        return "blocked"
    return named.get(str(own.get("verdict", "")), "")


def _ends(fields: Fields) -> Pairs:
    for key, six, name in (("src", "c6a2", "src_ip"), ("dst", "c6a3", "dest_ip")):
        address = str(fields.get(name, ""))
        if ":" in address:
            yield six, _short(address)
        else:
            yield key, address
    yield "spt", fields.get("src_port")
    yield "dpt", fields.get("dest_port")
    yield "proto", fields.get("proto")
    yield "app", fields.get("app_proto")


def _short(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _machines(fields: Fields) -> Pairs:
    """Name the VMs; the one that is told apart as the device is the receiver, else the sender."""
    vm = _part(fields, "vm")
    source, target = _part(vm, "src"), _part(vm, "dest")
    protected = target or source
    yield "deviceExternalId", protected.get("uuid")
    yield "shost", source.get("name")
    yield "dhost", target.get("name")
    yield "cs2", protected.get("policy")
    yield "cs4", _interface(source)
    yield "cs5", _interface(target)


def _interface(end: Fields) -> str:
    return f"{end.get('uuid', '')}/{end.get('interface', '')}" if end else ""


def _cause(fields: Fields) -> Pairs:
    alert, drop, own = _part(fields, "alert"), _part(fields, "drop"), _part(fields, "eastwall")
    identity = ":".join(str(alert.get(key, 0)) for key in ("gid", "signature_id", "rev"))
    yield "cs1", drop.get("by") or own.get("rule") or own.get("by") or (identity if alert else "")
    yield "cat", alert.get("category") or fields.get("event_type")
    yield "cs3", ",".join(_cves(alert))
    yield "reason", drop.get("reason")
    yield "cs6", own.get("event") or _part(fields, "anomaly").get("event")
    yield "msg", own.get("application") or own.get("interface") or ",".join(map(str, _list(own.get("rules"))))


def _cves(alert: Fields) -> list[str]:
    """Give the CVE numbers of a rule, from its metadata and its references."""
    found: list[str] = []
    for one in (*_list(_part(alert, "metadata").get("cve")), *_list(alert.get("references"))):
        text = str(one)[:_MAX_VALUE]
        if "cve" in text.lower() or one not in _list(alert.get("references")):
            found.extend(f"CVE-{year}-{number}" for year, number in _CVE.findall(text))
    return list(dict.fromkeys(found))[:_MAX_CVES]


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _ether(fields: Fields) -> Pairs:
    ether = _part(fields, "ether")
    yield "smac", ether.get("src_mac")
    yield "dmac", ether.get("dest_mac")


def _web(fields: Fields) -> Pairs:
    http = _part(fields, "http")
    yield "request", http.get("url")
    yield "requestMethod", http.get("http_method")
    yield "requestClientApplication", http.get("http_user_agent")
    yield "requestContext", http.get("http_refer")
    first = next((one for one in _list(fields.get("files")) if isinstance(one, dict)), {})
    yield "fname", first.get("filename")
    yield "fsize", first.get("size")
    yield "fileHash", first.get("sha256") or first.get("sha1") or first.get("md5")
