"""Who may pass when interfaces move: with workers and a kernel that are not there."""

from __future__ import annotations

import asyncio

import pytest

from appliance.daemon.live.carrying import Carried, CarryError
from appliance.daemon.live.handover import Handover, Host
from appliance.daemon.live.places import Places
from appliance.daemon.live.transfer import TransferError, read_parts, write_parts
from appliance.handoff.codec import Header, pack
from appliance.inventory.ports import Port, PortMap
from appliance.model.identity import Vm, VmInterface

ONE = VmInterface(0, Vm("u1", "one"), "eth0", bytes(6))
TWO = VmInterface(1, Vm("u2", "two"), "eth0", bytes(5) + b"\1")
BOTH = Places(PortMap([Port("tap0", 1, ONE, zone=7), Port("tap1", 2, TWO, zone=7)]))
GONE = Places(PortMap([Port("tap1", 2, TWO, zone=7)]))
ENTRIES = [("flows", {"x": 1}), ("kernel", [1])]


class Carries:
    """A carrier that writes down what it was asked for."""

    def __init__(self, fails=""):
        self.fails = fails
        self.did = []

    async def collect(self, identity, zone):
        self._do("collect", identity, zone)
        return list(ENTRIES)

    async def put(self, identity, zone, entries):
        self._do("put", identity, zone)
        return Carried(1, 1, 0)

    async def forget(self, identity):
        self._do("forget", identity)

    def _do(self, *what):
        self.did.append(what)
        if self.fails == what[0]:
            raise CarryError("no")


class World:
    """A handover in a supervisor that does nothing but look."""

    def __init__(self, folder, fails=""):
        self.notes, self.places, self.held = [], BOTH, set()
        self.passing = set()

        async def place():
            self.look()

        async def hold(uuid):
            self.held.add(uuid)

        host = Host("here", place, hold, lambda: self.held, lambda name, **how: self.notes.append(name))
        self.handover = Handover(folder, host)
        self.handover.carrier = self.carries = Carries(fails)

    def look(self, places=None):
        self.places = places or self.places
        admitted = self.handover.admit(self.places)
        self.passing = {port.interface.vm.uuid for port in admitted.ports.ports}
        return self.passing

    async def settle(self):
        """Let everything that has arrived be taken in."""
        task = asyncio.ensure_future(self.handover.run())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()


def header_for(held=False, **changes):
    packed = pack(ENTRIES)
    fields = {"ident": "i", "host": "there", "uuid": "u1", "name": "eth0", "final": True, "revision": 0,
              "held": held, "at": 1, "entries": packed.entries, "lost": 0, "size": len(packed.body),
              "digest": packed.digest}  # fmt: skip
    return Header(**fields | changes), packed


def test_what_is_given_away_is_closed_before_it_is_written_down_and_after_a_restart(tmp_path):
    world = World(tmp_path)
    assert world.look() == {"u1", "u2"}
    header, _ = asyncio.run(world.handover.give(("u1", "eth0")))
    assert (header.uuid, header.final, world.passing) == ("u1", True, {"u2"})
    again = World(tmp_path)
    assert again.look() == {"u2"}
    assert again.look(GONE) == {"u2"}
    assert World(tmp_path).look(BOTH) == {"u1", "u2"}  # unplugged meanwhile: it comes as any other


def test_what_cannot_be_written_down_goes_on_here(tmp_path):
    world = World(tmp_path, fails="collect")
    world.look()
    with pytest.raises(CarryError):
        asyncio.run(world.handover.give(("u1", "eth0")))
    assert world.passing == {"u1", "u2"}
    with pytest.raises(CarryError, match="not plugged in"):
        asyncio.run(world.handover.give(("u9", "eth0")))


@pytest.mark.parametrize("fails", ["", "put"])
def test_what_is_expected_passes_after_it_was_taken_in(tmp_path, fails):
    world = World(tmp_path, fails)
    world.look(GONE)
    world.handover.expect(header_for()[0], ENTRIES)
    assert world.look(BOTH) == {"u2"}
    asyncio.run(world.settle())
    assert world.carries.did == [("put", ("u1", "eth0"), 7)]
    assert world.passing == {"u1", "u2"}
    assert world.notes == ["handoff.failed" if fails else "handoff.done"]


def test_a_quarantine_is_in_force_before_the_interface_passes(tmp_path):
    world = World(tmp_path)
    world.look()
    world.handover.expect(header_for(held=True)[0], ENTRIES)
    world.look()
    asyncio.run(world.settle())
    assert (world.held, world.passing) == ({"u1"}, {"u1", "u2"})


def test_state_whose_interface_does_not_come_is_given_up(tmp_path):
    world = World(tmp_path)
    world.look(GONE)
    world.handover.expect(header_for()[0], ENTRIES)
    world.handover.tick(float("inf"))
    assert world.notes == ["handoff.failed"]
    assert world.look(BOTH) == {"u1", "u2"}


@pytest.mark.parametrize("text", ["{}", "[1]", '[["a"]]', '[["a", 1]]', "x"])
def test_a_file_of_closed_interfaces_that_makes_no_sense_is_an_error(tmp_path, text):
    (tmp_path / "handoff.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        World(tmp_path)


def test_a_file_is_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "moved"
    parts = [header_for(), header_for(uuid="u2")]
    with path.open("w+b") as file:
        write_parts(file.fileno(), parts)
        file.seek(0)
        assert [(header.uuid, entries) for header, entries in read_parts(file.fileno())] == [
            ("u1", ENTRIES),
            ("u2", ENTRIES),
        ]
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with path.open("rb") as file, pytest.raises(TransferError):
            read_parts(file.fileno())
