"""What is made from an inventory, made anew after a small change of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.daemon.live.finder import Device, Finder, FinderCache, Whereabouts
from appliance.inventory.machines import Machine, Nic, inventory_after, inventory_of
from appliance.inventory.registry import Registry
from appliance.model.identity import Prefix
from appliance.model.packet import Packet
from appliance.model.verdict import Reason

ADDRESS = Prefix(4, 0x0A000001, 0x0A000001)


def machine(number: int, name: str = "", **more: object) -> Machine:
    nics = tuple(Nic(f"net{n}", bytes([2, 0, 0, 0, n, number]), "lan", 7) for n in range(2))
    return Machine(f"00000000-0000-0000-0000-{number:012d}", name or f"vm{number}", nics=nics, **more)  # type: ignore[arg-type]


def known(*machines: Machine) -> dict[str, Machine]:
    return {one.uuid: one for one in machines}


BEFORE = known(machine(1), machine(2), machine(3))
INVENTORY = inventory_of(BEFORE.values())


@pytest.mark.parametrize(
    "changed",
    [
        known(machine(2, "web")),
        known(machine(1, tags=frozenset("t")), machine(3, "other")),
        known(machine(4)),
        known(replace(machine(2), nics=machine(2).nics[:1])),
        {machine(1).uuid: None},
        {machine(1).uuid: None, machine(4).uuid: machine(4)},
    ],
)
def test_an_inventory_after_a_change_is_the_one_made_anew(changed: dict[str, Machine | None]) -> None:
    result = {uuid: one for uuid, one in (BEFORE | changed).items() if one is not None}
    found, anew = inventory_after(INVENTORY, changed, result), inventory_of(result.values())
    assert found.vms == anew.vms
    assert [one.index for one in found.interfaces] == list(range(len(anew.interfaces)))
    pairs = zip(found.interfaces, anew.interfaces, strict=True)
    assert all((a.vm, a.name, a.mac, a.network) == (b.vm, b.name, b.mac, b.network) for a, b in pairs)


def packet(mac: bytes, address: int) -> Packet:
    one = Packet(b"", 1, 0, 1)
    one.eth_src, one.eth_dst = mac, bytes([2, 9, 9, 9, 9, 9])
    one.src, one.ip_version, one.ethertype, one.vlans = address.to_bytes(4, "big"), 4, 0x0800, (7,)
    return one


def test_a_registry_follows_a_rename() -> None:
    owner = machine(2)
    owner = replace(owner, nics=(replace(owner.nics[0], addresses=(ADDRESS,)), owner.nics[1]))
    before = inventory_of([machine(1), owner, machine(3)])
    registry = Registry(before)
    changed = known(replace(owner, name="web"))
    now = inventory_after(before, changed, known(machine(1), machine(3)) | changed)
    found = registry.following(now)
    old, new = before.interfaces[2], now.interfaces[2]
    assert new.vm.name == "web"
    assert found.own(old) is new
    assert found.find(owner.uuid, "net0") is new
    assert registry.find(owner.uuid, "net0") is old  # who uses the one before sees no change
    assert found.own(before.interfaces[0]) is before.interfaces[0]
    one = packet(new.mac, ADDRESS.base)
    found.identify(one)
    assert one.src_if is new
    assert found.check(one) is None
    thief = packet(before.interfaces[0].mac, ADDRESS.base)
    found.identify(thief)
    assert found.check(thief) is Reason.SPOOFED_IP
    bare = Packet(b"", 1, 0, 1)
    bare.src = ADDRESS.base.to_bytes(4, "big")
    found.identify(bare)
    assert bare.src_if is new


def test_a_registry_is_made_anew_where_addresses_change() -> None:
    registry = Registry(INVENTORY)
    other = machine(2)
    other = replace(other, nics=(replace(other.nics[0], addresses=(ADDRESS,)), other.nics[1]))
    now = inventory_after(INVENTORY, known(other), BEFORE | known(other))
    thief = packet(INVENTORY.interfaces[0].mac, ADDRESS.base)
    found = registry.following(now)
    found.identify(thief)
    assert found.check(thief) is Reason.SPOOFED_IP
    registry.identify(thief)
    assert registry.check(thief) is None


def test_a_finder_follows_a_rename_and_a_move() -> None:
    cache, tap = FinderCache(), Device("tap0", 9, bytes([0xFE, 0, 0, 0, 0, 2]))
    first = cache.of(INVENTORY, Whereabouts({}, frozenset()))
    assert cache.of(INVENTORY, first._where) is first
    changed = known(machine(2, "web"))
    now = inventory_after(INVENTORY, changed, BEFORE | changed)
    where = Whereabouts({(machine(3).uuid, "net1"): "vnet7"}, frozenset([machine(1).uuid]))
    found = cache.of(now, where)
    assert found.index.tapped is first.index.tapped
    assert [one.label for one in found.tapped(tap)] == ["web/net0"]
    assert [one.label for one in found.hinted(Device("vnet7", 8, b""))] == ["vm3/net1"]
    assert (
        found.absent([]) == Finder(now, where).absent([]) == ("web/net0", "web/net1", "vm3/net0", "vm3/net1")
    )
    assert [one.label for one in found.tagged(Device("up.7", 3, b"", vlan=7))] == list(found.absent([]))
    assert [one.label for one in found.owning([bytes([2, 0, 0, 0, 0, n]) for n in (1, 2)])] == ["web/net0"]
