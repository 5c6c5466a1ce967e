"""Puts in force what hypervisors tell, without reading policies or rules anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.daemon.live.intent import Intent, documents_key
from appliance.daemon.live.places import identity_of
from appliance.daemon.live.protection import protection
from appliance.daemon.live.told import Change

if TYPE_CHECKING:
    from appliance.daemon.live.hypervisors import Hypervisors
    from appliance.daemon.live.supervisor import Supervisor

_SETTLE = 0.05  # seconds for which what comes together is gathered
Identity = tuple[str, str]


class Tracker:
    """Follows ``hypervisors`` on behalf of the supervisor."""

    def __init__(self, supervisor: Supervisor, hypervisors: Hypervisors) -> None:
        """Follow; nothing happens yet."""
        self._supervisor = supervisor
        self._hypervisors = hypervisors

    async def run(self) -> None:
        """Put in force what is told, until cancelled."""
        self._hypervisors.changed.set()  # what was there before, or was not done when it failed
        while True:
            await self._hypervisors.changed.wait()
            await asyncio.sleep(_SETTLE)
            async with self._supervisor.changing:
                await self.put_in_force()

    async def put_in_force(self) -> None:
        """Exchange the inventory if policies or workers have to know, then look where everything is."""
        self._hypervisors.changed.clear()
        change = self._hypervisors.pending()
        if not change.machines:
            await self._supervisor.place_locked()
            return
        before = self._supervisor.intent
        here = self._here(before)
        intent, same = await asyncio.to_thread(_over, before, change, here)
        key = documents_key(before.files_key, before.forced, change.digest)
        epochs = self._supervisor.epochs
        if same:
            epochs.keep(key)
        else:
            intent.bound.epoch = epochs.advance(key)
        self._hypervisors.commit()
        order = {"do": "bind", "epoch": intent.epoch, "forced": intent.forced, "judge": not same}
        await self._supervisor.exchange(intent, order | {"machines": change.order()})
        self._tell(before, intent, here)

    def _here(self, intent: Intent) -> frozenset[Identity]:
        """Name the interfaces whose traffic comes by here; at taps it may be anybody's."""
        if intent.appliance.document.taps:
            return frozenset((one.vm.uuid, one.name) for one in intent.inventory.interfaces)
        places = self._supervisor.places
        return frozenset(identity_of(port) for port in (*places.ports.ports, *places.held)) - {("", "")}

    def _tell(self, before: Intent, now: Intent, here: Iterable[Identity]) -> None:
        """Record whose policy is another now."""
        if before.book is None or now.book is None:
            return
        for identity in here:
            one = now.book.find(identity)
            old, new = before.bound.policy_of(before.book.find(identity)), now.bound.policy_of(one)
            if one is not None and new is not None and (old is None or old.name != new.name):
                self._supervisor.journal.note("vm.protected", **protection(now, one))


def _over(before: Intent, change: Change, here: frozenset[Identity]) -> tuple[Intent, bool]:
    """Give the documents with the changed inventory, and whether they say the same of all that is here."""
    intent = before.over(change.inventory_after(before.inventory), before.epoch)
    if before.book is None or intent.book is None:
        return intent, False
    return intent, before.book.says(here, before.forced) == intent.book.says(here, intent.forced)
