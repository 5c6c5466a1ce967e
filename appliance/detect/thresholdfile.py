"""The threshold file: ``suppress``, ``threshold``, ``event_filter`` and ``rate_filter`` lines."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from appliance.rulelang.tree import AddressSet, Position, Threshold

_KINDS = frozenset(("limit", "threshold", "both"))
_TRACKS = frozenset(("by_src", "by_dst", "by_both", "by_rule", "by_either", "by_flow"))
_ACTIONS = frozenset(("alert", "drop", "pass", "reject"))


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One line. ``kind`` is suppress, threshold or rate_filter; gid and sid 0 mean all."""

    kind: str
    gid: int
    sid: int
    track: str
    threshold: Threshold
    addresses: AddressSet | None = None
    action: str = ""
    timeout: int = 0


def parse_thresholds(text: str, file: str = "") -> tuple[list[FileEntry], list[str]]:
    """Read the file: entries, and a message for each line that is not understood."""
    entries, errors = [], []
    for number, line in enumerate(_logical_lines(text), 1):
        if not line:
            continue
        try:
            entries.append(_entry(line, Position(file, number)))
        except (ValueError, KeyError) as error:
            errors.append(f"{file}:{number}: {error}")
    return entries, errors


def _logical_lines(text: str) -> list[str]:
    """Join continued lines; comments and blanks leave an empty line, so numbers stay right."""
    lines, held = [], ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.endswith("\\"):
            held += stripped[:-1] + " "
            lines.append("")
            continue
        whole = held + stripped
        lines.append("" if whole.startswith("#") else whole)
        held = ""
    return lines


def _entry(line: str, position: Position) -> FileEntry:
    """Read one line."""
    kind, _, rest = line.partition(" ")
    options = _options(rest)
    if kind not in {"suppress", "threshold", "event_filter", "rate_filter"}:
        raise ValueError(f"unknown command {kind}")
    gid, sid = int(options.get("gen_id", "1")), int(options.get("sig_id", "0"))
    track = options.get("track", "")
    if track and track not in _TRACKS:
        raise ValueError(f"unknown track {track}")
    count, seconds = int(options.get("count", "0")), int(options.get("seconds", "0"))
    if kind == "suppress":
        addresses = _addresses(options["ip"]) if "ip" in options else None
        empty = Threshold("limit", track, 0, 0, position=position)
        return FileEntry("suppress", gid, sid, track, empty, addresses)
    if kind == "rate_filter":
        action = options["new_action"]
        if action not in _ACTIONS:
            raise ValueError(f"unknown action {action}")
        node = Threshold("rate_filter", track, count, seconds, position=position)
        return FileEntry("rate_filter", gid, sid, track, node, None, action, int(options["timeout"]))
    form = options["type"]
    if form not in _KINDS:
        raise ValueError(f"unknown type {form}")
    node = Threshold(form, track, count, seconds, position=position)
    return FileEntry("threshold", gid, sid, track, node)


def _options(text: str) -> dict[str, str]:
    """Split ``name value`` pairs at commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    found = {}
    for part in parts:
        name, _, value = part.strip().partition(" ")
        found[name] = value.strip()
    return found


def _addresses(text: str) -> AddressSet:
    """Read an address, a network, or a list in brackets where ``!`` takes away."""
    words = [word.strip() for word in text.strip("[] ").split(",")]
    wanted = [r for word in words if not word.startswith("!") for r in (_range(word),)]
    without = [_range(word[1:]) for word in words if word.startswith("!")]
    if not wanted:
        wanted = [(4, 0, (1 << 32) - 1), (6, 0, (1 << 128) - 1)]
    for version, low, high in without:
        wanted = [piece for entry in wanted for piece in _cut(entry, version, low, high)]
    return AddressSet(tuple(sorted(wanted)))


def _range(word: str) -> tuple[int, int, int]:
    net = ipaddress.ip_network(word, strict=False)
    return net.version, int(net.network_address), int(net.broadcast_address)


def _cut(entry: tuple[int, int, int], version: int, low: int, high: int) -> list[tuple[int, int, int]]:
    """Take a range away from another."""
    of, first, last = entry
    if of != version or high < first or low > last:
        return [entry]
    pieces = []
    if first < low:
        pieces.append((of, first, low - 1))
    if high < last:
        pieces.append((of, high + 1, last))
    return pieces
