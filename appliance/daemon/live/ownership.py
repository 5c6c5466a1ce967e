"""This host among others: which interfaces it may pass, as the driver of :mod:`appliance.handoff` says.

Nothing that passes traffic waits for any of this. Who passed goes on passing while servers are away, and
after the supervisor was started anew; what is new waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from appliance.config.errors import ConfigError
from appliance.daemon.live.carrying import Carried, CarryError
from appliance.daemon.live.files import Appliance
from appliance.daemon.live.following import Follower
from appliance.daemon.live.handover import Handover, Host
from appliance.daemon.live.moves import Identity
from appliance.daemon.live.owned import Owned
from appliance.handoff.bundle import Manifest
from appliance.handoff.codec import Entry, Header, Packed, pack
from appliance.handoff.contract import HandsError
from appliance.handoff.credentials import Access, SecretError
from appliance.handoff.document import ClusterDocument
from appliance.handoff.driver import Driver
from appliance.handoff.link import Link
from appliance.handoff.messages import Message, Wanted
from appliance.handoff.store import Record
from appliance.inventory.events import EventKind, VmEvent
from appliance.inventory.machines import Power
from appliance.inventory.ports import Port

_SECOND = 1_000_000_000


class ClusterError(Exception):
    """The part ``cluster`` of the appliance file cannot be used; ``errors`` say why."""

    def __init__(self, errors: list[ConfigError]) -> None:
        """Keep the errors."""
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


class Ownership:
    """Joins driver, link and handover. All methods belong to the supervisor's loop."""

    def __init__(
        self,
        access: Access,
        folder: Path,
        host: Host,
        handover: Handover,
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        """Own on behalf of ``host``; ``folder`` keeps what outlives a restart."""
        document = access.document
        self._host, self._handover, self._facts = host, handover, facts
        self._owned = Owned(folder)
        self._zones: dict[Identity, int] = {}
        self._came: dict[Identity, tuple[Header, Carried]] = {}
        self.follows = document.follow
        self.follower: Follower | None = None
        self.link = Link(access, self, host.note, self._describe)
        after = document.first_claim.pass_after
        self.driver = Driver(
            document.name, self.link, self.link, self, document.timers.times(),
            after / _SECOND if after is not None else None,
        )  # fmt: skip
        self.driver.resume(self._owned.passing())
        self.save(self._owned.passing())
        handover.warden = self._admit

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.driver.run())
            tasks.create_task(self.link.run())
            if self.follower is not None:
                tasks.create_task(self.follower.run())

    def _admit(self, found: dict[Identity, Port]) -> set[Identity]:
        self._zones |= {identity: port.zone for identity, port in found.items()}
        return self.driver.admit(found)

    def _describe(self) -> dict[str, Any]:
        driver = self.driver
        counts = {"owned": len(driver.open), "present": len(driver.here)}
        bundle = self.follower.current.number if self.follower is not None else 0
        known = {"version": _version(), "instance": self._owned.instance, "bundle": bundle}
        return {**known, **counts, **self._facts()}

    def moved(self, event: VmEvent) -> None:
        """Take a hypervisor's word: a machine stands still for a move, runs here, or its host is dead."""
        mine = [one for one in self.driver.interfaces if one[0] == event.uuid]
        if event.kind is EventKind.DEAD:
            self.driver.orders.died(event.uuid, event.source)
        elif event.kind is EventKind.FROZEN and event.here is not False:
            for identity in mine:
                self.driver.orders.freeze(identity)
        elif event.kind is EventKind.POWERED and event.here and event.power is Power.ON:
            for identity in mine:
                self.driver.orders.thaw(identity)

    # What the link tells.

    def connected(self) -> None:
        """Have everything asked that waits."""
        self.driver.connected()

    def record(self, record: Record, revision: int) -> None:
        """Pass a record on."""
        self.driver.record(record, revision)

    def odd(self, identity: Identity, revision: int) -> None:
        """Pass word of a record that makes no sense on."""
        self.driver.odd(identity, revision)

    def complete(self, found: Mapping[Identity, int]) -> None:
        """Pass on which records there are."""
        self.driver.complete(found)

    def wanted(self, manifest: Manifest) -> bool:
        """Tell whether a bundle of policies is to be fetched."""
        return self.follower is not None and self.follower.wanted(manifest)

    def offer(self, manifest: Manifest, packed: bytes) -> None:
        """Pass a bundle on."""
        if self.follower is not None:
            self.follower.offer(manifest, packed)

    def said(self, sender: str, message: Message) -> None:
        """Pass on what another host has said."""
        self.driver.said(sender, message)

    def piece(self, sender: str, wanted: Wanted) -> bytes:
        """Give another host a piece."""
        return self.driver.piece(sender, wanted)

    # What the driver wants done.

    async def apply(self) -> None:
        """Have workers and kernel know who may pass."""
        await self._host.place()

    async def collect(
        self, identity: Identity, known: frozenset[str], *, final: bool
    ) -> tuple[Header, Packed]:
        """Write an interface's state down.

        Raises:
            HandsError: it could not be collected.
        """
        carrier, zone = self._handover.carrier, self._zones.get(identity)
        if carrier is None or zone is None:
            raise HandsError("nothing is known of the interface here")
        try:
            entries = await carrier.collect(identity, zone)
        except CarryError as error:
            raise HandsError(str(error)) from error
        packed = await asyncio.to_thread(pack, entries, known)
        self._handover.tally.given += final
        return self._handover.header(identity, packed, 0, final=final), packed

    async def adopt(self, header: Header, entries: Sequence[Entry]) -> None:
        """Take state in. All of it is judged anew under the policies of here when the interface is let in."""
        identity = (header.uuid, header.name)
        port = self._handover.located.get(identity)
        if port is None:
            return
        carried, problem = await self._handover.take_in(header, port.zone, entries)
        if header.held and identity[0] not in self._host.held():
            await self._host.hold(identity[0])
        if problem:
            self._handover.fail(header, problem)
        else:
            self._came[identity] = (header, carried)

    async def taken(self, identity: Identity, *, seized: bool, took: float) -> None:
        """Tell that an interface passes here now."""
        del seized  # told when it was claimed
        self._handover.announce(identity)
        came = self._came.pop(identity, None)
        if came is not None:
            self._handover.done(*came, took)

    async def drop(self, identity: Identity) -> None:
        """Let go of an interface's flows."""
        self._came.pop(identity, None)
        if self._handover.carrier is not None:
            await self._handover.carrier.forget(identity)
        if identity not in self._handover.located:
            self._zones.pop(identity, None)

    def save(self, passing: Mapping[Identity, int]) -> None:
        """Keep who passes."""
        problem = self._owned.save(passing)
        if problem:
            self._host.note("cluster.state", why=problem)

    def note(self, name: str, **details: Any) -> None:
        """Write a record."""
        self._host.note(name, **details)

    def status(self) -> dict[str, Any]:
        """Describe everything as plain values."""
        now = self.driver.clock()
        return {
            **self.link.status(),
            "bundle": self.follower.current.number if self.follower is not None else 0,
            "events": dict(self.driver.reports.counts),
            "driver": dict(self.driver.counts),
            "interfaces": [
                {
                    "uuid": uuid,
                    "interface": name,
                    "state": one.machine.state.value,
                    "passes": self.driver.passes((uuid, name)),
                    "owner": one.owner,
                    "revision": one.machine.revision,
                    "for": round(now - one.since, 1) if one.since else None,
                }
                for (uuid, name), one in sorted(self.driver.interfaces.items())
            ],
        }


def ownership_of(
    appliance: Appliance, folder: Path, host: Host, handover: Handover, facts: Callable[[], dict[str, Any]]
) -> Ownership | None:
    """Make the ownership that the appliance file asks for; None where the host is alone.

    Raises:
        ClusterError: credentials cannot be used.
    """
    document: ClusterDocument | None = appliance.document.cluster
    if document is None:
        return None
    access = Access(document, appliance.named)
    try:
        access.options()
    except SecretError as error:
        raise ClusterError([ConfigError(str(appliance.path), 0, 0, "cluster", str(error))]) from error
    return Ownership(access, folder, host, handover, facts)


def _version() -> str:
    try:
        return version("eastwall")
    except PackageNotFoundError:
        return "unpackaged"
