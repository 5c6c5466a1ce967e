"""The short way through the guard: who may take it, and that nobody stays in it who has lost the right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from kernel_helpers import NFT, POLICIES, XT, bound, inventory, port, vm, world

from appliance.kernel.plan import desired
from appliance.kernel.script import change_table

NAMES = ("senders", "senders4", "senders6")


def elements(state):
    return {one.name: one.elements for one in state.nft[0].sets if one.name in NAMES}


def planned(*vms, options=XT, policies=POLICIES, more=()):
    inv = inventory(*vms)
    ports = [port(one, 10 + one.index) for one in inv.interfaces]
    return desired([*ports, *more], bound(policies, inv), options)


@pytest.mark.parametrize("options", [XT, NFT])
def test_single_addresses_are_held_to_and_nets_are_left_to_the_guard(options):
    found = elements(world(options))
    assert [one.split(" : ")[0] for one in found["senders4"]] == [
        '"tap1" . 02:00:00:00:00:01 . 10.0.0.1',
        '"tap3" . 02:00:00:00:00:03 . 10.0.0.3',
    ]
    assert [one.split(" . ")[0] for one in found["senders6"]] == ['"tap1"', '"tap3"']
    assert [one.split(" . ")[0] for one in found["senders"]] == ['"tap2"', '"tap4"']


def test_the_mark_is_the_one_that_the_whole_guard_gives():
    state = world()
    whole = dict(one.split(" : ") for s in state.nft[0].sets if s.name == "in_marks" for one in s.elements)
    for name in NAMES:
        for one in elements(state)[name]:
            key, value = one.split(" : ")
            assert whole[key.split(" . ")[0]] == value


def test_an_uplink_and_a_vlan_of_a_trunk_never_take_it():
    inv = inventory(vm(1, "loose-1"))
    tagged = port(inv.interfaces[0], 3, vlan=7, name="trunk")
    state = desired([tagged, port("eth0", 2)], bound(POLICIES, inv), XT)
    assert state.places
    assert not any(elements(state).values())
    prerouting = next(one for one in state.nft[0].chains if one.name == "prerouting")
    assert not any("senders" in rule for rule in prerouting.rules)


def test_who_is_given_addresses_loses_the_freedom_to_use_any():
    before, after = planned(vm(4, "strict-3")), planned(vm(4, "strict-3", ["10.0.0.4"]))
    script = change_table(before.nft[0], after.nft[0])
    assert 'delete element bridge eastwall senders { "tap4"' in script
    assert 'add element bridge eastwall senders4 { "tap4" . 02:00:00:00:00:04 . 10.0.0.4' in script
    free = planned(
        vm(4, "strict-3", ["10.0.0.4"]),
        policies=POLICIES.replace("strict\n    def", "strict\n    spoof_protection: false\n    def"),
    )
    assert elements(free)["senders"]
    assert not elements(free)["senders4"]


def test_datagrams_of_dhcp_go_back_to_the_guard_before_any_is_let_on():
    chains = {one.name: one.rules for one in world().nft[0].chains}
    for name, ports in (("senders_ip", (67, 68)), ("senders_ip6", (547, 546))):
        rules = chains[name]
        first = min(at for at, rule in enumerate(rules) if rule.startswith("meta l4proto udp"))
        assert f"udp sport {ports[0]} return" in rules[:first]
        assert f"udp dport {ports[1]} return" in rules[:first]


def test_a_new_mac_replaces_the_old_one():
    old = planned(vm(2, "loose-1"))
    new = planned(vm(2, "loose-1", mac=b"\2\0\0\0\0\x77"))
    script = change_table(old.nft[0], new.nft[0])
    assert 'delete element bridge eastwall senders { "tap2" . 02:00:00:00:00:02' in script
    assert 'add element bridge eastwall senders { "tap2" . 02:00:00:00:00:77' in script
