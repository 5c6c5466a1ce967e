"""A store, a network and hosts in memory, so that drivers are run against each other without any server."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid

from appliance.handoff.codec import Header, pack
from appliance.handoff.contract import HandsError
from appliance.handoff.driver import Driver
from appliance.handoff.machinery import Times
from appliance.handoff.store import Found, LostError, StoreError

ONE = ("3b6f2f2e-5b59-4d3f-9c1e-000000000001", "eth0")
TWO = ("3b6f2f2e-5b59-4d3f-9c1e-000000000001", "eth1")
TIMES = Times(
    claiming=0.5,
    waiting=0.05,
    expecting=0.1,
    offering=0.5,
    frozen=0.5,
    left=0.5,
    given=0.3,
    adopting=1,
    conflict=0.15,
)


class Store:
    """Records by compare and set, and word of them to every host that is not cut off."""

    def __init__(self):
        self.records = {}
        self.revision = 0
        self.hosts = {}

    async def read(self, identity):
        return self.records.get(identity, Found(None))

    async def write(self, record, last):
        if self.records.get(record.identity, Found(None)).revision != last:
            raise LostError
        self.revision += 1
        self.records[record.identity] = Found(record, self.revision)
        for host in self.hosts.values():
            if not host.cut:
                asyncio.get_running_loop().call_soon(host.driver.record, record, self.revision)
        return self.revision


class Host:
    """One host: its driver, and hands that note what they did."""

    def __init__(self, world, name, **more):
        self.world, self.name = world, name
        self.cut = self.hung = self.broken = False
        self.did, self.notes, self.saved, self.adopted = [], [], {}, {}
        self.flows = {}
        self.in_force = set()
        self.driver = Driver(name, self, self, self, more.pop("times", TIMES), **more)
        world.store.hosts[name] = self

    def plug(self, *identities):
        self.driver.admit(identities)
        self.in_force &= set(identities)  # what is not there passes nothing

    async def _reach(self):
        await asyncio.sleep(0)
        if self.hung:
            await asyncio.sleep(0.1)
        if self.cut or self.hung:
            raise StoreError("away")

    async def read(self, identity):
        await self._reach()
        return await self.world.store.read(identity)

    async def write(self, record, last):
        await self._reach()
        return await self.world.store.write(record, last)

    def tell(self, host, message):
        other = self.world.store.hosts.get(host)
        if other is not None and not self.cut and not other.cut:
            asyncio.get_running_loop().call_soon(other.driver.said, self.name, message)

    async def fetch(self, host, wanted):
        other = self.world.store.hosts.get(host)
        await self._reach()
        if other is None or other.cut:
            raise StoreError("away")
        return other.driver.piece(self.name, wanted)

    def alive(self, host):
        other = self.world.store.hosts.get(host)
        return other is not None and not other.cut

    async def apply(self):
        await asyncio.sleep(0)
        self.in_force = {one for one in self.driver.here if self.driver.passes(one)}
        self.world.check()

    async def collect(self, identity, known, *, final):
        await asyncio.sleep(0)
        if self.broken:
            raise HandsError("a worker has not answered")
        if final:
            assert not self.driver.passes(identity), "written down in the end while it passes"
        packed = pack([("flows", one) for one in self.flows.get(identity, [])], known)
        size = len(packed.body)
        header = Header(
            uuid.uuid4().hex, self.name, *identity, final, 0, False, time.time_ns(), packed.entries,
            packed.lost, size, packed.digest,
        )  # fmt: skip
        return header, packed

    async def adopt(self, header, entries):
        await asyncio.sleep(0)
        self.adopted[header.uuid, header.name] = [entry for _, entry in entries]

    async def taken(self, identity, *, seized, took):
        self.did.append(("taken", identity, seized))

    async def drop(self, identity):
        self.did.append(("drop", identity))

    def save(self, passing):
        self.saved = dict(passing)

    def note(self, name, **details):
        self.notes.append((name, details))

    def noted(self, name):
        return [details for one, details in self.notes if one == name]


class World:
    """Some hosts and what they share. Never do two have the same interface in force."""

    def __init__(self):
        self.store = Store()
        self.exempt = set()  # hosts that are dead, or pass by order

    def check(self):
        hosts = [host for host in self.store.hosts.values() if host.name not in self.exempt]
        for place, host in enumerate(hosts):
            for other in hosts[place + 1 :]:
                both = host.in_force & other.in_force
                assert not both, f"{both} passes on {host.name} and {other.name}"

    def host(self, name, **more):
        return Host(self, name, **more)

    @contextlib.asynccontextmanager
    async def running(self, *hosts):
        tasks = [asyncio.ensure_future(host.driver.run()) for host in hosts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result


async def until(condition, patience=10.0):
    """Wait for something."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it has not come to be"
        await asyncio.sleep(0.01)
