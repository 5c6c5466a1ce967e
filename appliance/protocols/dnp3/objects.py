"""Object headers of DNP3 messages (IEEE 1815 section 4.2.2.7), and where their points are."""

from __future__ import annotations

from typing import Any

from appliance.protocols.dnp3 import points
from appliance.protocols.reader import Reader, text

# Range codes -> size of start and stop, or of the count.
_RANGES = {0: 1, 1: 2, 2: 4, 3: 1, 4: 2, 5: 4}
_COUNTS = {7: 1, 8: 2, 9: 4, 11: 1}
_ALL = 6
# Prefix codes -> size of the index or of the object's size before each point.
_INDEXES = {1: 1, 2: 2, 3: 4}
_OBJECT_SIZES = {4: 1, 5: 2, 6: 4}
# Requests that name objects without their data.
_NAMING = frozenset((1, 7, 8, 9, 10, 11, 12, 20, 21, 22))
# Points written to a record.
MAX_LOGGED = 1024


class DnpObject:
    """One object header with the bytes of its points, which are read when a record wants them."""

    __slots__ = ("count", "data", "group", "qualifier", "start", "stop", "variation")

    def __init__(self, group: int, variation: int, qualifier: int) -> None:
        """Begin with the first three bytes."""
        self.group = group
        self.variation = variation
        self.qualifier = qualifier
        self.start = self.stop = self.count = 0
        self.data = b""

    @property
    def prefix(self) -> int:
        """What stands before each point."""
        return self.qualifier >> 4 & 7

    @property
    def range(self) -> int:
        """How the points are named."""
        return self.qualifier & 0x0F

    @property
    def key(self) -> tuple[int, int]:
        """Group and variation."""
        return self.group, self.variation

    def log(self) -> dict[str, Any]:
        """Give the record's entry."""
        found: dict[str, Any] = {
            "group": self.group,
            "variation": self.variation,
            "qualifier": self.qualifier,
            "prefix_code": self.prefix,
            "range_code": self.range,
            "start": self.start,
            "stop": self.stop,
            "count": self.count,
        }
        if self.data:
            found["points"] = self._points()
        return found

    def _points(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        count = min(self.count, MAX_LOGGED)
        bits = points.PACKED.get(self.key)
        if bits:
            for i in range(count):
                state = self.data[i * bits // 8] >> i * bits % 8 & (1 << bits) - 1
                rows.append({"prefix": 0, "index": self.start + i, "state": state})
            return rows
        reader = Reader(self.data)
        for i in range(count):
            rows.append(self._point(reader, i))
            if reader.failed:
                rows.pop()
                break
        return rows

    def _point(self, reader: Reader, place: int) -> dict[str, Any]:
        """Read one point with its prefix."""
        if self.prefix in _OBJECT_SIZES:
            size = reader.little(_OBJECT_SIZES[self.prefix])
            row = {"prefix": size, "index": self.start + place, "size": size}
            return row | self._fields(Reader(reader.take(size)))
        prefix = reader.little(_INDEXES[self.prefix]) if self.prefix else 0
        row = {"prefix": prefix, "index": prefix if self.prefix else self.start + place}
        return row | self._fields(reader)

    def _fields(self, reader: Reader) -> dict[str, Any]:
        fields = points.FIELDS.get(self.key)
        if fields is not None:
            return points.read(fields, reader)
        size = reader.left if self.prefix in _OBJECT_SIZES else self.variation
        return {"data": text(reader.take(size))}


class Objects:
    """All objects of a message; ``complete`` tells that they could be read up to the end."""

    __slots__ = ("complete", "events", "found")

    def __init__(self) -> None:
        """Start without any."""
        self.found: list[DnpObject] = []
        self.events: list[str] = []
        self.complete = False


def parse(data: bytes, at: int, function: int, max_objects: int, max_points: int) -> Objects:
    """Read the objects from offset ``at``; ``function`` tells whether data come with them."""
    objects = Objects()
    reader = Reader(data, at)
    while reader.left:
        if len(objects.found) >= max_objects:
            objects.events.append("too_many_objects")
            return objects
        event = _object(objects, reader, function in _NAMING, max_points)
        if event:
            objects.events.append(event)
            return objects
    objects.complete = True
    return objects


def _object(objects: Objects, reader: Reader, naming: bool, max_points: int) -> str:
    """Read one object; gives the event when that does not work out."""
    made = DnpObject(reader.uint(1), reader.uint(1), reader.uint(1))
    if not _range(made, reader) or reader.failed:
        return "malformed"
    objects.found.append(made)
    if made.count > max_points:
        return "too_many_points"
    if naming or not made.count or not made.variation or made.group in points.EMPTY:
        # Where points are only named, their indices may still be listed.
        reader.take(made.count * _INDEXES.get(made.prefix, 0))
        return "malformed" if reader.failed else ""
    return _data(made, reader)


def _range(made: DnpObject, reader: Reader) -> bool:
    """Read start and stop, or the count."""
    if made.range in _RANGES:
        size = _RANGES[made.range]
        made.start, made.stop = reader.little(size), reader.little(size)
        made.count = made.stop - made.start + 1
        return made.count > 0
    if made.range in _COUNTS:
        made.count = reader.little(_COUNTS[made.range])
        return True
    return made.range == _ALL


def _data(made: DnpObject, reader: Reader) -> str:
    """Find the end of the points."""
    start = reader.at
    if made.prefix in _OBJECT_SIZES:
        for _ in range(made.count):
            reader.take(reader.little(_OBJECT_SIZES[made.prefix]))
            if reader.failed:
                return "malformed"
    else:
        size = _size(made)
        if size < 0:
            return "unknown_object"
        reader.take(size)
        if reader.failed:
            return "malformed"
    made.data = reader.data[start : reader.at]
    return ""


def _size(made: DnpObject) -> int:
    """Give the size of all points, -1 when it is not known."""
    if made.key in points.PACKED:
        return (made.count * points.PACKED[made.key] + 7) // 8
    size = made.variation if made.group in points.STRINGS else points.SIZES.get(made.key, -1)
    if size < 0 or (made.prefix and made.prefix not in _INDEXES):
        return -1
    return made.count * (size + _INDEXES.get(made.prefix, 0))
