"""What detection knows of a flow, of hosts and of thresholds, as data that another engine can go on with."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from appliance.detect.state import FlowDetect
from appliance.detect.threshold import Counter
from appliance.flow.fields import Field, Flag, Hex, Int, Text

if TYPE_CHECKING:
    from appliance.detect.detector import Detector
    from appliance.detect.state import StreamTail

_INT63 = (1 << 63) - 1
_COUNT = Int(0, _INT63)
_ADDRESS = Hex((4, 16))
_NAME = Text(256)
_MOST_HITS = 1024
_MOST_TAIL = 1 << 20
_MOST_BITS = 64
_TAIL: dict[str, Field] = {"base": _COUNT, "fresh": _COUNT, "lost": _COUNT, "seen_end": Flag()}
_FLOW: dict[str, Field] = {"ended": Flag(), "established": Flag(), "inspected": Flag()}
_COUNTER: dict[str, Field] = {"start": _COUNT, "count": _COUNT, "next": _COUNT, "action_until": _COUNT}


def text_of(data: bytes) -> str:
    """Write bytes as text (base64)."""
    return base64.b64encode(data).decode("ascii")


def bytes_of(text: object, most: int) -> bytes | None:
    """Read what :func:`text_of` wrote; None when it is not that, or more than ``most`` bytes."""
    if not isinstance(text, str) or len(text) > most * 4 // 3 + 4:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) <= most else None


def read_fields(value: object, fields: dict[str, Field], data: object) -> bool:
    """Set fields of ``value`` from data; tells whether each was there and right."""
    if not isinstance(data, dict):
        return False
    for name, field in fields.items():
        if name not in data or not field.fits(data[name]):
            return False
    for name, field in fields.items():
        setattr(value, name, field.unpack(data[name]))
    return True


def write_fields(value: object, fields: dict[str, Field]) -> dict[str, Any]:
    """Give fields of ``value`` as data."""
    return {name: field.pack(getattr(value, name)) for name, field in fields.items()}


def dump_flow(detector: Detector, state: FlowDetect) -> dict[str, Any]:
    """Give the state of a flow: the tails that a signature may span, and what has matched."""
    data = write_fields(state, _FLOW)
    data["recognised"] = [bool(state.recognised & 1), bool(state.recognised & 2)]
    data["tails"] = [_dump_tail(detector, state, tail) for tail in state.tails]
    return data


def _dump_tail(detector: Detector, state: FlowDetect, tail: StreamTail) -> dict[str, Any]:
    kept = bytes(tail.data[-max(detector.settings.window, tail.end - tail.fresh) :]) if tail.data else b""
    data = write_fields(tail, _TAIL)
    data["base"] = tail.end - len(kept)
    data["data"] = text_of(kept)
    rules = state.names.rules if state.names is not None else []
    hits = [(rules[index], end) for index, end in (tail.hits or {}).items() if index < len(rules)]
    data["hits"] = [[*rule[:3], end] for rule, end in hits[:_MOST_HITS]]
    return data


def restore_flow(detector: Detector, data: object) -> FlowDetect | None:
    """Make the state that :func:`dump_flow` gave; None when it is not that in every field."""
    state = FlowDetect()
    state.names = detector.names
    if not isinstance(data, dict) or not read_fields(state, _FLOW, data):
        return None
    told, tails = data.get("recognised"), data.get("tails")
    if not (isinstance(told, list) and len(told) == 2 and all(isinstance(one, bool) for one in told)):
        return None
    if not (isinstance(tails, list) and len(tails) == 2):
        return None
    state.recognised = told[0] | told[1] << 1
    both = zip(state.tails, tails, strict=True)
    return state if all(_restore_tail(detector, tail, one) for tail, one in both) else None


def _restore_tail(detector: Detector, tail: StreamTail, data: object) -> bool:
    if not isinstance(data, dict) or not read_fields(tail, _TAIL, data):
        return False
    kept, hits = bytes_of(data.get("data"), _MOST_TAIL), data.get("hits")
    if kept is None or not isinstance(hits, list) or len(hits) > _MOST_HITS:
        return False
    if not tail.base <= tail.fresh <= tail.base + len(kept):
        return False
    tail.data = bytearray(kept)
    for hit in hits:
        if not isinstance(hit, list) or len(hit) != 4 or not all(_COUNT.fits(part) for part in hit):
            return False
        index = detector.names.numbered.get(tuple(hit[:3]))
        if index is not None:
            tail.hits = tail.hits or {}
            tail.hits[index] = hit[3]
    return True


def dump_hosts(detector: Detector, wanted: frozenset[bytes] | None) -> list[list[Any]]:
    """Give the bits of hosts and of pairs, of ``wanted`` addresses (None is all): key and end by name."""
    found = []
    for key, names in list(detector.ruleset.world.hosts.items()):
        if wanted is None or _concerns(key, wanted):
            found.append([key.hex(), {name: until for name, until in names.items() if len(name) <= 256}])
    return found


def _concerns(key: bytes, wanted: frozenset[bytes]) -> bool:
    size = {5: 4, 7: 4, 9: 4, 11: 4}.get(len(key), 16)
    return key[1 : 1 + size] in wanted or (key[:1] == b"p" and key[1 + size : 1 + 2 * size] in wanted)


def restore_hosts(detector: Detector, entry: object, now: int, zone: int | None) -> bool:
    """Set the bits of one entry; ``zone`` is the segment's number here, None where it stays."""
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], dict):
        return False
    field = Hex((5, 17, 9, 33, 7, 19, 11, 35))
    if not field.fits(entry[0]) or len(entry[1]) > _MOST_BITS:
        return False
    key = field.unpack(entry[0])
    if zone is not None:
        key = key[: len(key) - (len(key) % 4 == 3) * 2] + (zone.to_bytes(2, "big") if zone else b"")
    for name, until in entry[1].items():
        if not _NAME.fits(name) or not _COUNT.fits(until):
            return False
        if until > now:
            detector.ruleset.world.hosts.set(key, name, now, until)
    return True


def dump_thresholds(detector: Detector, wanted: frozenset[bytes] | None, flows: frozenset[int]) -> list[Any]:
    """Give counters of thresholds: of all, or of ``wanted`` addresses and ``flows``."""
    found = []
    for (gid, sid, kind, track, tracked), counter in list(detector.thresholds.table.counters.items()):
        where, zone = tracked, -1
        if isinstance(tracked, tuple) and len(tracked) == 2 and isinstance(tracked[1], int):
            where, zone = tracked
        parts = where if isinstance(where, tuple) else () if where is None else (where,)
        if wanted is not None and not any(part in wanted or part in flows for part in parts):
            continue
        packed = [part.hex() if isinstance(part, bytes) else part for part in parts]
        found.append([gid, sid, kind, track, packed, zone, write_fields(counter, _COUNTER)])
    return found


def restore_threshold(detector: Detector, entry: object, now: int, zone: int | None) -> bool:
    """Set one counter, if its rule is there."""
    if not isinstance(entry, list) or len(entry) != 7:
        return False
    gid, sid, kind, track, packed, segment, values = entry
    counter = Counter(now)
    if not (_COUNT.fits(gid) and _COUNT.fits(sid) and _NAME.fits(kind) and _NAME.fits(track)):
        return False
    if not Int(-1, 65_535).fits(segment) or not isinstance(packed, list) or len(packed) > 2:
        return False
    if not all(_ADDRESS.fits(part) or _COUNT.fits(part) for part in packed):
        return False
    if not read_fields(counter, _COUNTER, values):
        return False
    parts = tuple(bytes.fromhex(part) if isinstance(part, str) else part for part in packed)
    where: Any = None if not parts else parts[0] if len(parts) == 1 else parts
    segment = segment if zone is None else zone or -1
    key = (gid, sid, kind, track, where if segment < 0 else (where, segment))
    detector.thresholds.table.put(key, counter)
    return True
