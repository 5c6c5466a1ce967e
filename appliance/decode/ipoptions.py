"""Options of the IPv4 header: walked, and checked as far as each one's RFC allows."""

from __future__ import annotations

from typing import Final

from appliance.model.packet import Packet

_RR, _TS, _SEC, _LSRR, _ESEC, _CIPSO, _SID, _SSRR, _QS, _RTRALT = 7, 68, 130, 131, 133, 134, 136, 137, 25, 148

# Least and greatest length of the options whose contents are not looked at further.
_LENGTHS: Final[dict[int, tuple[int, int]]] = {
    _QS: (8, 255),  # RFC 4782
    _SEC: (11, 11),  # RFC 1108
    _ESEC: (3, 255),
    _SID: (4, 4),  # RFC 791
    _RTRALT: (4, 4),  # RFC 2113
}
_LEAST: Final[dict[int, int]] = {_RR: 3, _LSRR: 3, _SSRR: 3, _TS: 5, _CIPSO: 10}


def walk(packet: Packet, at: int, end: int) -> None:
    """Walk the options in ``frame[at:end]``: set ``packet.ip_opts``, note what is wrong."""
    frame = packet.frame
    seen: list[int] = []
    if (end - at) & 7:
        packet.note("ipv4.opt_pad_required")
    while at < end:
        kind = frame[at]
        if kind == 0:
            seen.append(kind)
            break
        if kind == 1:
            seen.append(kind)
            at += 1
            continue
        if end - at < 2:
            packet.note("ipv4.opt_eol_required")
            break
        size = frame[at + 1]
        if size < 2 or size > end - at:
            packet.note("ipv4.opt_invalid_len")
            break
        anomaly = _check(frame, at, size, seen)
        seen.append(kind)
        if anomaly is not None:
            packet.note(anomaly)
            if anomaly not in ("ipv4.opt_duplicate", "ipv4.opt_invalid"):
                break
        at += size
    packet.ip_opts = tuple(seen)


def _check(frame: bytes, at: int, size: int, seen: list[int]) -> str | None:
    """Check one option of two bytes or more."""
    kind = frame[at]
    limits = _LENGTHS.get(kind)
    least = _LEAST.get(kind)
    if limits is None and least is None:
        return "ipv4.opt_invalid"
    if kind in seen:
        return "ipv4.opt_duplicate"
    if limits is not None:
        return None if limits[0] <= size <= limits[1] else "ipv4.opt_invalid_len"
    if least is not None and size < least:
        return "ipv4.opt_invalid_len"
    if kind == _TS:
        sound = _timestamp(frame, at, size)
    elif kind == _CIPSO:
        sound = _cipso(frame, at + 6, at + size)
    else:
        sound = _route(frame, at, size)
    return None if sound else "ipv4.opt_malformed"


def _route(frame: bytes, at: int, size: int) -> bool:
    """Check the pointer of a route option: at a whole address, at most one past the end."""
    pointer = frame[at + 2]
    return pointer >= 4 and pointer % 4 == 0 and pointer <= size + 1


def _timestamp(frame: bytes, at: int, size: int) -> bool:
    """Check the pointer of a timestamp option against the size of its records."""
    pointer = frame[at + 2]
    record = 8 if frame[at + 3] & 0x0F in (1, 3) else 4
    return pointer >= 5 and (pointer - 5) % record == 0 and pointer <= size + 1


def _cipso(frame: bytes, at: int, end: int) -> bool:
    """Check the tags of a commercial security option (FIPS 188): type, length, alignment byte."""
    while at < end:
        if end - at < 2:
            return False
        kind = frame[at]
        size = frame[at + 1]
        if kind not in (1, 2, 5, 6, 7) or size < 4 or size > end - at:
            return False
        if kind != 7 and frame[at + 2] != 0:
            return False
        at += size
    return True
