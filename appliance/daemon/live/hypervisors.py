"""The providers of a host's inventory, and what comes of all that they tell."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from appliance.config.errors import ConfigError
from appliance.daemon.live import told as telling
from appliance.daemon.live.files import Appliance
from appliance.daemon.live.finder import NOWHERE, Whereabouts
from appliance.daemon.live.history import History, describe
from appliance.hypervisor.document import StaticDocument
from appliance.hypervisor.intake import Intake, Taken
from appliance.hypervisor.process import Provider
from appliance.inventory.document import load_inventory
from appliance.inventory.events import EventKind, VmEvent, between
from appliance.inventory.inventory import Inventory
from appliance.inventory.machines import Machine, machines_of
from appliance.inventory.merge import Conflict, Merger

INVENTORY = "inventory"  # the file that the appliance file names; it outweighs all providers
_LOOK = 0.5  # seconds after which what was told is written down, where nothing was for a while
_SAVE = 10.0  # seconds between writings
_BURST = 100  # changes at a time that are recorded one by one
_DIGEST = 1 << 256

Note = Callable[..., None]


class Hypervisors:
    """Listens to providers, if there are any. ``changed`` is set when there is something to put in force.

    All methods belong to the supervisor's loop.
    """

    def __init__(self, appliance: Appliance) -> None:
        """Go on from what was told before the start; nothing runs yet."""
        documents = appliance.document.hypervisors
        static = [one.name for one in documents if isinstance(one, StaticDocument)]
        others = [one.name for one in documents if not isinstance(one, StaticDocument)]
        self.merger = Merger([INVENTORY, *static, *others], quiet=[INVENTORY, *static])
        self.history = History(appliance.state)
        self.changed = asyncio.Event()
        self.moved: Callable[[VmEvent], None] = lambda _: None
        self.counts: dict[str, int] = dict.fromkeys((kind.value for kind in EventKind), 0)
        self._note: Note = lambda *_, **__: None
        self._notebook = telling.Notebook(appliance.state / telling.FILE)
        self._unsaved = self._running = False
        self._force: telling.View = {}  # what is in force, by UUID
        self._digests: dict[str, int] = {}
        self._dirty: set[str] = set()
        self._where: Whereabouts | None = None
        self._candidate: telling.Change | None = None
        self._file: telling.View | None = None  # the file's view before a reload
        self._conflicts: list[Conflict] = []
        views, self._broken = telling.load(appliance.state / telling.FILE)
        self.providers = [self._provider(appliance, one, views.get(one.name, {})) for one in documents]

    def _provider(self, appliance: Appliance, document: Any, view: telling.View) -> Provider:
        options = document.model_dump(mode="json") | {"user": appliance.document.user}
        for key in ("file", "ca", "credentials"):
            if options.get(key):
                options[key] = str(appliance.named(options[key]))
        self._dirty |= self.merger.replace(document.name, view).keys()
        return Provider(document.name, options, self._took, Intake(document.name, view))

    async def run(self, note: Note) -> None:
        """Listen until cancelled; ``note`` records what happens."""
        self._note = note
        self._running = True
        if self._broken:
            self._note("inventory.lost", why=self._broken)
        try:
            async with asyncio.TaskGroup() as tasks:
                for provider in self.providers:
                    tasks.create_task(provider.run())
                while True:
                    await asyncio.sleep(_LOOK)
                    if self._unsaved or self.history.unsaved:
                        await asyncio.to_thread(self._save, self._views(), self.history.take_unsaved())
                        self._tell_conflicts()
                        await asyncio.sleep(_SAVE)
        finally:
            self._save(self._views(), self.history.take_unsaved())

    def _views(self) -> dict[str, list[Machine]]:
        """Give what has to be written down: nothing where nothing has changed."""
        unsaved, self._unsaved = self._unsaved, False
        return {one.name: list(one.intake.view.values()) for one in self.providers} if unsaved else {}

    def _save(self, views: dict[str, list[Machine]], events: list[dict[str, Any]]) -> None:
        try:
            if views:
                self._notebook.save(views)
            self.history.save(events)
        except OSError as error:
            self._note("inventory.unsaved", why=f"{error.filename}: {error.strerror}")

    def _tell_conflicts(self) -> None:
        """Record contradictions that were not there at the last look."""
        before, self._conflicts = set(self._conflicts), self.merger.conflicts()
        for one in self._conflicts:
            if one not in before:
                machine = self.merger.machines.get(one.uuid)
                name = machine.label if machine is not None else ""
                self._note("inventory.conflict", vm=name, uuid=one.uuid, what=one.what)

    def _took(self, provider: Provider, taken: Taken) -> None:
        """Take in what a provider has said."""
        if provider.connected != provider.told:
            provider.told = provider.connected
            more = {"machines": len(provider.intake.view)} if provider.connected else {"why": provider.why}
            self._note(
                "provider.back" if provider.connected else "provider.lost", provider=provider.name, **more
            )
        if taken.changes:
            self._unsaved = True
            self._merge(provider.name, taken.changes)
        for hint in taken.hints:
            self._happened(hint, quiet=False)

    def _merge(self, name: str, changes: Any) -> None:
        before = {uuid: self.merger.machines.get(uuid) for uuid in changes}
        found = self.merger.update(name, changes)
        quiet, now = len(found) > _BURST, time.time_ns()
        for uuid, machine in found.items():
            self._dirty.add(uuid)
            # at a start nothing has happened yet: it is only known again
            for event in between(before[uuid], machine, now, name) if self._running else ():
                self._happened(event, quiet=quiet)
        if quiet and self._running:
            self._note("inventory.changed", provider=name, machines=len(found))
        if found:
            self._where = None
            self.changed.set()

    def _happened(self, event: VmEvent, *, quiet: bool) -> None:
        self.counts[event.kind.value] += 1
        self.history.add(event)
        if not quiet:
            details = describe(event)
            details.pop("at")
            self._note(f"vm.{details.pop('event')}", **details)
        self.moved(event)

    def told(self, appliance: Appliance) -> tuple[Inventory | None, str, list[ConfigError]]:
        """Read the file that outweighs providers, and give the inventory with what tells it apart.

        What follows has to be :meth:`commit` or :meth:`refuse`.
        """
        name = appliance.document.inventory
        view: telling.View = {}
        if name:
            found, errors = load_inventory(appliance.named(name))
            if found is None:
                return None, "", errors
            view = {machine.uuid: machine for machine in machines_of(found)}
        self._file = dict(self.merger.view(INVENTORY))
        self._merge(INVENTORY, dict.fromkeys(self._file.keys() - view.keys()) | view)
        self._candidate = self.pending()
        return self._candidate.inventory(), self._candidate.digest, []

    def refuse(self) -> None:
        """Take the file back that :meth:`told` has read."""
        if self._file is not None:
            view = self.merger.view(INVENTORY)
            self._merge(INVENTORY, dict.fromkeys(view.keys() - self._file.keys()) | self._file)
        self._file = self._candidate = None

    def commit(self) -> telling.Change:
        """Put in force what :meth:`told` or :meth:`pending` has given last."""
        change = self._candidate or telling.Change(result=self._force)
        self._force = change.result
        for uuid, machine in change.machines.items():
            self._digests.pop(uuid, None)
            if machine is not None:
                self._digests[uuid] = telling.digest_of(machine)
        self._dirty = {
            u for u in self._dirty if telling.settled(self.merger.machines.get(u)) != self._force.get(u)
        }
        self._file = self._candidate = None
        return change

    def digest(self) -> str:
        """Give what tells the inventory in force apart from others, "" without providers."""
        if not self.providers:
            return ""
        return f"{sum(self._digests.values()) % _DIGEST:x}"

    def pending(self) -> telling.Change:
        """Give what differs from what is in force."""
        change = telling.Change(result=dict(self._force))
        total = sum(self._digests.values())
        for uuid in self._dirty:
            machine = telling.settled(self.merger.machines.get(uuid))
            if machine == self._force.get(uuid):
                continue
            change.machines[uuid] = machine
            total -= self._digests.get(uuid, 0)
            if machine is None:
                del change.result[uuid]
            else:
                change.result[uuid] = machine
                total += telling.digest_of(machine)
        change.digest = f"{total % _DIGEST:x}"
        self._candidate = change
        return change

    def where(self) -> Whereabouts:
        """Say where machines are, as far as hypervisors say it."""
        if not self.providers:
            return NOWHERE
        if self._where is None:
            self._where = telling.where(self.merger.machines.values())
        return self._where

    def descriptors(self) -> tuple[int, ...]:
        """Give the inventory in force as a file in memory, unless each worker reads it from a file."""
        if not self.providers:
            return ()
        fd = os.memfd_create("eastwall-inventory")
        with os.fdopen(fd, "wb", closefd=False) as file:
            file.write(telling.pack_all(self._force.values()))
        return (fd,)

    def machines(self) -> Iterable[Machine]:
        """Give all machines, with where they are."""
        return self.merger.machines.values()

    def status(self) -> dict[str, Any]:
        """Describe providers and what they have told, as plain values."""
        return {
            "machines": len(self.merger.machines),
            "refused": self.merger.refused,
            "conflicts": [[one.uuid, one.what] for one in self._conflicts],
            "providers": [provider.status() for provider in self.providers],
            "events": dict(self.counts),
        }
