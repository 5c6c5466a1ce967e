"""Which hosts there are, as their heartbeats say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from appliance.handoff.codec import read_object
from appliance.handoff.store import HOST, is_count

VERSION = 1
EVERY = 4.0  # seconds between two heartbeats
SILENT = 15.0  # seconds after which a host counts as gone
MAX_PEERS = 1024
MAX_BEAT = 4 << 10
_TEXTS = ("version", "instance")
_NUMBERS = ("epoch", "owned", "present", "bundle", "started")


@dataclass(frozen=True, slots=True)
class Beat:
    """What a host says of itself. ``instance`` tells installations of the same name apart."""

    host: str
    facts: dict[str, Any]

    @property
    def instance(self) -> str:
        """Name the installation."""
        return str(self.facts["instance"])

    def pack(self) -> bytes:
        """Write the heartbeat."""
        return json.dumps({"v": VERSION, "host": self.host, **self.facts}, separators=(",", ":")).encode()


def read_beat(data: bytes) -> Beat | None:
    """Read what :meth:`Beat.pack` wrote; None where anything is odd."""
    found = read_object(data, MAX_BEAT)
    if found is None or found.get("v") != VERSION or not isinstance(found.get("host"), str):
        return None
    texts = all(isinstance(found.get(name), str) and len(found[name]) <= 64 for name in _TEXTS)
    if not texts or not HOST.fullmatch(found["host"]) or not all(is_count(found.get(n)) for n in _NUMBERS):
        return None
    return Beat(found["host"], {name: found[name] for name in (*_TEXTS, *_NUMBERS)})


class Peers:
    """The hosts that were heard of."""

    def __init__(self) -> None:
        """Know nobody."""
        self._beats: dict[str, tuple[Beat, int, float]] = {}

    def heard(self, beat: Beat, revision: int, now: float) -> bool:
        """Take a heartbeat; False for an old one, or when there are too many hosts."""
        known = self._beats.get(beat.host)
        if known is not None and revision <= known[1] and now - known[2] < SILENT:
            return False
        if known is None and len(self._beats) >= MAX_PEERS:
            return False
        self._beats[beat.host] = (beat, revision, now)
        return True

    def alive(self, host: str, now: float) -> bool:
        """Tell whether a host was heard of lately."""
        known = self._beats.get(host)
        return known is not None and now - known[2] < SILENT

    def listed(self, now: float) -> list[dict[str, Any]]:
        """Give all hosts by name, as plain values; ``ago`` is in seconds."""
        return [
            {"host": host, "ago": round(now - at, 1), "alive": now - at < SILENT, **beat.facts}
            for host, (beat, _, at) in sorted(self._beats.items())
        ]
