"""Sorted lists of disjoint segments: find, compare, insert with an overlap rule."""

from __future__ import annotations

from appliance.model.tcp import TcpSegment
from appliance.stream.overlap import new_wins

# Outcomes of a comparison
SAME, DIFFERENT, UNKNOWN = 0, 1, 2


def find(segments: list[TcpSegment], position: int) -> int:
    """Give the index of the first segment that ends after ``position``."""
    low = 0
    high = len(segments)
    while low < high:
        middle = (low + high) >> 1
        if segments[middle].stop <= position:
            low = middle + 1
        else:
            high = middle
    return low


def part(segment: TcpSegment, start: int, stop: int) -> bytes:
    """Give the bytes of ``segment`` between two positions inside it."""
    data = segment.data
    if data is None:
        return b""
    skip = segment.skip + start - segment.start
    return data[skip : skip + stop - start]


def cut(segment: TcpSegment, start: int, stop: int) -> TcpSegment:
    """Make the part of ``segment`` between two positions inside it.

    A small part is copied, so that what is counted as held is at least half of what is in memory.
    """
    data = segment.data
    piece = TcpSegment(start, stop, data, segment.first, segment.last)
    if data and (stop - start) * 2 < len(data):
        piece.data = part(segment, start, stop)
    else:
        piece.skip = segment.skip + start - segment.start
    return piece


def differs(segment: TcpSegment, start: int, stop: int, data: bytes, base: int) -> bool:
    """Tell whether ``data``, which begins at ``base``, says something else between two positions.

    Urgent and missing bytes have nothing to compare.
    """
    if not segment.data:
        return False
    return part(segment, start, stop) != data[start - base : stop - base]


def compare(segments: list[TcpSegment], data: bytes, base: int, start: int, stop: int) -> int:
    """Compare ``data``, which begins at ``base``, with what is known between two positions.

    Returns SAME, DIFFERENT, or UNKNOWN when a part is not known and the rest is the same.
    """
    index = find(segments, start)
    outcome = SAME
    while start < stop:
        if index >= len(segments) or segments[index].start >= stop:
            return UNKNOWN
        segment = segments[index]
        if segment.start > start:
            outcome = UNKNOWN
            start = segment.start
        end = min(stop, segment.stop)
        if differs(segment, start, end, data, base):
            return DIFFERENT
        start = end
        index += 1
    return outcome


def overlaps_differently(segments: list[TcpSegment], data: bytes, base: int, start: int, stop: int) -> bool:
    """Tell whether some byte that is already in ``segments`` differs from ``data``."""
    index = find(segments, start)
    while index < len(segments) and segments[index].start < stop:
        segment = segments[index]
        low = max(start, segment.start)
        high = min(stop, segment.stop)
        if differs(segment, low, high, data, base):
            return True
        index += 1
    return False


def overlay(segments: list[TcpSegment], data: bytearray, base: int, start: int, stop: int) -> None:
    """Write what is known between two positions over ``data``, which begins at ``base``."""
    index = find(segments, start)
    while index < len(segments) and segments[index].start < stop:
        segment = segments[index]
        low = max(start, segment.start)
        high = min(stop, segment.stop)
        if segment.data:
            data[low - base : high - base] = part(segment, low, high)
        index += 1


def insert(segments: list[TcpSegment], new: TcpSegment, rule: bytes) -> int:
    """Put ``new`` into the list; where it overlaps, ``rule`` says whose bytes stay.

    Returns how many bytes more the list holds.
    """
    begin = find(segments, new.start)
    index = begin
    cursor = new.start
    out: list[TcpSegment] = []
    grown = 0
    while index < len(segments) and segments[index].start < new.stop:
        old = segments[index]
        if cursor < old.start:
            out.append(cut(new, cursor, old.start))
            grown += old.start - cursor
        _merge(out, old, new, rule)
        cursor = max(cursor, old.stop)
        index += 1
    if cursor < new.stop:
        out.append(cut(new, cursor, new.stop))
        grown += new.stop - cursor
    segments[begin:index] = out
    return grown


def _merge(out: list[TcpSegment], old: TcpSegment, new: TcpSegment, rule: bytes) -> None:
    """Add to ``out`` what becomes of ``old`` where ``new`` overlaps it."""
    if not new_wins(rule, new.first, new.last, old.first, old.last):
        out.append(old)
        return
    low = max(new.start, old.start)
    high = min(new.stop, old.stop)
    if old.start < low:
        out.append(cut(old, old.start, low))
    out.append(cut(new, low, high))
    if high < old.stop:
        out.append(cut(old, high, old.stop))
