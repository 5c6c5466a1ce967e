"""What the supervisor does to move an interface's state: out of all workers and the kernel, and into them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from appliance.daemon.live.channel import Message
from appliance.daemon.live.crew import Crew
from appliance.daemon.live.moves import Identity, read_slices
from appliance.engine.export import SLICE, VERSION
from appliance.handoff import codec
from appliance.handoff.codec import KERNEL, Entry
from appliance.kernel import ctmove
from appliance.kernel.base import KernelError
from appliance.kernel.conntrack import Inserted, insert, moving
from appliance.model.flow import F_ADOPTED

_PATIENCE = 30.0  # seconds for workers to write down or take in an interface
_MOST_KERNEL = 100_000


class CarryError(Exception):
    """State could not be taken out or put in; the message says why."""


@dataclass(slots=True)
class Carried:
    """What arrived: flows taken in by the engines, the kernel's connections, and what was refused."""

    flows: int = 0
    connections: int = 0
    refused: int = 0


class Carrier:
    """Moves state between workers, kernel and lists of entries. ``here`` names who is on this host."""

    def __init__(self, crew: Crew, here: Callable[[], Iterable[Identity]]) -> None:
        """Speak to the queue workers of ``crew``."""
        self._crew = crew
        self._here = here

    async def collect(self, identity: Identity, zone: int) -> list[Entry]:
        """Give all there is of an interface; it goes on living here.

        Raises:
            CarryError: a worker has not answered. Nothing is lost by that.
        """
        uuid, name = identity
        with _memory_files(len(self._crew.queue_posts())) as fds:
            answers = await self._crew.ask(
                {"do": "export", "uuid": uuid, "name": name}, fds, _PATIENCE, self._crew.queue_posts()
            )
            self._check(answers)
            entries = await asyncio.to_thread(_read_all, fds)
        connections = await asyncio.to_thread(_connections, identity, zone, entries)
        return entries + [(KERNEL, one.pack()) for one in connections]

    async def put(self, identity: Identity, zone: int, entries: Sequence[Entry]) -> Carried:
        """Take in what was collected elsewhere. Taking it in twice does no harm.

        Raises:
            CarryError: a worker has not answered, or the kernel refuses.
        """
        here = [list(one) for one in {identity, *self._here()}]
        with _memory_files(1) as fds:
            await asyncio.to_thread(_write_all, fds[0], entries)
            order = {"do": "import", "zone": zone, "here": here}
            answers = await self._crew.ask(order, fds, _PATIENCE, self._crew.queue_posts())
        self._check(answers)
        try:
            made = await asyncio.to_thread(_insert, entries, zone)
        except KernelError as error:
            raise CarryError(str(error)) from error
        counts = [answer.get("counts", {}) for answer in answers]
        flows = max((int(one.get("flows", 0)) for one in counts), default=0)
        refused = max((int(one.get("refused", 0)) for one in counts), default=0)
        return Carried(flows, made.made + made.known, refused + made.refused)

    async def forget(self, identity: Identity) -> None:
        """Let go of what has moved to another host; a worker that does not hear of it lets it time out."""
        here = [list(one) for one in self._here() if one != identity]
        order = {"do": "forget", "uuid": identity[0], "name": identity[1], "here": here}
        await self._crew.ask(order, (), _PATIENCE, self._crew.queue_posts())

    def _check(self, answers: list[Message]) -> None:
        missing = len(self._crew.queue_posts()) - len(answers)
        errors = [str(answer["error"]) for answer in answers if answer.get("error")]
        if missing:
            errors.append(f"{missing} workers have not answered")
        if errors:
            raise CarryError("; ".join(errors))


@contextmanager
def _memory_files(count: int) -> Iterator[list[int]]:
    with ExitStack() as stack:
        fds = []
        for _ in range(count):
            fds.append(os.memfd_create("eastwall-move"))
            stack.callback(os.close, fds[-1])
        yield fds


def _read_all(fds: list[int]) -> list[Entry]:
    try:
        return codec.merge((part for fd in fds for part in read_slices(fd)), F_ADOPTED)
    except (ValueError, KeyError, TypeError) as error:
        raise CarryError(f"a worker has written what cannot be read: {error}") from error


def _write_all(fd: int, entries: Sequence[Entry]) -> None:
    with os.fdopen(os.dup(fd), "wb") as file:
        for part in codec.slices(entries, VERSION, SLICE):
            file.write(json.dumps(part, separators=(",", ":")).encode() + b"\n")


def _connections(identity: Identity, zone: int, entries: list[Entry]) -> list[ctmove.Entry]:
    try:
        return moving(zone, _addresses(identity, entries), _MOST_KERNEL) if zone else []
    except KernelError as error:
        raise CarryError(str(error)) from error


def _addresses(identity: Identity, entries: list[Entry]) -> set[bytes]:
    """Give the addresses that an interface has in its flows."""
    found = set()
    for kind, entry in entries:
        for end in ("client", "server") if kind == "flows" else ():
            flow: dict[str, Any] = entry["flow"]
            if tuple(flow[f"{end}_if"]) == identity:
                found.add(bytes.fromhex(flow[end]))
    return found


def _insert(entries: Sequence[Entry], zone: int) -> Inserted:
    read = [ctmove.unpack(entry) for kind, entry in entries if kind == KERNEL]
    done = insert([one for one in read if one is not None][:_MOST_KERNEL], zone)
    done.refused += read.count(None)
    return done
