"""EVE records of MQTT: one object for each packet of the exchange."""

from __future__ import annotations

from typing import Any

from appliance.protocols.mqtt.packet import Packet
from appliance.protocols.reader import text

STRING_LIMIT = 1024
_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "b": 1}
_CONNECT_FLAGS = (
    ("username", 0x80),
    ("password", 0x40),
    ("will_retain", 0x20),
    ("will", 0x04),
    ("clean_session", 0x02),
)
_PLAIN = ("message_id", "session_present", "return_code", "reason_code", "qos_granted", "reason_codes")


def size(value: Any, default: int) -> int:
    """Read a number of bytes as configurations write it (``10``, ``"1mb"``)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else default
    words = str(value).strip().lower()
    for unit, factor in _UNITS.items():
        if words.endswith(unit) and words[: -len(unit)].strip().isdigit():
            return int(words[: -len(unit)]) * factor
    return int(words) if words.isdigit() else default


def limited(data: bytes, limit: int) -> str:
    """Write bytes up to the limit and say how many are missing."""
    if len(data) <= limit:
        return text(data)
    return f"{text(data[:limit])}[truncated {len(data) - limit} additional bytes]"


def record(packets: list[Packet], options: dict[str, Any]) -> dict[str, Any]:
    """Give the body for an exchange."""
    limit = size(options.get("string-log-limit"), STRING_LIMIT)
    passwords = options.get("passwords", True) not in {False, "no", "false"}
    found: dict[str, Any] = {}
    for packet in packets:
        found[packet.kind] = _packet(packet, limit, passwords)
    return found


def _packet(packet: Packet, limit: int, passwords: bool) -> dict[str, Any]:
    flags = packet.flags
    body: dict[str, Any] = {"qos": packet.qos, "retain": bool(flags & 2), "dup": bool(flags & 1)}
    if packet.skipped:
        return body | {"truncated": True, "skipped_length": packet.skipped}
    fields = packet.fields
    if packet.kind == "connect":
        body |= _connect(fields, limit, passwords)
    body |= {name: limited(fields[name], limit) for name in ("topic", "message") if name in fields}
    body |= {name: fields[name] for name in _PLAIN if name in fields}
    if packet.kind == "disconnect" and packet.length == 1 and "reason_code" in body:
        # Records agree with Suricata, which takes the reason for 0 unless properties follow it.
        body["reason_code"] = 0
    if "topics" in fields:
        body["topics"] = _topics(fields["topics"], limit)
    if fields.get("properties"):
        body["properties"] = _properties(fields["properties"], limit)
    return body


def _connect(fields: dict[str, Any], limit: int, passwords: bool) -> dict[str, Any]:
    flags = fields["flags"]
    body: dict[str, Any] = {
        "protocol_string": limited(fields["protocol_string"], limit),
        "protocol_version": fields["protocol_version"],
        "flags": {name: bool(flags & bit) for name, bit in _CONNECT_FLAGS},
        "client_id": limited(fields.get("client_id", b""), limit),
    }
    if "username" in fields:
        body["username"] = limited(fields["username"], limit)
    if passwords and "password" in fields:
        body["password"] = limited(fields["password"], limit)
    if "will_topic" in fields:
        will: dict[str, Any] = {name: limited(fields[f"will_{name}"], limit) for name in ("topic", "message")}
        if fields.get("will_properties"):
            will["properties"] = _properties(fields["will_properties"], limit)
        body["will"] = will
    return body


def _properties(found: dict[str, Any], limit: int) -> dict[str, Any]:
    return {name: value[:limit] if isinstance(value, str) else value for name, value in found.items()}


def _topics(topics: list[tuple[bytes, int]], limit: int) -> list[Any]:
    """Write topics, which share the limit; those after it are left out."""
    out: list[Any] = []
    for topic, qos in topics:
        if limit <= 0:
            break
        words = limited(topic, limit)
        limit -= len(topic)
        out.append({"topic": words, "qos": qos} if qos >= 0 else words)
    return out
