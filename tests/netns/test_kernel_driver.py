"""Applying, drift and its repair, sweeping, adopting, dying half way: on a real bridge."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_helpers import NFT, POLICIES, XT, bound, inventory, port, vm
from kernel_helpers import world as planned
from kernel_lab import PASSING, plug
from lab import BRIDGE, Lab
from wire import BROADCAST, Wire, arp, ether, ip4, udp

from appliance.firewall.bound import NO_POLICIES
from appliance.kernel import iptables, links, nftables
from appliance.kernel.base import KernelError
from appliance.kernel.commands import attempt, run
from appliance.kernel.driver import KernelDriver
from appliance.kernel.namespace import run_in, run_in_scratch
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.plan import desired
from appliance.kernel.probe import choose, probe
from appliance.kernel.script import replace_table

pytestmark = pytest.mark.netns

A4, B4 = "10.9.0.1", "10.9.0.2"
FOREIGN = {
    "nft": "table inet mine { chain c { type filter hook forward priority 5; accept; }\n }",
    "iptables": ("-t", "mangle", "-A", "FORWARD", "-m", "comment", "--comment", "mine", "-j", "ACCEPT"),
}


@pytest.fixture
def world():
    with Lab("drift") as lab:
        made = plug(lab, {"a": [A4], "b": [B4]})
        with Wire(lab) as wire:
            made.wire = wire
            yield made


def passes(world):
    """Tell whether IP passes between the guests; ARP must in any case."""
    a, b = world.guests["a"], world.guests["b"]
    assert world.wire.crosses(a, ether(BROADCAST, a.address, 0x806, arp(a.address, A4, B4)), b)
    return world.wire.crosses(a, ether(b.address, a.address, 0x800, ip4(A4, B4, 17, udp(1, 2))), b)


def on_host(world, *argv):
    return world.lab.run(world.lab.host, *argv)


def test_what_is_applied_is_not_applied_again(world):
    assert world.apply()
    made = run_in(world.lab.host, nftables.generation)
    assert not world.apply()
    assert run_in(world.lab.host, nftables.generation) == made
    assert passes(world)
    assert world.driver.audit() == []


TABLES = ("raw", "mangle", "filter")
# What somebody does to the host: (commands, whether IP still passes before the repair, what is reported)
DAMAGE = {
    "tables deleted": ([("nft", "delete", "table", "bridge", "eastwall")], None, {"nft tables"}),
    "chain flushed": ([("nft", "flush", "chain", "bridge", "eastwall", "prerouting")], None, {"nft tables"}),
    "element removed": (
        [("nft", "flush", "map", "bridge", "eastwall", "out_ports")],
        None,
        {"nft tables"},
    ),
    "iptables flushed": (
        [
            ("iptables-legacy", "-t", table, flag)
            for table in ("raw", "mangle", "filter")
            for flag in ("-F", "-X")
        ],
        False,
        {"iptables raw", "iptables mangle", "iptables filter"},
    ),
    "jump removed": ([("iptables-legacy", "-t", "mangle", "-F", "FORWARD")], False, {"iptables mangle"}),
    "jump not first": (
        [("iptables-legacy", "-t", "filter", "-I", "FORWARD", "1", "-j", "ACCEPT")],
        True,
        {"iptables filter"},
    ),
    "rule inserted": (
        [("iptables-legacy", "-t", "mangle", "-I", "EASTWALL-FORWARD", "1", "-j", "ACCEPT")],
        False,
        {"iptables mangle"},
    ),
    "bridge netfilter off": (
        [("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")],
        False,
        {"sysctl net.bridge.bridge-nf-call-iptables"},
    ),
    "port learns": ([("bridge", "link", "set", "dev", "p1-a", "learning", "on")], True, {"bridge port p1-a"}),
    "port is flooded": (
        [("bridge", "link", "set", "dev", "p2-b", "flood", "on")],
        True,
        {"bridge port p2-b"},
    ),
    "address forgotten": (
        [("bridge", "fdb", "del", "02:00:5e:10:00:01", "dev", "p1-a", "master")],
        True,
        {"bridge port p1-a"},
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_drift_is_found_and_repaired_and_lets_nothing_through(world, name):
    commands, still_passes, reported = DAMAGE[name]
    world.apply()
    assert world.driver.audit() == []
    for command in commands:
        on_host(world, *command)
    if still_passes is not None:
        assert passes(world) == still_passes
    drifts = world.driver.audit()
    assert {drift.what for drift in drifts} == reported
    assert all(drift.repaired for drift in drifts)
    assert world.driver.audit() == []
    assert passes(world)


def test_what_goes_around_the_xtables_rules_is_counted(world):
    world.apply()
    on_host(world, "iptables-legacy", "-t", "mangle", "-F", "FORWARD")
    before = world.count("drop.uninspected")
    assert not passes(world)
    assert world.count("drop.uninspected") == before + 1


def test_others_rules_are_no_drift(world):
    world.apply()
    assert world.driver.audit() == []
    run_in(world.lab.host, lambda: run(("nft", "-f", "-"), FOREIGN["nft"]))
    on_host(world, "iptables-legacy", *FOREIGN["iptables"])
    assert world.driver.audit() == []


def test_sweep_takes_away_what_is_ours_and_nothing_else(world):
    host = world.lab.host
    run_in(host, lambda: run(("nft", "-f", "-"), FOREIGN["nft"]))
    on_host(world, "iptables-legacy", *FOREIGN["iptables"])
    on_host(world, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0")
    others = on_host(world, "nft", "list", "ruleset")
    rules = on_host(world, "iptables-legacy", "-t", "mangle", "-S")
    ports = run_in(host, lambda: links.ports(["p1-a", "p2-b"]))
    world.apply()
    assert run_in(host, lambda: links.ports(["p1-a", "p2-b"])) != ports
    world.driver.sweep()
    assert on_host(world, "nft", "list", "ruleset") == others
    assert on_host(world, "iptables-legacy", "-t", "mangle", "-S") == rules
    assert "EASTWALL" not in on_host(world, "iptables-legacy-save") + on_host(world, "ip6tables-legacy-save")
    assert run_in(host, lambda: links.ports(["p1-a", "p2-b"])) == ports
    assert "= 0" in on_host(world, "sysctl", "net.netfilter.nf_conntrack_acct")
    assert passes(world)
    world.driver.sweep()  # nothing is there any more
    assert world.driver.adopt() is None


def test_another_process_adopts_what_is_there(world):
    state = world.state(epoch=41, workers=2, queue_base=6)
    world.driver.apply(state)
    after = KernelDriver(world.lab.host)
    found = after.adopt()
    assert found is not None
    assert (found.epoch, found.workers, found.queue_base, found.datapath) == (41, 2, 6, Datapath.XTABLES)
    assert found.digest == state.digest
    assert passes(world)
    after.apply(state)
    assert passes(world)
    assert after.audit() == []
    jumps = on_host(world, "iptables-legacy", "-t", "mangle", "-S", "FORWARD")
    assert jumps.count("-j EASTWALL-FORWARD") == 1
    KernelDriver(world.lab.host).sweep()  # one that never applied anything knows what to take away
    assert passes(world)
    assert not any(one.macs for one in run_in(world.lab.host, lambda: links.ports(["p1-a", "p2-b"])).values())


@pytest.mark.parametrize("step", ["nft", "raw", "filter", "mangle", "sysctls"])
def test_dying_half_way_lets_nothing_through_uninspected(world, monkeypatch, step):
    on_host(world, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")

    def die(*_):
        raise KernelError("the process was killed")

    whole = iptables.Xtables.restore

    def restore(self, table):
        if table.name == step:
            die()
        return whole(self, table)

    with monkeypatch.context() as patch:
        if step == "nft":
            patch.setattr("appliance.kernel.driver.nftables.apply", die)
        elif step == "sysctls":
            patch.setattr("appliance.kernel.driver.sysctls.apply", die)
        else:
            patch.setattr(iptables.Xtables, "restore", restore)
        with pytest.raises(KernelError, match="killed"):
            world.apply()
    assert passes(world) == (step == "nft")  # nothing had been done yet
    world.apply()
    assert passes(world)


def test_a_port_that_leaves_is_given_back(world):
    world.apply()
    left = [one for one in world.ports if one.name == "p1-a"]
    world.driver.apply(desired(left, world.bound(), KernelOptions()))
    b = run_in(world.lab.host, lambda: links.ports(["p2-b"]))["p2-b"]
    assert (b.learning, b.flood, b.macs) == (True, True, ())
    assert "p2-b" not in on_host(world, "nft", "list", "map", "bridge", "eastwall", "in_ports")


def test_ports_of_other_bridges_are_left_alone(world):
    lab = world.lab
    lab.ip("link", "add", "other0", "type", "bridge", "forward_delay", "0")
    lab.ip("link", "set", "other0", "up")
    c, d = lab.vm("c", bridge="other0"), lab.vm("d", bridge="other0")
    members = run_in(lab.host, links.members)
    assert {(one.name, one.index, one.bridge) for one in members} == {
        *((guest.port, guest.index, BRIDGE) for guest in world.guests.values()),
        *((guest.port, guest.index, "other0") for guest in (c, d)),
    }
    foreign = [one.name for one in members if one.bridge != BRIDGE]
    world.driver.apply(desired(world.ports, world.bound(), KernelOptions(), foreign=foreign))
    frame = ether(d.address, c.address, 0x800, ip4("192.0.2.1", "192.0.2.2", 17, udp(1, 2)))
    assert world.wire.crosses(c, frame, d)
    assert passes(world)


def test_a_namespace_that_is_not_there():
    with pytest.raises(KernelError, match="network namespace /run/netns/ew-nowhere: No such file"):
        KernelDriver("ew-nowhere").audit() or KernelDriver("ew-nowhere").seen()


def test_the_probe_says_what_there_is_and_what_is_missing():
    found = probe()
    assert found.datapaths
    for datapath in Datapath:
        if datapath in found.datapaths:
            assert choose(found, datapath) is datapath
            assert datapath not in found.missing
        else:
            with pytest.raises(KernelError, match=found.missing[datapath][0].split("(")[0]):
                choose(found, datapath)
    assert choose(found) in found.datapaths


@pytest.mark.parametrize("options", [NFT, XT])
def test_nft_understands_every_rule(options):
    """Also those that this kernel cannot do: then it is the kernel that refuses them, not nft's parser."""
    inv = inventory(vm(1, "strict-1", ["10.0.0.1"], vlan=5), vm(2, "strict-2", ["10.0.0.2"], vlan=6))
    a, b = inv.interfaces
    trunk = [port(a, vlan=5, zone=5, name="trunk"), port(b, vlan=6, zone=6, name="trunk"), port("trunk")]
    states = [
        planned(options),
        desired([*trunk, port("eth0", zone=3)], bound(POLICIES, inv), options),
        desired([], NO_POLICIES, options),
    ]
    able = options.datapath in probe().datapaths
    for table in (one for state in states for one in state.nft):
        script = replace_table(table)
        fine, said = run_in_scratch(partial(attempt, ("nft", "-c", "-f", "-"), script))
        assert fine or not able, said
        complaints = [line for line in said.splitlines() if "Error:" in line]
        assert all("Could not process rule" in line for line in complaints), said
        refused = {
            line.split("eastwall ", 1)[1].split()[0] for line in said.splitlines() if line.startswith("add ")
        }
        assert refused <= {"prerouting", "forward", "inspect", "limits", "verdicts"}


NAMES = ["a", "b", "server1", "trusted1"]
CHANGES = st.lists(
    st.tuples(
        st.sets(st.sampled_from(NAMES)),
        st.sampled_from([PASSING, POLICIES]),
        st.integers(1, 3),
        st.sampled_from([0, 7]),
        st.sampled_from([None, 5]),
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=12)
@given(CHANGES)
def test_changes_lead_where_a_new_start_would(changes):
    """Whatever was there before, the tables list the same as if they had been made at once."""
    addresses = {"a": ["10.0.0.1", "fd00::1"], "server1": ["10.1.0.0/16", "10.2.0.1-10.2.0.9", "fd01::/64"]}
    inv = inventory(*(vm(n, name, addresses.get(name, ())) for n, name in enumerate(NAMES, 1)))

    def state(names, text, epoch, zone, vlan):
        ports = [port(one, zone=zone) for one in inv.interfaces if one.vm.name in names]
        extra = [port("up")] + ([port(inv.interfaces[0], vlan=vlan, name="trunk")] if vlan else [])
        return desired([*ports, *extra], bound(text, inv, epoch), XT)

    def listed(driver, last):
        return sorted(nftables.listing(nftables.noted(last)).splitlines()), driver.audit()

    def step_by_step():
        driver = KernelDriver()
        for change in changes:
            driver.apply(state(*change))
        return listed(driver, state(*changes[-1]))

    def at_once():
        driver = KernelDriver()
        driver.apply(state(*changes[-1]))
        return listed(driver, state(*changes[-1]))

    assert run_in_scratch(step_by_step) == run_in_scratch(at_once)


def test_counters_go_on_when_rules_are_made_anew(world):
    world.apply()
    assert passes(world)
    before = world.driver.counters()["queued_open"].packets
    assert before
    world.apply(epoch=2)
    assert passes(world)
    on_host(world, "iptables-legacy", "-t", "mangle", "-D", "EASTWALL-FORWARD", "1")
    assert [one.what for one in world.driver.audit()] == ["iptables mangle"]
    assert world.driver.counters()["queued_open"].packets >= before + 1


def test_a_device_that_is_made_anew_gets_its_flags(world):
    world.apply()
    old = world.guests["a"]
    world.lab.unplug(old)
    new = world.lab.vm("c", mac=old.mac)
    world.lab.ip("link", "set", new.port, "down")
    world.lab.ip("link", "set", new.port, "name", old.port)
    world.guests["a"] = replace(new, name="a", port=old.port)
    assert world.apply()
    made = run_in(world.lab.host, lambda: links.ports([old.port]))[old.port]
    assert (made.learning, made.flood, made.macs) == (False, False, (old.address,))
