"""Interfaces that leave this host or come to it: who may pass anything when, and what goes along.

An interface that is given away passes nothing here from before its state is written down. One that is
expected passes nothing until its state was taken in, under the policies of here. What is closed outlives a
restart, so that no interface passes on two hosts because one of them was started anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.daemon.live.announce import announce
from appliance.daemon.live.carrying import Carried, Carrier, CarryError
from appliance.daemon.live.moves import Identity
from appliance.daemon.live.places import Places, identity_of
from appliance.handoff.codec import Entry, Header, Packed, pack
from appliance.inventory.ports import Port

_FILE = "handoff.json"
_HISTORY = 100
_MOST_EXPECTED = 4096
_EXPECTED_FOR = 120.0  # seconds after which state is too old to go on with

Note = Callable[..., None]


@dataclass(slots=True)
class Host:
    """What moving needs of the supervisor: its name, and ways to have things looked at anew."""

    name: str
    place: Callable[[], Awaitable[None]]
    hold: Callable[[str], Awaitable[None]]
    held: Callable[[], Iterable[str]]
    note: Note


@dataclass(slots=True)
class Expected:
    """State that has arrived before its interface."""

    header: Header
    entries: list[Entry]
    until: float


@dataclass(slots=True)
class Tally:
    """What came of moves, for status and metrics."""

    done: int = 0
    failed: int = 0
    given: int = 0
    flows: int = 0
    connections: int = 0
    lost: int = 0
    seconds: float = 0.0
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_HISTORY))


class Handover:
    """Closes and opens interfaces as they move. All methods belong to the supervisor's loop."""

    def __init__(self, folder: Path, host: Host) -> None:
        """Read from ``folder`` what was closed. A file that makes no sense is an error.

        Raises:
            ValueError: the file is there and makes no sense.
        """
        self._path = folder / _FILE
        self._host = host
        self.carrier: Carrier | None = None
        self.located: dict[Identity, Port] = {}
        self.closed: set[Identity] = set(_read(self._path))
        self.expected: dict[Identity, Expected] = {}
        self.tally = Tally()
        # Who of those found here may not pass as far as other hosts are concerned; see ownership.py.
        self.warden: Callable[[dict[Identity, Port]], set[Identity]] = lambda _: set()
        self._uplinks: list[Port] = []
        self._arrived: asyncio.Queue[Identity] = asyncio.Queue()
        self._adopting: set[Identity] = set()

    def here(self) -> list[Identity]:
        """Name the interfaces that are plugged in on this host."""
        return list(self.located)

    def admit(self, places: Places) -> Places:
        """Give the places with what may not pass left out; note who has come and gone."""
        found = {identity_of(port): port for port in places.ports.ports if port.interface is not None}
        gone = (self.located.keys() - found.keys()) & self.closed
        self.located = found
        self._uplinks = [port for port in places.ports.ports if port.uplink]
        if gone:
            self._close(self.closed - gone)
        for identity in self.expected.keys() & found.keys() - self._adopting:
            self._adopting.add(identity)
            self._arrived.put_nowait(identity)
        return places.without(self.closed | self.expected.keys() | self._adopting | self.warden(found))

    async def run(self) -> None:
        """Take in the state of interfaces that have arrived, one after the other, until cancelled."""
        while True:
            identity = await self._arrived.get()
            try:
                await self._adopt(identity)
            finally:
                self._adopting.discard(identity)
            await self._host.place()
            self.announce(identity)

    def announce(self, identity: Identity) -> None:
        """Tell switches that an interface which has moved passes here now."""
        port = self.located.get(identity)
        if port is not None and port.interface is not None:
            announce(port.interface.mac, [one.name for one in self._uplinks if one.bridge == port.bridge])

    def tick(self, now: float) -> None:
        """Give up state whose interface has not come."""
        for identity, one in list(self.expected.items()):
            if now >= one.until and identity not in self._adopting:
                del self.expected[identity]
                self.fail(one.header, "its interface has not appeared")

    async def _adopt(self, identity: Identity) -> None:
        """Take in state; whatever fails, the policy is in force.

        Everything is judged anew when the interface is let in, as with every one that arrives.
        """
        one, port, begun = self.expected.get(identity), self.located.get(identity), time.monotonic()
        if one is None or port is None:
            return
        carried, problem = await self.take_in(one.header, port.zone, one.entries)
        if one.header.held and identity[0] not in self._host.held():
            await self._host.hold(identity[0])
        self.expected.pop(identity, None)
        if problem:
            self.fail(one.header, problem)
        else:
            self.done(one.header, carried, time.monotonic() - begun)

    async def take_in(self, header: Header, zone: int, entries: Sequence[Entry]) -> tuple[Carried, str]:
        """Have workers and kernel take state in; gives what came of it, and what went wrong."""
        try:
            return await self._carrier().put((header.uuid, header.name), zone, entries), ""
        except CarryError as error:
            return Carried(), str(error)

    def _carrier(self) -> Carrier:
        if self.carrier is None:
            raise CarryError("nothing runs yet")
        return self.carrier

    def expect(self, header: Header, entries: list[Entry]) -> None:
        """Hold an interface back until what came for it was taken in; :meth:`admit` has to be called next.

        Raises:
            CarryError: too many are expected already.
        """
        if len(self.expected) >= _MOST_EXPECTED:
            raise CarryError("too many interfaces are expected")
        identity = (header.uuid, header.name)
        self.expected[identity] = Expected(header, entries, time.monotonic() + _EXPECTED_FOR)
        self._close(self.closed - {identity})

    async def give(self, identity: Identity, revision: int = 0) -> tuple[Header, Packed]:
        """Close an interface and give its state. It stays closed here until it is opened or unplugged.

        Raises:
            CarryError: it is not here, or a worker did not answer; then it goes on here.
        """
        port = self.located.get(identity)
        if port is None:
            raise CarryError("the interface is not plugged in here")
        self._close(self.closed | {identity})
        await self._host.place()
        try:
            entries = await self._carrier().collect(identity, port.zone)
        except CarryError:
            await self.open(identity)
            raise
        packed = await asyncio.to_thread(pack, entries)
        self.tally.given += 1
        return self.header(identity, packed, revision, final=True), packed

    def header(self, identity: Identity, packed: Packed, revision: int, *, final: bool) -> Header:
        """Describe what was written down of an interface."""
        return Header(
            ident=uuid.uuid4().hex,
            host=self._host.name,
            uuid=identity[0],
            name=identity[1],
            final=final,
            revision=revision,
            held=identity[0] in self._host.held(),
            at=time.time_ns(),
            entries=packed.entries,
            lost=packed.lost,
            size=len(packed.body),
            digest=packed.digest,
        )

    async def given(self, identity: Identity) -> None:
        """Let go of the flows of an interface whose state is safe elsewhere."""
        await self._carrier().forget(identity)

    async def open(self, identity: Identity) -> bool:
        """Let an interface pass here again that was closed; tells whether it was."""
        if identity not in self.closed:
            return False
        self._close(self.closed - {identity})
        await self._host.place()
        return True

    def _close(self, closed: set[Identity]) -> None:
        if closed == self.closed:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(sorted(closed)))
        beside.replace(self._path)
        self.closed = closed

    def done(self, header: Header, carried: Carried, took: float) -> None:
        """Count and tell that state was taken in, within ``took`` seconds."""
        lost = header.lost + carried.refused
        self.tally.done += 1
        self.tally.flows += carried.flows
        self.tally.connections += carried.connections
        self.tally.lost += lost
        self.tally.seconds += took
        details = {"flows": carried.flows, "connections": carried.connections, "lost": lost}
        self._tell("handoff.done", header, took=round(took, 3), **details)

    def fail(self, header: Header, why: str) -> None:
        """Count and tell that an interface goes on without its state."""
        self.tally.failed += 1
        self._tell("handoff.failed", header, why=why)

    def _tell(self, name: str, header: Header, **details: Any) -> None:
        about = {"uuid": header.uuid, "interface": header.name, "source": header.host}
        self.tally.history.append({"event": name, "at": time.time_ns(), **about, **details})
        self._host.note(name, **about, **details)

    def status(self) -> dict[str, Any]:
        """Describe what is closed, expected and done, as plain values."""
        tally = self.tally
        return {
            "closed": [list(one) for one in sorted(self.closed)],
            "expected": [list(one) for one in sorted(self.expected)],
            "adopting": [list(one) for one in sorted(self._adopting)],
            "counts": {
                name: getattr(tally, name)
                for name in ("done", "failed", "given", "flows", "connections", "lost", "seconds")
            },
            "history": list(tally.history),
        }


def _read(path: Path) -> list[Identity]:
    if not path.exists():
        return []
    data = json.loads(path.read_text())
    if not isinstance(data, list) or not all(_is_identity(one) for one in data):
        raise ValueError(f"{path}: not a list of interfaces")
    return [(uuid_, name) for uuid_, name in data]


def _is_identity(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
