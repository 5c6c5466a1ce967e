"""The supervisor: keeps kernel, workers and reporter as the documents want them."""

from __future__ import annotations

import asyncio
import functools
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.config.errors import ConfigError
from appliance.daemon.live.carrying import Carrier
from appliance.daemon.live.control import ControlServer
from appliance.daemon.live.crew import Crew, Post, posts_of
from appliance.daemon.live.devices import DeviceWatch, read_devices
from appliance.daemon.live.epochs import Epochs
from appliance.daemon.live.files import load_appliance
from appliance.daemon.live.finder import FinderCache
from appliance.daemon.live.following import follower_of
from appliance.daemon.live.guarding import guarded
from appliance.daemon.live.handover import Handover, Host
from appliance.daemon.live.hypervisors import Hypervisors
from appliance.daemon.live.intent import Intent, documents_key, read_intent
from appliance.daemon.live.journal import Journal
from appliance.daemon.live.keeper import Keeper
from appliance.daemon.live.notify import Notifier
from appliance.daemon.live.ownership import ownership_of
from appliance.daemon.live.places import locate
from appliance.daemon.live.protection import arrived, tell_places
from appliance.daemon.live.quarantine import Quarantine
from appliance.daemon.live.rulecheck import RuleReport, check_rules
from appliance.daemon.live.tracking import Tracker
from appliance.daemon.live.wire import pack_ports

_TICK = 1.0
_SETTLE = 0.02  # seconds between the first word of a change of devices and looking at them
_RELOAD = 120.0  # seconds for workers to exchange their documents
_FIRST_READY = 120.0


class StartError(Exception):
    """The appliance cannot start; ``errors`` say why."""

    def __init__(self, errors: list[ConfigError]) -> None:
        """Keep all errors."""
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


@dataclass(slots=True)
class ReloadResult:
    """What came of a reload: errors (and nothing has changed), or the epoch now in force."""

    errors: list[str]
    epoch: int = 0
    rules: int = 0
    refused: int = 0


class Supervisor:
    """Owns everything that is not a packet. One event loop, no threads but for calls that wait."""

    def __init__(self, path: Path, state: Path) -> None:
        """Read the appliance file at ``path``; ``state`` holds what outlives a restart.

        Raises:
            StartError: a document is wrong.
        """
        self.path = path
        self.started = time.time_ns()
        self.epochs = Epochs(state)
        self.quarantine = Quarantine(state)
        appliance, errors = load_appliance(path)
        if appliance is None:
            raise StartError(errors)
        self.hypervisors = Hypervisors(appliance)
        intent, errors = read_intent(path, self.epochs, self.quarantine, self.hypervisors.told)
        if intent is None:
            raise StartError(errors)
        self.hypervisors.commit()
        self.intent: Intent = intent
        self.rules = RuleReport()
        self.places = locate((), (), intent.inventory, {})
        self.keeper = Keeper(intent.appliance)
        self.crew = Crew(posts_of(intent.appliance), self._greeting, intent.appliance.document.outputs)
        self.crew.more = self.hypervisors.descriptors
        self.journal = Journal(self.crew.notes_end())
        self.notifier = Notifier()
        self.handover = Handover(state, self._as_host())
        self.handover.carrier = Carrier(self.crew, self.handover.here)
        self.ownership = ownership_of(intent.appliance, state, self._as_host(), self.handover, self._facts)
        if self.ownership is not None:
            self.hypervisors.moved = self.ownership.moved
        if self.ownership is not None and self.ownership.follows:
            self.ownership.follower = follower_of(state, path, self.reload, self.journal.note)
        self._stop = asyncio.Event()
        self._again = False
        self._placed = False
        self._finders = FinderCache()
        self.changing = asyncio.Lock()
        self._reload_asked = asyncio.Event()
        # Called each second, after counters were read.
        self.ticked: Callable[[], None] = lambda: None

    def _as_host(self) -> Host:
        async def hold(uuid: str) -> None:
            await self.hold(uuid, held=True)

        cluster = self.intent.appliance.document.cluster
        return Host(
            name=cluster.name if cluster is not None else socket.gethostname(),
            place=self._place,
            hold=hold,
            held=lambda: self.quarantine.forced,
            note=self.journal.note,
        )

    def _facts(self) -> dict[str, Any]:
        """Give what other hosts are told of this one."""
        return {"epoch": self.intent.epoch, "started": self.started}

    def _greeting(self, post: Post) -> dict[str, Any]:
        return {
            "do": "start",
            "path": str(self.path),
            "number": post.number,
            "kind": post.kind,
            "queues": post.queues,
            "device": post.device,
            "epoch": self.intent.epoch,
            "forced": self.intent.forced,
            "ports": pack_ports(self.places.ports.ports),
            "told": bool(self.hypervisors.providers),
        }

    async def run(self, control: ControlServer) -> bool:
        """Protect until told to stop; tells whether to begin anew.

        To begin anew, workers are left running: their successors send them away when they are ready.

        Raises:
            StartError: the rules cannot be compiled, so that nothing would be inspected.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        listener = control.open()
        self.rules = await check_rules(self.path)
        if self.rules.errors:
            listener.close()
            raise StartError([ConfigError("", 0, 0, "", text) for text in self.rules.errors])
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(child.run()) for child in self.crew.workers()]
            running.append(tasks.create_task(self.crew.keep_reporter()))
            running.append(tasks.create_task(control.serve(listener)))
            if self.ownership is not None:
                running.append(tasks.create_task(self._guarded("cluster", self.ownership.run)))
            await self._come_up()
            listen = functools.partial(self.hypervisors.run, self.journal.note)
            running.append(tasks.create_task(self._guarded("hypervisors", listen)))
            running.append(tasks.create_task(self._guarded("inventory", Tracker(self, self.hypervisors).run)))
            running.append(tasks.create_task(self._watch_devices()))
            running.append(tasks.create_task(self._tick()))
            running.append(tasks.create_task(self._reload_on_signal()))
            running.append(tasks.create_task(self._guarded("handoff", self.handover.run)))
            await self._stop.wait()
            self.notifier.send("RELOADING=1" if self._again else "STOPPING=1")
            if not self._again:
                await self.crew.stop()
            for task in running:
                task.cancel()
        self.journal.close()
        return self._again

    def _guarded(self, part: str, work: Callable[[], Awaitable[None]]) -> Coroutine[Any, Any, None]:
        return guarded(part, work, self.journal.note)

    async def _come_up(self) -> None:
        """Workers first, then the kernel's rules: no connection waits for rules to be compiled.

        What an earlier run has left in the kernel is in force all the time.
        """
        try:
            async with asyncio.timeout(_FIRST_READY):
                await self.crew.all_ready.wait()
        except TimeoutError:
            print("eastwall: not all workers have come up; their queues have no reader", file=sys.stderr)
        await self._place()
        self.notifier.ready()
        self.journal.note("eastwall.started", epoch=self.intent.epoch, rules=self.rules.loaded)

    async def _place(self) -> None:
        """Find out where everything is, and have kernel and workers know it."""
        async with self.changing:
            await self.place_locked()

    async def look(self) -> None:
        """Look at once where everything is, without waiting for word of a change."""
        await self._place()

    async def place_locked(self) -> None:
        """Look where everything is; :attr:`changing` has to be held."""
        devices = await asyncio.to_thread(read_devices)
        document, inventory = self.intent.appliance.document, self.intent.inventory
        finder = self._finders.of(inventory, self.hypervisors.where())
        places = locate(devices, document.bridges, inventory, {}, finder)
        if places.unbound and document.learn_ports:
            seen = await asyncio.to_thread(self.keeper.seen)
            places = locate(devices, document.bridges, inventory, seen, finder)
        places = self.handover.admit(places)
        before = self.places
        if places != self.places or not self.keeper.applied:
            order: dict[str, Any] = {"do": "ports", "ports": pack_ports(places.ports.ports)}
            if self._placed and arrived(self.places, places):
                # What the kernel remembers of connections to it was judged without it.
                order["epoch"] = self.intent.bound.epoch = self.epochs.advance()
            self.places, self._placed = places, True
            self.crew.order(order)
        await asyncio.to_thread(self.keeper.apply, self.intent, self.places, time.time_ns())
        tell_places(self.journal.note, self.intent, before, self.places)

    async def _watch_devices(self) -> None:
        watch = DeviceWatch()
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(watch.fileno(), changed.set)
        try:
            while True:
                await changed.wait()
                await asyncio.sleep(_SETTLE)
                watch.drain()
                changed.clear()
                await self._place()
        finally:
            loop.remove_reader(watch.fileno())
            watch.close()

    async def _tick(self) -> None:
        """Once a second: look for MACs at unknown ports, timed policies, drift; tell systemd."""
        while True:
            await asyncio.sleep(self.notifier.interval or _TICK)
            if self.places.unbound or self.keeper.due(time.time_ns()):
                await self._place()
            async with self.changing:
                await asyncio.to_thread(self.keeper.tick, time.time_ns())
            self.handover.tick(time.monotonic())
            self.ticked()
            for text in self.keeper.troubles():
                self.journal.note("kernel.repaired", what=text)
            self.notifier.watchdog()

    async def _reload_on_signal(self) -> None:
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            result = await self.reload()
            for text in result.errors:
                print(f"eastwall: reload refused: {text}", file=sys.stderr)

    async def reload(self, *, accept_refused: bool = False) -> ReloadResult:
        """Read everything anew and put it in force; with any error nothing changes.

        Rules that do not load are an error when they did load before, unless ``accept_refused``.
        """
        async with self.changing:
            self.notifier.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                result = await self._reload_locked(accept_refused=accept_refused)
                if result.errors:
                    self.hypervisors.refuse()
            finally:
                self.notifier.ready()
        what = {"errors": result.errors} if result.errors else {"epoch": result.epoch, "rules": result.rules}
        self.journal.note("reload.refused" if result.errors else "reload.done", **what)
        return result

    async def _reload_locked(self, *, accept_refused: bool) -> ReloadResult:
        intent, errors = read_intent(self.path, self.epochs, self.quarantine, self.hypervisors.told)
        if intent is None:
            return ReloadResult([str(error) for error in errors])
        problem = self._needs_restart(intent)
        if problem:
            return ReloadResult([problem])
        detection = intent.rules_key != self.intent.rules_key
        rules = await check_rules(self.path) if detection else self.rules
        new = [text for text in rules.refused if text not in self.rules.refused]
        if rules.errors or (new and not accept_refused):
            return ReloadResult([*rules.errors, *new])
        self.rules = rules
        order = {"do": "reload", "epoch": intent.epoch, "forced": intent.forced, "detection": detection}
        if self.hypervisors.providers:
            order["machines"] = self.hypervisors.commit().order()
        return await self.exchange(intent, order)

    async def exchange(self, intent: Intent, order: dict[str, Any]) -> ReloadResult:
        """Workers first, then the kernel: what they say under the new number counts from then on."""
        self.intent = intent
        failed = await self.crew.reload(order, _RELOAD)
        for child in self.crew.workers():
            if child.name in failed:
                child.kill()  # started again, it reads what is in force
        await self.place_locked()
        return ReloadResult([], intent.epoch, self.rules.loaded, len(self.rules.refused))

    def _needs_restart(self, intent: Intent) -> str:
        """Say which change of the appliance file cannot be made while it runs; "" for none."""
        old, new = self.intent.appliance, intent.appliance
        fixed = (
            "hypervisors",
            "taps",
            "datapath",
            "queues",
            "user",
            "state",
            "control",
            "metrics",
            "outputs",
            "cluster",
        )
        changed = [name for name in fixed if getattr(old.document, name) != getattr(new.document, name)]
        if old.workers != new.workers:
            changed.append("workers")
        return f"{', '.join(changed)}: takes effect after `eastwall restart`" if changed else ""

    async def hold(self, uuid: str, *, held: bool) -> ReloadResult:
        """Put a machine into quarantine or let it go, on its live connections too."""
        async with self.changing:
            change = self.quarantine.hold if held else self.quarantine.release
            undo = self.quarantine.release if held else self.quarantine.hold
            if not change(uuid):
                return ReloadResult([], self.intent.epoch, self.rules.loaded)
            forced = self.quarantine.forced
            key = documents_key(self.intent.files_key, forced, self.hypervisors.digest())
            epoch = self.epochs.advance(key)
            intent, errors = self.intent.rebound(epoch, forced)
            if intent is None:
                undo(uuid)
                return ReloadResult([str(error) for error in errors])
            result = await self.exchange(intent, {"do": "bind", "epoch": epoch, "forced": forced})
        self.journal.note("vm.quarantined" if held else "vm.released", uuid=uuid)
        return result

    async def renew(self) -> None:
        """Have every connection judged anew at its next packet."""
        async with self.changing:
            intent, _ = self.intent.rebound(self.epochs.advance(), self.intent.forced)
            if intent is not None:
                await self.exchange(intent, {"do": "bind", "epoch": intent.epoch, "forced": intent.forced})

    def stop(self, *, again: bool = False) -> None:
        """Begin to stop; with ``again`` the program is started anew and connections are kept."""
        self._again = again
        self._stop.set()
