"""Views of providers: how they differ, how several become one, and what they may not do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.addresses import parse_range
from appliance.inventory import machines as bounds
from appliance.inventory.events import EventKind, diff
from appliance.inventory.machines import MAX_NICS, Machine, Nic, Power, inventory_of, machines_of
from appliance.inventory.merge import Conflict, Merger

A, B = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
MAC, OTHER = bytes.fromhex("525400000001"), bytes.fromhex("525400000002")
WEB = Machine(A, "web", nics=(Nic("net0", MAC, "lan"),), power=Power.ON, host="one", here=True)


def by_uuid(*machines: Machine) -> dict[str, Machine]:
    return {one.uuid: one for one in machines}


@pytest.mark.parametrize(
    ("new", "kinds"),
    [
        (WEB, []),
        (replace(WEB, power=Power.SUSPENDED), [EventKind.POWERED]),
        (replace(WEB, host="two", here=False), [EventKind.MOVED]),
        (replace(WEB, tags=frozenset({"prod"})), [EventKind.CHANGED]),
        (replace(WEB, host="two", here=False, power=Power.OFF, name="w"), list("mcp")),
    ],
)
def test_one_machine_differs(new: Machine, kinds: list[EventKind]) -> None:
    named = {"m": EventKind.MOVED, "c": EventKind.CHANGED, "p": EventKind.POWERED}
    events = diff(by_uuid(WEB), by_uuid(new), 5, "virt")
    assert [event.kind for event in events] == [named.get(kind, kind) for kind in kinds]
    assert all((event.at, event.provider, event.uuid) == (5, "virt", A) for event in events)


def test_a_move_says_from_where_to_where() -> None:
    (event,) = diff(by_uuid(WEB), by_uuid(replace(WEB, host="two", here=False)), 0)
    assert (event.source, event.host, event.here, event.kind.hint) == ("one", "two", False, True)


def test_learning_the_host_is_no_move() -> None:
    unknown = replace(WEB, host=None)
    assert diff(by_uuid(unknown), by_uuid(WEB), 0) == []


def test_being_plugged_in_elsewhere_is_no_news_of_the_machine() -> None:
    plugged = replace(WEB, nics=(replace(WEB.nics[0], port="vnet1"),))
    assert diff(by_uuid(WEB), by_uuid(plugged), 0) == []


def test_machines_come_and_go() -> None:
    other = Machine(B, "db")
    events = diff(by_uuid(WEB), by_uuid(other), 0)
    assert [(event.kind, event.name) for event in events] == [
        (EventKind.GONE, "web"),
        (EventKind.APPEARED, "db"),
    ]


names = st.sampled_from(["a", "b", None])
machines = st.builds(
    Machine,
    st.sampled_from([A, B]),
    names,
    nics=st.just(()) | st.just((Nic("e", MAC),)),
    power=st.sampled_from([None, *Power]),
    host=names,
    here=st.sampled_from([None, True, False]),
)
views = st.lists(machines).map(lambda many: by_uuid(*many))


@given(views, views)
def test_views_without_events_say_the_same(old: dict[str, Machine], new: dict[str, Machine]) -> None:
    if not diff(old, new, 0):
        assert old.keys() == new.keys()
        for uuid, before in old.items():
            after = new[uuid]
            assert (before.name, before.nics) == (after.name, after.nics)
            # where it is and whether it runs may have been learnt, or be known no longer
            for name in ("host", "here", "power"):
                values = {getattr(before, name), getattr(after, name)}
                assert len(values - {None}) < 2


@given(st.lists(st.tuples(st.sampled_from("xy"), views)))
def test_merging_does_not_depend_on_the_way_there(steps: list[tuple[str, dict[str, Machine]]]) -> None:
    merger, last = Merger("xy"), {"x": {}, "y": {}}
    told: dict[str, Machine] = {}
    for provider, view in steps:
        last[provider] = view
        for uuid, machine in merger.replace(provider, view).items():
            if machine is None:
                del told[uuid]
            else:
                told[uuid] = machine
    fresh = Merger("xy")
    for provider in "yx":
        fresh.replace(provider, last[provider])
    assert merger.machines == fresh.machines == told
    assert merger.conflicts() == fresh.conflicts()


def test_the_first_provider_wins_what_it_states() -> None:
    merger = Merger(["static", "virt"], quiet=["static"])
    merger.replace("virt", by_uuid(WEB))
    addresses = (parse_range("10.0.0.1"),)
    merger.replace("static", by_uuid(Machine(A, "www", nics=(Nic("eth0", MAC, addresses=addresses),))))
    assert merger.machines[A] == replace(
        WEB, name="www", nics=(Nic("eth0", MAC, "lan", addresses=addresses),)
    )
    assert merger.conflicts() == []


def test_contradictions_are_told() -> None:
    merger = Merger(["virt", "sphere"])
    merger.replace("virt", by_uuid(WEB))
    merger.replace("sphere", by_uuid(replace(WEB, name="w", nics=(Nic("n", MAC, "dmz"),))))
    assert [one.what for one in merger.conflicts()] == [
        "providers differ in its name",
        "providers differ in network of net0",
    ]
    assert [nic.network for nic in merger.machines[A].nics] == ["lan"]
    merger.replace("sphere", by_uuid(WEB))
    assert merger.conflicts() == []


def test_equal_macs_are_fine_in_different_networks_only() -> None:
    merger = Merger(["virt"])
    merger.replace("virt", by_uuid(WEB, Machine(B, "db", nics=(Nic("net0", MAC, "dmz"),))))
    assert merger.conflicts() == []
    merger.update("virt", by_uuid(Machine(B, "db", nics=(Nic("net0", MAC, "lan"),))))
    assert merger.conflicts() == [
        Conflict(uuid, "MAC 52:54:00:00:00:01 is not the only one") for uuid in (A, B)
    ]


def test_two_interfaces_with_one_mac_stay_two() -> None:
    merger = Merger(["static", "virt"])
    twin = replace(WEB, nics=(Nic("net0", MAC, "lan"), Nic("net1", MAC, "dmz")))
    merger.replace("virt", by_uuid(twin))
    merger.replace("static", by_uuid(Machine(A, "web", nics=(Nic("inner", MAC, "dmz"),))))
    assert [(nic.name, nic.network) for nic in merger.machines[A].nics] == [
        ("inner", "dmz"),
        ("net0", "lan"),
    ]


def test_interfaces_of_one_machine_have_names_of_their_own() -> None:
    merger = Merger(["static", "virt"])
    merger.replace("static", by_uuid(Machine(A, nics=(Nic("net0", OTHER),))))
    merger.replace("virt", by_uuid(WEB))
    assert [nic.name for nic in merger.machines[A].nics] == ["net0", "net0 52:54:00:00:00:01"]


def test_more_machines_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.inventory.merge.MAX_MACHINES", 1)
    merger = Merger(["virt"])
    assert set(merger.replace("virt", by_uuid(WEB, Machine(B)))) == {A}
    assert merger.refused == 1
    assert merger.update("virt", {A: None}) == {A: None}
    assert set(merger.update("virt", by_uuid(Machine(B)))) == {B}


def test_interfaces_beyond_the_bound_are_left_out() -> None:
    many = tuple(Nic(f"n{n}", bytes([2, 0, 0, 0, 0, n])) for n in range(MAX_NICS + 1))
    merger = Merger(["virt"])
    merger.replace("virt", by_uuid(replace(WEB, nics=many)))
    assert len(merger.machines[A].nics) == bounds.MAX_NICS


def test_an_inventory_comes_back_from_its_machines() -> None:
    inventory = inventory_of([WEB, Machine(B, "db", "linux", frozenset({"t"}))])
    again = inventory_of(machines_of(inventory))
    assert again.vms == inventory.vms
    assert [(one.label, one.mac) for one in again.interfaces] == [("web/net0", MAC)]
