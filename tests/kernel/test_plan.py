"""The desired state: independent of order, small changes stay small, and its text is what it was."""

from __future__ import annotations

import os
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from kernel_helpers import NFT, POLICIES, VMS, XT, bound, inventory, port, vm, world

from appliance.firewall.bound import NO_POLICIES
from appliance.firewall.schedule import MINUTE
from appliance.inventory.ports import Port
from appliance.kernel.iptables import restore_script
from appliance.kernel.options import KernelOptions
from appliance.kernel.places import number
from appliance.kernel.plan import desired
from appliance.kernel.script import change_table, replace_table
from appliance.kernel.table import REASONS

GOLDEN = Path(__file__).parent / "golden"


def text(state):
    parts = [replace_table(one) for one in state.nft]
    parts += [f"# family {one.family}\n{restore_script(one, ())}" for one in state.xtables]
    return "\n".join([*parts, *map(str, state.ports), *map(str, state.sysctls), ""])


@pytest.mark.parametrize(("name", "options"), [("xtables", replace(XT, workers=2)), ("nft", NFT)])
def test_rendering_is_what_it_was(name, options):
    """Set EASTWALL_GOLDEN=write to accept what is rendered now; read the difference before you commit it."""
    made, file = text(world(options)), GOLDEN / f"{name}.txt"
    if os.environ.get("EASTWALL_GOLDEN") == "write":
        file.write_text(made)
    assert made == file.read_text()


@given(st.randoms(use_true_random=False), st.booleans())
def test_order_of_inputs_does_not_matter(order, xtables):
    options = XT if xtables else NFT
    inv = inventory(*VMS)
    ports = [*(port(one, 10 + one.index) for one in inv.interfaces), port("eth0", 2), port("eth1", 3, zone=7)]
    bridges, foreign = ["br0", "br1", "br2"], ["docker1", "docker2"]
    policies = bound(POLICIES, inv)
    first = desired(ports, policies, options, bridges, foreign)
    for one in (ports, bridges, foreign):
        order.shuffle(one)
    again = desired(ports, policies, options, bridges, foreign)
    assert again == first
    assert again.digest == first.digest


def test_a_new_epoch_changes_only_the_cache_of_verdicts():
    inv = inventory(*VMS)
    ports = [port(one, 10 + one.index) for one in inv.interfaces]
    old, new = (desired(ports, bound(POLICIES, inv, epoch), XT) for epoch in (1, 2))
    assert new.nft == old.nft
    assert {one.name for one in new.xtables if one not in old.xtables} == {"mangle"}
    old, new = (desired(ports, bound(POLICIES, inv, epoch), NFT) for epoch in (1, 2))
    script = change_table(old.nft[0], new.nft[0])
    assert {line.split()[4] for line in script.splitlines()} == {"inspect"}


def test_a_new_port_changes_only_maps():
    inv = inventory(*VMS, vm(9, "strict-9", ["10.0.0.9"]))
    ports = [port(one, 10 + one.index) for one in inv.interfaces]
    policies = bound(POLICIES, inv)
    few, more = desired(ports[:-1], policies, XT), desired(ports, policies, XT)
    script = change_table(few.nft[0], more.nft[0])
    assert all(line.startswith("add element bridge eastwall ") for line in script.splitlines())
    assert "tap9" in script
    back = change_table(more.nft[0], few.nft[0])
    assert all(line.startswith("delete element bridge eastwall ") for line in back.splitlines())
    assert more.xtables == few.xtables


def test_a_declaration_that_changes_needs_the_whole_table():
    old, new = world(XT), world(replace(XT, seen_seconds=7))
    assert change_table(old.nft[0], new.nft[0]) is None
    assert change_table(old.nft[0], old.nft[0]) == ""


def test_rules_with_a_schedule_are_those_of_the_minute():
    inv = inventory(vm(1, "timed-1"))
    ports, policies = [port(inv.interfaces[0])], bound(POLICIES, inv)
    noon, night = (desired(ports, policies, XT, now=hour * 60 * MINUTE) for hour in (12, 23))
    assert noon.timed
    assert night.timed
    assert noon != night
    assert not world().timed


def test_a_port_without_a_policy_is_unknown():
    inv = inventory(*VMS)
    stranger = inventory(vm(77, "stranger")).interfaces[0]
    state = desired([port(stranger), port(inv.interfaces[0])], bound(POLICIES, inv), XT)
    assert [place.name for place in state.places] == ["tap1"]
    assert not desired([Port("tap5", 5)], bound(POLICIES, inv), XT).places


def test_without_policies_ports_are_known_and_hold_to_their_mac():
    one = inventory(vm(1, "a", ["10.0.0.1"])).interfaces[0]
    state = desired([port(one)], NO_POLICIES, XT)
    assert [place.label for place in state.places] == ["a/eth0"]
    macs = next(entry for entry in state.nft[0].sets if entry.name == "macs")
    assert len(macs.elements) == 1


def test_a_device_that_is_not_there_is_armed_and_left_alone():
    one = inventory(vm(1, "a")).interfaces[0]
    state = desired([port(one, index=0)], NO_POLICIES, XT)
    assert state.places
    assert not state.ports


def test_equal_permissions_share_their_rules():
    many = inventory(*(vm(n, f"strict-{n}", [f"10.0.0.{n}"]) for n in range(1, 50)))
    few = inventory(*(vm(n, f"strict-{n}", [f"10.0.0.{n}"]) for n in range(1, 3)))
    made = [
        desired([port(one) for one in inv.interfaces], bound(POLICIES, inv), XT).nft[0].chains
        for inv in (many, few)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("options", "ports", "message"),
    [
        (KernelOptions(workers=0), [], "workers"),
        (KernelOptions(queue_base=65535), [], "queues"),
        (XT, [port("eth0", zone=1 << 16)], "zone"),
        (XT, [port('e"th')], "not the name of a device"),
        (XT, [port("averyveryverylong")], "not the name of a device"),
    ],
)
def test_what_cannot_be_expressed_is_refused(options, ports, message):
    with pytest.raises(ValueError, match=message):
        desired(ports, NO_POLICIES, options)


@given(st.sets(st.tuples(st.text("abc0123", min_size=1, max_size=8), st.integers(-1, 4)), max_size=200))
def test_numbers_are_unique_and_depend_on_the_set_only(keys):
    numbers = number(keys)
    assert len(set(numbers.values())) == len(keys)
    assert all(1 <= one <= 0xFFFF for one in numbers.values())
    shuffled = list(keys)
    random.Random(1).shuffle(shuffled)
    assert number(shuffled) == numbers


def test_numbers_that_collide_are_told_apart():
    keys = [(f"tap{n}", -1) for n in range(3000)]
    numbers = number(keys)
    assert len(set(numbers.values())) == 3000
    fewer = number(keys[:-1])
    assert sum(numbers[key] != fewer[key] for key in keys[:-1]) <= 1


def test_vlans_of_a_trunk_are_ports_of_their_own():
    inv = inventory(vm(1, "strict-1", ["10.0.0.1"], vlan=5), vm(2, "strict-2", ["10.0.0.2"], vlan=6))
    a, b = inv.interfaces
    ports = [port(a, vlan=5, zone=5, name="trunk"), port(b, vlan=6, zone=6, name="trunk"), port("trunk")]
    state = desired(ports, bound(POLICIES, inv), NFT)
    sets = {one.name: one.elements for one in state.nft[0].sets}
    assert sets["in_ports"] == ('"trunk" : goto in_tagged',)
    assert [one.split(" : ")[0] for one in sets["in_tag_ports"]] == ['"trunk" . 5', '"trunk" . 6']
    assert sets["tagged_zones"] == ('"trunk" . 5 : 5', '"trunk" . 6 : 6')
    assert sets["out_untagged"] == ('"trunk" : goto to_uplink',)
    assert {place.vlan for place in state.places} == {-1, 5, 6}


DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("options", [XT, NFT])
def test_every_reason_for_a_drop_is_described(options):
    page = (DOCS / "drop-reasons.md").read_text().split("## In the kernel")[1]
    described = set(re.findall(r"^(?:\| |- )`([\w.]+)`", page, re.MULTILINE))
    names = {one.name for table in world(options).nft for one in table.sets}
    chains = {one.name.removesuffix("_out") for table in world(options).nft for one in table.chains}
    counted = {f"drop.{reason}" for reason in REASONS if f"drop_{reason}" in chains}
    counted |= {f"limit_{name.removeprefix('over_')}" for name in names if name.startswith("over_")}
    assert counted | {"blocked"} <= described
    assert {one for one in described if one.startswith("drop.")} == {f"drop.{reason}" for reason in REASONS}
    if options is XT:
        assert len([one for one in counted if one.startswith("drop.")]) == len(REASONS)
