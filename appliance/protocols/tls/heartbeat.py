"""Heartbeat messages (RFC 6520) and the ways in which they are abused (CVE-2014-0160)."""

from __future__ import annotations

_REQUEST, _RESPONSE = 1, 2
_PADDING = 16
_LIKELY_LEAK = 1 << 14


def check(body: bytes, *, encrypted: bool) -> list[str]:
    """Name what is wrong with a heartbeat record; a length beyond the record is the leak itself."""
    if encrypted:
        return []
    if len(body) < 3 or body[0] not in {_REQUEST, _RESPONSE}:
        return ["heartbeat_message", "invalid_heartbeat_message"]
    announced = (body[1] << 8) | body[2]
    if announced + 3 + _PADDING > len(body) or announced > _LIKELY_LEAK:
        return ["heartbeat_message", "overflow_heartbeat_message"]
    return ["heartbeat_message"]
