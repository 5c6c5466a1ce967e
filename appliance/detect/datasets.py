"""Sets of values that rules look up and add to: ``dataset`` and ``datarep``."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from typing import TYPE_CHECKING, Any

from appliance.detect.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.detect.resources import Resources
    from appliance.rulelang.tree import Datarep, Dataset

# Values of one set, and bytes of one value, that are kept.
VALUE_LIMIT = 1_000_000
LENGTH_LIMIT = 4096
# Labels of a domain that are taken off in search of one above it.
LABEL_LIMIT = 256
_HASHES = {"md5": 16, "sha256": 32}


class ValueSet:
    """One named set: values in the form in which the buffer has them, each with a number or context."""

    __slots__ = ("changed", "kind", "name", "refused", "save", "touched", "values")

    def __init__(self, name: str, kind: str) -> None:
        """Make an empty set of ``kind``: string, md5, sha256, ip, ipv4 or ipv6."""
        self.name = name
        self.kind = kind
        self.save = ""  # file that keeps it between runs
        self.changed = False
        self.touched = False  # by rules, and not only loaded
        self.values: dict[bytes, Any] = {}
        self.refused = 0

    def key(self, data: bytes) -> bytes | None:
        """Bring a buffer to the form of the set; None when it cannot be in it."""
        if self.kind in _HASHES:
            return data if len(data) == _HASHES[self.kind] else None
        if self.kind == "ipv4":
            return data if len(data) == 4 else None
        if self.kind in {"ip", "ipv6"}:
            return b"\0" * 10 + b"\xff\xff" + data if len(data) == 4 else data if len(data) == 16 else None
        return data if len(data) <= LENGTH_LIMIT else None

    def add(self, data: bytes, value: Any = 0) -> bool:
        """Add a value; False when it was there, is not possible or the set is full."""
        key = self.key(data)
        if key is None or key in self.values:
            return False
        if len(self.values) >= VALUE_LIMIT:
            self.refused += 1
            return False
        self.values[key] = value
        self.changed = self.touched = True
        return True

    def remove(self, data: bytes) -> bool:
        """Remove a value; False when it was not there."""
        key = self.key(data)
        removed = key is not None and self.values.pop(key, self) is not self
        self.changed = self.changed or removed
        self.touched = self.touched or removed
        return removed

    def find(self, data: bytes) -> Any:
        """Give the number or context of a value, None when it is not in the set."""
        key = self.key(data)
        return self.values.get(key) if key is not None else None

    def above(self, data: bytes) -> Any:
        """Give the number or context of a domain, or of one above it; both with a dot before or without."""
        rest = data
        for _ in range(LABEL_LIMIT):
            found = self.find(rest)
            if found is not None:
                return found
            rest = rest[1:] if rest.startswith(b".") else rest[max(rest.find(b"."), 0) :]
            if not rest.strip(b".") or (rest == data and b"." not in rest):
                return None
        return None

    def written(self) -> str:
        """Give the content of the file that keeps this set: one encoded value in each line."""
        return "".join(f"{_WRITERS[self.kind](value)}\n" for value in self.values)


class Datasets:
    """All sets by name, loaded when a rule first names them."""

    def __init__(self, resources: Resources) -> None:
        """Read files through ``resources``."""
        self._resources = resources
        self.sets: dict[str, ValueSet] = {}

    def declare(self, name: str, kind: str, load: str, save: str = "") -> ValueSet:
        """Make a set from the settings and load it; an unreadable file leaves it empty."""
        made = self.sets[name] = ValueSet(name, kind)
        for line in (self._resources.text(load) or "").splitlines() if load else ():
            _add_line(made, line, False)
        made.save, made.changed, made.touched = save, False, False
        return made

    def of(self, node: Dataset | Datarep) -> ValueSet:
        """Give the set that a rule names.

        Raises:
            RefusedError: it has no type, another type, or its file cannot be read.
        """
        known = self.sets.get(node.name)
        if known is not None:
            if node.type and node.type != known.kind:
                raise RefusedError("dataset", f"{node.name} is of type {known.kind}", node.position)
            return known
        if not node.type:
            raise RefusedError("dataset", f"{node.name} is not declared and has no type", node.position)
        made = ValueSet(node.name, node.type)
        made.save = getattr(node, "save", "")
        if node.load:
            self._load(made, node)
        made.changed = made.touched = False
        self.sets[node.name] = made
        return made

    def adopt(self, old: Datasets) -> None:
        """Take over what rules have changed in sets of the same name and kind."""
        for name, before in old.sets.items():
            now = self.sets.get(name)
            if now is None or now.kind != before.kind or not before.touched:
                continue
            now.values = before.values
            now.changed, now.touched = before.changed, True

    def to_save(self) -> list[tuple[str, str]]:
        """Give (file, content) of the sets to be kept that changed; they then count as saved."""
        found = [(one.save, one.written()) for one in self.sets.values() if one.changed and one.save]
        for one in self.sets.values():
            one.changed = False
        return found

    def _load(self, made: ValueSet, node: Dataset | Datarep) -> None:
        """Fill a set from its file."""
        text = self._resources.text(node.load)
        if text is None and made.save == node.load:
            return  # the first run: there is no state yet
        if text is None:
            raise RefusedError("dataset", f"cannot read {node.load}", node.position)
        form = getattr(node, "format", "csv")
        if form == "csv":
            reputation = not hasattr(node, "command")
            for line in text.splitlines():
                _add_line(made, line, reputation)
            return
        try:
            _add_json(made, node, text)
        except (ValueError, TypeError, KeyError) as error:
            raise RefusedError("dataset", f"{node.load}: {error}", node.position) from error


def _add_line(made: ValueSet, line: str, reputation: bool) -> None:
    """Add one line: the encoded value, for reputations a comma and a number; bad lines are left."""
    text, _, number = line.strip().partition(",")
    if not text or (text.startswith("#") and made.kind != "string"):
        return
    value = encode(made.kind, text)
    score = number.strip()
    if value is not None and (score.isdigit() or not reputation):
        made.add(value, int(score) if reputation else 0)


def _add_json(made: ValueSet, node: Any, text: str) -> None:
    """Add objects of a JSON array (perhaps below a key) or of one line each."""
    if node.format == "ndjson":
        entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    else:
        entries = json.loads(text)
        for key in node.array_key.split(".") if node.array_key else ():
            entries = entries[key]
    path = node.value_key.split(".")
    for entry in entries:
        value = _at(entry, path)
        if not isinstance(value, str | int | float):
            continue  # an object without the value is of no use, and does not spoil the others
        text = str(value)
        raw = text.encode() if made.kind == "string" else encode(made.kind, text)
        if raw is not None:
            made.add(raw, _without(entry, path) if node.remove_key else entry)


def _at(entry: Any, path: list[str]) -> Any:
    """Give what stands at a path of keys, None when it leads nowhere."""
    for key in path:
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry


def _without(entry: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """Copy an object but for what stands at a path of keys; keys that are missing change nothing."""
    first, *rest = path
    if not rest:
        return {key: value for key, value in entry.items() if key != first}
    below = entry.get(first)
    return {**entry, first: _without(below, rest)} if isinstance(below, dict) else entry


def encode(kind: str, text: str) -> bytes | None:
    """Read one value as files write it: strings in Base64, hashes in hex, addresses as text."""
    coder = _CODERS.get(kind)
    if coder is None:
        return None
    try:
        return coder(text)
    except (ValueError, binascii.Error):
        return None


def _address(text: str) -> bytes:
    return ipaddress.ip_address(text.strip()).packed


def _string(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_CODERS: dict[str, Callable[[str], bytes]] = {
    "string": _string,
    "md5": bytes.fromhex,
    "sha256": bytes.fromhex,
    "ip": _address,
    "ipv4": _address,
    "ipv6": _address,
}
KINDS = frozenset(_CODERS)


def _plain_address(value: bytes) -> str:
    mapped = len(value) == 16 and value.startswith(b"\0" * 10 + b"\xff\xff")
    return str(ipaddress.ip_address(value[12:] if mapped else value))


_WRITERS: dict[str, Callable[[bytes], str]] = {
    "string": lambda value: base64.b64encode(value).decode("ascii"),
    "md5": bytes.hex,
    "sha256": bytes.hex,
    "ip": _plain_address,
    "ipv4": _plain_address,
    "ipv6": _plain_address,
}
