"""What has happened to each machine lately: a bounded ring, kept in a file that outlives a restart."""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance.inventory.events import VmEvent

_FILE, _OLD = "vm-history.jsonl", "vm-history.old.jsonl"
_EACH = 64  # events of one machine
_MACHINES = 20_000  # of which events are kept; the one that was silent for longest is forgotten
_MAX_FILE = 8 << 20  # bytes, after which the file is put aside; there is one older
_MOST = 2 * _MAX_FILE  # bytes of events in memory: what the files give back after a restart
_MAX_LINE = 4096

Entry = dict[str, Any]


class History:
    """Events by machine. Writing them down may fail: then they are forgotten with the next restart."""

    def __init__(self, folder: Path) -> None:
        """Read what was written down."""
        self._path, self._old = folder / _FILE, folder / _OLD
        # Events as JSON, which takes a third of the room, and the name that each machine had last.
        self._events: OrderedDict[str, tuple[str, deque[bytes]]] = OrderedDict()
        self._bytes = 0
        self._unsaved: list[Entry] = []
        for entry in (*_read(self._old), *_read(self._path)):
            self._add(entry)

    def add(self, event: VmEvent) -> None:
        """Take note of an event."""
        entry = describe(event)
        self._add(entry)
        self._unsaved.append(entry)

    def _add(self, entry: Entry) -> None:
        uuid = entry["uuid"]
        _, events = self._events.pop(uuid, ("", deque()))
        events.append(json.dumps(entry, separators=(",", ":")).encode())
        self._events[uuid] = (entry["vm"], events)
        self._bytes += len(events[-1])
        if len(events) > _EACH:
            self._bytes -= len(events.popleft())
        while len(self._events) > _MACHINES or self._bytes > _MOST:
            _, (_, lost) = self._events.popitem(last=False)
            self._bytes -= sum(len(event) for event in lost)

    def of(self, uuid: str) -> list[Entry]:
        """Give the events of a machine, the oldest first."""
        _, events = self._events.get(uuid, ("", ()))
        return [json.loads(event) for event in events]

    def named(self, name: str) -> str:
        """Give the UUID of the machine that had this name last, "" for none: it may be gone."""
        for uuid in reversed(self._events):
            if self._events[uuid][0] == name:
                return uuid
        return ""

    @property
    def unsaved(self) -> bool:
        """Tell whether there is something to be written down."""
        return bool(self._unsaved)

    def take_unsaved(self) -> list[Entry]:
        """Give what :meth:`save` has to write down."""
        unsaved, self._unsaved = self._unsaved, []
        return unsaved

    def save(self, entries: list[Entry]) -> None:
        """Write entries down; may be called in a thread.

        Raises:
            OSError: it did not work.
        """
        if not entries:
            return
        with suppress(FileNotFoundError):
            if self._path.stat().st_size > _MAX_FILE:
                self._path.replace(self._old)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)


def describe(event: VmEvent) -> Entry:
    """Give an event as plain values; what is not known is left out."""
    found: Entry = {
        "at": event.at,
        "event": event.kind.value,
        "uuid": event.uuid,
        "vm": event.name,
        "provider": event.provider,
        "host": event.host,
        "source": event.source,
        "power": event.power.value if event.power is not None else "",
        "changed": list(event.changed),
    }
    if event.here is not None:
        found["here"] = event.here
    return {name: value for name, value in found.items() if value not in ("", [])} | {"vm": event.name}


def _read(path: Path) -> Iterator[Entry]:
    with suppress(OSError), path.open("rb") as file:
        for line in file.read(_MAX_FILE * 2).splitlines():
            with suppress(ValueError, RecursionError):
                entry = json.loads(line) if len(line) <= _MAX_LINE else None
                if isinstance(entry, dict) and all(
                    isinstance(entry.get(k), str) for k in ("uuid", "vm", "event")
                ):
                    yield entry
