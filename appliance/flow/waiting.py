"""Bytes of a TCP stream that wait, as plain data: what a move must not lose or let through unseen."""

from __future__ import annotations

from typing import Any

from appliance.flow.fields import Hex, Int
from appliance.model.tcp import TcpSegment

_MAX_SEGMENTS = 4096
_MAX_BYTES = 4 << 20  # of one list
_MAX_LENGTH = 1 << 16  # of one segment
_PLACE = Int(0, (1 << 62) - 1)


def pack(segments: list[TcpSegment] | None, lowest: int, highest: int) -> list[list[Any]] | None:
    """Give segments as lists of start, stop, first, last and data (hexadecimal digits or None).

    Parts outside of the positions ``lowest`` to ``highest`` are left out, and what exceeds 4,096 segments
    or 4 MB; a segment of more than 64 KB becomes several.
    """
    if segments is None:
        return None
    packed: list[list[Any]] = []
    total = 0
    for segment in segments:
        start, end = max(segment.start, lowest), min(segment.stop, highest)
        while start < end and len(packed) < _MAX_SEGMENTS and total < _MAX_BYTES - _MAX_LENGTH:
            stop = min(end, start + _MAX_LENGTH)
            data = _part(segment, start, stop)
            packed.append([start, stop, segment.first, segment.last, None if data is None else data.hex()])
            total += stop - start
            start = stop
    return packed


def _part(segment: TcpSegment, start: int, stop: int) -> bytes | None:
    if segment.data is None:
        return None
    skip = segment.skip + start - segment.start
    data = segment.data[skip : skip + stop - start]
    return data if len(data) in (0, stop - start) else None


def unpack(data: object, lowest: int, highest: int) -> list[TcpSegment] | None:
    """Make the segments that :func:`pack` wrote: sorted, disjoint, between two positions.

    Returns:
        None when anything is wrong with one of them.
    """
    if not isinstance(data, list) or len(data) > _MAX_SEGMENTS:
        return None
    segments: list[TcpSegment] = []
    total, reached = 0, lowest
    for entry in data:
        segment = _read(entry)
        if segment is None or segment.start < reached or segment.stop > highest:
            return None
        reached = segment.stop
        total += segment.stop - segment.start
        segments.append(segment)
    return segments if total <= _MAX_BYTES else None


def _read(entry: object) -> TcpSegment | None:
    if not isinstance(entry, list) or len(entry) != 5:
        return None
    *places, digits = entry
    if not all(_PLACE.fits(place) for place in places):
        return None
    start, stop, first, last = places
    if not 0 < stop - start <= _MAX_LENGTH or first > last:
        return None
    if digits is None:
        return TcpSegment(start, stop, None, first, last)
    field = Hex((0, stop - start))
    return TcpSegment(start, stop, field.unpack(digits), first, last) if field.fits(digits) else None
