"""What the points of DNP3 objects consist of (IEEE 1815 annex A).

A layout lists fields in order: ``name:kind``, where a number as kind is a size in bits within a byte,
``u``, ``i`` and ``f`` with a size in bytes are little-endian numbers, ``rest`` is text up to the end,
and ``=name`` is text whose size an earlier field gave.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from appliance.protocols.reader import Reader, text

_STATE = "online:1 restart:1 comm_lost:1 remote_forced:1 local_forced:1 "
_BINARY = _STATE + "chatter_filter:1 reserved:1 state:1"
_DOUBLE = _STATE + "chatter_filter:1 state:2"
_OUTPUT = _STATE + "reserved0:1 reserved1:1 state:1"
_COUNTER = _STATE + "rollover:1 discontinuity:1 reserved0:1"
_ANALOG = _STATE + "over_range:1 reference_err:1 reserved0:1"
_TIME = " timestamp:u6"
_CONTROL = "op_type:4 qu:1 cr:1 tcc:2 count:u1 ontime:u4 offtime:u4 status_code:7 reserved:1"
_FILE = "filename_offset:u2 filename_size:u2 "

_LAYOUTS: dict[tuple[int, int], str] = {
    (1, 2): _BINARY,
    (2, 1): "state:u1",
    (2, 2): _BINARY + _TIME,
    (2, 3): _BINARY + " timestamp:u2",
    (3, 2): _DOUBLE,
    (4, 1): _DOUBLE,
    (4, 2): _DOUBLE + _TIME,
    (4, 3): _DOUBLE + " relative_time_ms:u2",
    (10, 2): _OUTPUT,
    (11, 1): _OUTPUT,
    (11, 2): _OUTPUT + _TIME,
    (12, 1): _CONTROL,
    (12, 2): _CONTROL,
    (13, 1): "status_code:7 commanded_state:1",
    (13, 2): "status_code:7 commanded_state:1" + _TIME,
    (50, 1): "timestamp:u6",
    (50, 2): "timestamp:u6 interval:u4",
    (50, 3): "timestamp:u6",
    (50, 4): "timestamp:u6 interval_count:u4 interval_units:u1",
    (51, 1): "timestamp:u6",
    (51, 2): "timestamp:u6",
    (52, 1): "delay_secs:u2",
    (52, 2): "delay_ms:u2",
    (70, 1): "filename_size:u2 filetype_code:u1 attribute_code:u1 start_record:u2 end_record:u2 file_size:u4"
    " created_timestamp:u6 permission:u2 file_id:u4 owner_id:u4 group_id:u4 file_function_code:u1"
    " status_code:u1 filename:=filename_size data_size:u2 data:=data_size",
    (70, 2): "username_offset:u2 username_size:u2 password_offset:u2 password_size:u2 authentication_key:u4"
    " username:=username_size password:=password_size",
    (70, 3): _FILE + "created:u6 permissions:u2 authentication_key:u4 file_size:u4 operational_mode:u2"
    " maximum_block_size:u2 request_id:u2 filename:=filename_size",
    (
        70,
        4,
    ): "file_handle:u4 file_size:u4 maximum_block_size:u2 request_id:u2 status_code:u1 optional_text:rest",
    (70, 5): "file_handle:u4 block_number:u4 file_data:rest",
    (70, 6): "file_handle:u4 block_number:u4 status_code:u1 optional_text:rest",
    (70, 7): _FILE + "file_type:u2 file_size:u4 created_timestamp:u6 permissions:u2 request_id:u2"
    " filename:=filename_size",
    (70, 8): "file_specification:rest",
    (81, 1): "fill_percentage:u1 object_group:u1 variation:u1",
    (86, 2): "rd:1 wr:1 st:1 ev:1 df:1 padding0:3",
    (102, 1): "value:u1",
}


_INTEGERS = "value:i4 value:i2"
_FLOATS = "value:f4 value:f8"
_COUNTS = "count:u4 count:u2"
_COMMANDS = "value:{}|control_status:u1"
_RESULTS = "status_code:7|reserved0:1|commanded_value:{}"
_KINDS = ("i4", "i2", "f4", "f8")
_TWICE = ("i4", "i2", "i4", "i2", "f4", "f8", "f4", "f8")

# groups, what each variation from 1 on has (s: status, t: time, n: neither), status, values
_SERIES: tuple[tuple[tuple[int, ...], str, str, str], ...] = (
    ((20,), "s s s s n n n n", _COUNTER, f"{_COUNTS} {_COUNTS} {_COUNTS} {_COUNTS}"),
    ((21,), "s s s s st st st st n n n n", _COUNTER, " ".join([_COUNTS] * 6)),
    ((22, 23), "s s s s st st st st", _COUNTER, " ".join([_COUNTS] * 4)),
    ((30,), "s s n n s s", _ANALOG, f"{_INTEGERS} {_INTEGERS} {_FLOATS}"),
    ((31,), "s s st st n n s s", _ANALOG, f"{_INTEGERS} {_INTEGERS} {_INTEGERS} {_FLOATS}"),
    ((32, 33, 42), "s s st st s s st st", _ANALOG, f"{_INTEGERS} {_INTEGERS} {_FLOATS} {_FLOATS}"),
    ((40,), "s s s s", _ANALOG, f"{_INTEGERS} {_FLOATS}"),
    ((34,), "n n n", "", "deadband_value:u2 deadband_value:u4 deadband_value:f4"),
    ((41,), "n n n n", "", " ".join(_COMMANDS.format(kind) for kind in _KINDS)),
    ((43,), "n n t t n n t t", "", " ".join(_RESULTS.format(kind) for kind in _TWICE)),
)


def _fill_in() -> None:
    """Write out the layouts of groups that hold numbers."""
    for groups, parts, status, kinds in _SERIES:
        for variation, (part, kind) in enumerate(zip(parts.split(), kinds.split(), strict=True), 1):
            layout = f"{status} {kind}" if "s" in part else kind
            for group in groups:
                _LAYOUTS[group, variation] = layout + (_TIME if "t" in part else "")


_fill_in()

# Objects whose points are bits that share bytes -> bits of each.
PACKED = {(1, 1): 1, (3, 1): 2, (10, 1): 1, (80, 1): 1}
# Objects that are as many bytes long as their variation says.
STRINGS = frozenset((110, 111, 112, 113))
# Objects without any data.
EMPTY = frozenset((60,))

Field = tuple[str, str, int]  # name, kind ("bits", "u", "i", "f", "rest" or the field with the size), size


def _compiled(layout: str) -> tuple[Field, ...]:
    fields: list[Field] = []
    for item in layout.replace("|", " ").split():
        name, _, kind = item.partition(":")
        if kind.isdigit():
            fields.append((name, "bits", int(kind)))
        elif kind == "rest" or kind[0] == "=":
            fields.append((name, kind, 0))
        else:
            fields.append((name, kind[0], int(kind[1:])))
    return tuple(fields)


FIELDS: dict[tuple[int, int], tuple[Field, ...]] = {key: _compiled(row) for key, row in _LAYOUTS.items()}


def fixed_size(fields: tuple[Field, ...]) -> int:
    """Give the size of a point in bytes, -1 when it is not the same for all."""
    bits = 0
    for _, kind, size in fields:
        if size == 0:
            return -1
        bits += size if kind == "bits" else 8 * size
    return bits // 8


SIZES: dict[tuple[int, int], int] = {key: fixed_size(fields) for key, fields in FIELDS.items()}


def read(fields: tuple[Field, ...], reader: Reader) -> dict[str, Any]:
    """Read one point."""
    found: dict[str, Any] = {}
    byte, left = 0, 0
    for name, kind, size in fields:
        if kind == "bits":
            if not left:
                byte, left = reader.uint(1), 8
            found[name] = byte & (1 << size) - 1
            byte, left = byte >> size, left - size
        elif kind == "rest":
            found[name] = text(reader.rest()).rstrip("\0")
        elif kind[0] == "=":
            found[name] = text(reader.take(found[kind[1:]]))
        else:
            found[name] = _number(kind, reader.take(size))
    return found


def _number(kind: str, data: bytes) -> Any:
    if kind == "f":
        value = struct.unpack("<f" if len(data) == 4 else "<d", data)[0] if len(data) in {4, 8} else 0.0
        return value if math.isfinite(value) else str(value)
    return int.from_bytes(data, "little", signed=kind == "i")
