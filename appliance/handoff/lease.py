"""A host's heartbeat, which is also its right to its name, and the heartbeats of others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from appliance.handoff.peers import EVERY, Beat, Peers, read_beat
from appliance.handoff.store import StoreError

# What a server sends may have the library raise anything: it takes answers apart as if they were right.
EXPECTED = (Exception,)
_MISSED = 3


class Lease:
    """Writes heartbeats by compare and set, so that two installations of one name find out."""

    def __init__(self, name: str, bucket: KeyValue, peers: Peers, counts: Counter[str]) -> None:
        """Write as ``name`` into ``bucket``."""
        self._name, self._bucket, self._peers, self._counts = name, bucket, peers, counts
        self._revision = 0

    async def take(self, facts: dict[str, Any]) -> None:
        """Make sure that nobody else uses our name.

        Raises:
            StoreError: somebody does.
        """
        value = await self._look()
        beat = read_beat(value)
        if beat is not None and beat.instance != facts["instance"]:
            raise StoreError(self._twice())
        await self._say(facts)

    def _twice(self) -> str:
        return f"another host goes by the name {self._name!r}"

    async def _look(self) -> bytes:
        """Find out which heartbeat is there; empty for none."""
        try:
            entry = await self._bucket.get(self._name)
        except KeyNotFoundError as error:
            self._revision = revision_of(error.entry)
            return b""
        self._revision = revision_of(entry)
        return entry.value or b""

    async def _say(self, facts: dict[str, Any]) -> None:
        data = Beat(self._name, facts).pack()
        try:
            self._revision = await self._bucket.update(self._name, data, last=self._revision)
        except KeyWrongLastSequenceError:
            raise StoreError(self._twice()) from None

    async def keep(self, describe: Callable[[], dict[str, Any]]) -> None:
        """Write heartbeats until cancelled.

        Raises:
            StoreError: another installation has our name.
        """
        missed = 0
        while True:
            await asyncio.sleep(EVERY)
            try:
                if missed:
                    await self.take(describe())  # the last one may have got there
                else:
                    await self._say(describe())
                missed = 0
            except (TimeoutError, NatsError):
                missed += 1
                if missed >= _MISSED:
                    raise

    async def watch(self) -> None:
        """Listen to the heartbeats of all hosts until cancelled."""
        watcher: Any = await self._bucket.watchall()
        while True:
            entry = await watcher.__anext__()
            if entry is None or entry.operation is not None:
                continue
            beat = read_beat(entry.value or b"")
            if beat is None or beat.host != entry.key:
                self._counts["garbage"] += 1
            else:
                self._peers.heard(beat, revision_of(entry), time.monotonic())


def revision_of(entry: KeyValue.Entry | None) -> int:
    """Give the revision of an entry; 0 where there is none."""
    return (entry.revision or 0) if entry is not None else 0
