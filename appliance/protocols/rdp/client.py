"""What a client tells of itself when it connects: MCS Connect Initial (MS-RDPBCGR section 2.2.1.3)."""

from __future__ import annotations

from typing import Any

from appliance.protocols import ber
from appliance.protocols.rdp import names

CONNECT_INITIAL, CONNECT_RESPONSE = b"\x7f\x65", b"\x7f\x66"

_CORE, _NET = 0xC001, 0xC003
_USER_DATA = 6  # place among the fields of Connect-Initial (T.125)
_CREATE = b"\x00\x05\x00\x14\x7c\x00\x01"  # ConnectData of T.124 with its object identifier
_HEADER = b"\x00\x08\x00\x10\x00\x01\xc0\x00"  # ConferenceCreateRequest with one block of user data
_KEY = b"Duca"
_CHANNEL = 12
_MAX_CHANNELS = 31
_MAX_BLOCKS = 64
_NAME, _IME, _PRODUCT = (20, 32), (64, 64), (142, 64)  # offset and bytes of the texts in the core data
_LEAST_CORE = 128


def parse(body: bytes) -> dict[str, Any] | None:
    """Read the content of Connect-Initial into the parts of the record, None when it is malformed."""
    start, length = _length(body)
    fields, _ = ber.elements(body[start : start + length], _USER_DATA + 1)
    if not start or len(fields) <= _USER_DATA or fields[_USER_DATA].tag != ber.OCTETS:
        return None
    blocks = _blocks(fields[_USER_DATA].body)
    if blocks is None:
        return None
    found: dict[str, Any] = {}
    for kind, data in blocks:
        if kind == _CORE and "client" not in found and len(data) >= _LEAST_CORE:
            found["client"] = _core(data)
        elif kind == _NET and "channels" not in found:
            channels = _channels(data)
            if channels:
                found["channels"] = channels
    return found


def _length(body: bytes) -> tuple[int, int]:
    """Read a length of BER: offset behind it and length; 0 and 0 when it is none."""
    whole = ber.size(b"\x30" + body[:6])
    if whole <= 0:
        return 0, 0
    start = 1 + (body[0] & 0x7F if body[0] & 0x80 else 0)
    return start, whole - 1 - start


def _blocks(body: bytes) -> list[tuple[int, bytes]] | None:
    """Take apart the user data of a conference request: (type, content) of each block."""
    at = _packed(body, len(_CREATE)) if body.startswith(_CREATE) else 0
    if not at or not body.startswith(_HEADER + _KEY, at):
        return None
    at = _packed(body, at + len(_HEADER) + len(_KEY))
    found: list[tuple[int, bytes]] = []
    while at and at + 4 <= len(body) and len(found) < _MAX_BLOCKS:
        length = int.from_bytes(body[at + 2 : at + 4], "little")
        if length < 4 or at + length > len(body):
            break
        found.append((int.from_bytes(body[at : at + 2], "little"), body[at + 4 : at + length]))
        at += length
    return found


def _packed(body: bytes, at: int) -> int:
    """Give the offset behind a length of packed encoding (X.691), 0 when there is none."""
    if at >= len(body):
        return 0
    return at + (2 if body[at] & 0x80 else 1)


def _channels(data: bytes) -> list[str]:
    """Read the names of virtual channels (section 2.2.1.3.4)."""
    count = min(int.from_bytes(data[:4], "little"), _MAX_CHANNELS, (len(data) - 4) // _CHANNEL)
    places = range(4, 4 + count * _CHANNEL, _CHANNEL)
    texts = (data[at : at + 8].split(b"\0", 1)[0].decode("ascii", "backslashreplace") for at in places)
    return [text for text in texts if text]


def _wide(data: bytes, place: tuple[int, int]) -> str:
    """Read a text of two-byte characters up to its zero."""
    raw = data[place[0] : place[0] + place[1]]
    text = raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace")
    return text.split("\0", 1)[0]


def _number(data: bytes, at: int, size: int) -> int | None:
    """Read a field, None when the data ends before it: the later ones are optional."""
    return int.from_bytes(data[at : at + size], "little") if at + size <= len(data) else None


def _core(data: bytes) -> dict[str, Any]:
    """Read the client's core data (section 2.2.1.3.2)."""
    found: dict[str, Any] = {
        "version": names.VERSIONS.get(_number(data, 0, 4) or 0, "unknown"),
        "desktop_width": _number(data, 4, 2),
        "desktop_height": _number(data, 6, 2),
    }
    depth = _depth(data)
    if depth is not None:
        found["color_depth"] = depth
    found["keyboard_layout"] = names.layout(_number(data, 12, 4) or 0)
    found["build"] = names.BUILDS.get(_number(data, 16, 4) or 0, "unknown")
    optional = {
        "client_name": _wide(data, _NAME),
        "keyboard_type": names.KEYBOARDS.get(_number(data, 52, 4) or 0),
        "keyboard_subtype": _number(data, 56, 4),
        "function_keys": _number(data, 60, 4),
        "ime": _wide(data, _IME),
        "product_id": _number(data, 130, 2),
        "serial_number": _number(data, 132, 4),
        "capabilities": _capabilities(data),
        "id": _wide(data, _PRODUCT),
        "connection_hint": _connection(data),
        "physical_width": _number(data, 212, 4),
        "physical_height": _number(data, 216, 4),
        "desktop_orientation": _number(data, 220, 2),
        "scale_factor": _number(data, 222, 4),
        "device_scale_factor": _number(data, 226, 4),
    }
    found.update((key, value) for key, value in optional.items() if value)
    return found


def _flags(data: bytes) -> int:
    return _number(data, 140, 2) or 0


def _depth(data: bytes) -> int | None:
    """Find the depth of colours; the newer the field, the more it counts."""
    if _flags(data) & names.WANT_32BPP:
        return 32
    high = _number(data, 136, 2)
    if high in names.HIGH_DEPTHS:
        return high
    older = (_number(data, at, 2) or 0 for at in (128, 8))
    return next((names.DEPTHS[value] for value in older if value in names.DEPTHS), None)


def _capabilities(data: bytes) -> list[str]:
    return [name for bit, name in names.CAPABILITIES if _flags(data) & bit]


def _connection(data: bytes) -> str | None:
    if not _flags(data) & names.VALID_CONNECTION:
        return None
    return names.CONNECTIONS.get(_number(data, 206, 1) or 0)
