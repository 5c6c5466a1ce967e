"""What becomes of a machine's connections and policy when it moves, stops, or changes; see docs/moves.md.

The hosts run for all tests of this file; each test has a machine of its own, a server named b….
"""

from __future__ import annotations

import sys
import time

import pytest

from tests.netns.cluster import cluster_of, passes, state_of
from tests.netns.hosts import two_hosts
from tests.netns.lab import BRIDGE, call
from tests.netns.running import Running, Talk, listen, say, uuid_of
from tests.netns.test_enforced import ALLOWED, DENIED, RULE, policies

pytestmark = pytest.mark.netns
NAMES = ("vmotion", "storage", "cold", "suspend", "revert", "mac", "plug")
QUICK = {"timers": {"expecting": "1s", "waiting": "500ms", "left": "4s", "given": "4s"}}


class Scene:
    """Two hosts, their appliances, and machines by what is done to them."""

    def __init__(self, hosts, cluster, folder):
        self.hosts = hosts
        self.a = hosts.vm(hosts.one, "a", 1)
        self.a2 = hosts.vm(hosts.two, "a2", 2)
        self.machines = {name: hosts.vm(hosts.one, f"b-{name}", 10 + n) for n, name in enumerate(NAMES)}
        self.servers = {}
        for guest in self.machines.values():
            self.servers[guest.name] = [listen(hosts.one, guest, port) for port in (ALLOWED, DENIED)]
        documents = policies(stateful={"strict": True})
        documents["bindings"] = [
            {"name": "b*", "interface": "eth1", "policy": "client"},
            *documents["bindings"],
        ]
        self.first: Running = cluster.appliance(hosts.one, folder / "one", [documents], RULE, cluster=QUICK)
        self.second: Running = cluster.appliance(hosts.two, folder / "two", [documents], RULE, cluster=QUICK)

    def address(self, name):
        return f"10.9.0.{10 + NAMES.index(name)}"

    def talk(self, name):
        talk = Talk(self.hosts.two, self.a2, self.address(name), ALLOWED)
        assert talk.say("one") == "one"
        return talk

    def held_to_policy(self, name):
        for lab, guest in ((self.hosts.one, self.a), (self.hosts.two, self.a2)):
            assert say(lab, guest, self.address(name), ALLOWED, patience=10) == "echo"
            assert say(lab, guest, self.address(name), DENIED, patience=1) == "silence"

    def interface(self, appliance, name, interface="eth0"):
        found = appliance.status()["cluster"]["interfaces"]
        return next(
            (o for o in found if (o["uuid"], o["interface"]) == (uuid_of(f"b-{name}"), interface)), None
        )

    def noted(self, appliance, event, name):
        return [one for one in appliance.notes(event) if one["uuid"] == uuid_of(f"b-{name}")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moves")
    with two_hosts() as hosts, cluster_of(hosts, folder) as cluster:
        scene = Scene(hosts, cluster, folder)
        with scene.first, scene.second:
            yield scene


def test_live_migration(scene):
    """The target's tap is there while the machine still runs at the source; then it goes on there."""
    hosts, guest = scene.hosts, scene.machines["vmotion"]
    talk = scene.talk("vmotion")
    there = ("type", "veth", "peer", "name", "next0", "netns", guest.namespace, "address", guest.mac)
    hosts.two.ip("link", "add", "t-next", *there)
    hosts.two.ip("link", "set", "t-next", "address", "fe" + guest.mac[2:])
    hosts.two.ip("link", "set", "t-next", "master", BRIDGE, "up")
    second = scene.second
    second.wait_for(lambda: state_of(second, guest.name) == "expecting", "the state expecting", 30)
    assert talk.say("two") == "two"  # it still runs there
    assert not passes(second, guest)
    hosts.unplug(guest, hosts.one)
    address = f"{scene.address('vmotion')}/24"
    call("ip", "-n", guest.namespace, "address", "del", address, "dev", "eth0")
    call("ip", "-n", guest.namespace, "address", "add", address, "dev", "next0")
    call("ip", "-n", guest.namespace, "link", "set", "next0", "up")
    second.wait_for(lambda: passes(second, guest), "protection", 60)
    second.wait_for(lambda: talk.say("three") == "three", "its answer", 30)
    second.wait_for(lambda: scene.noted(second, "handoff.done", "vmotion"), "record", 10)
    scene.held_to_policy("vmotion")
    talk.close()


def test_storage_migration(scene):
    """Nothing happens to the network: the interface stays where it is, and so does everything else."""
    before = scene.interface(scene.first, "storage")
    talk = scene.talk("storage")
    scene.first.ask("reload")  # as word of a change of the machine brings it
    assert talk.say("two") == "two"
    after = scene.interface(scene.first, "storage")
    assert (after["state"], after["revision"]) == ("owner", before["revision"])
    scene.held_to_policy("storage")
    talk.close()


def test_cold_migration(scene):
    """It is off for longer than its state is kept: it is claimed like a new one."""
    hosts, guest, first, second = scene.hosts, scene.machines["cold"], scene.first, scene.second
    hosts.unplug(guest, hosts.one)
    first.wait_for(lambda: state_of(first, guest.name) == "", "end of what was kept", 60)
    hosts.plug(guest, hosts.two)
    second.wait_for(lambda: passes(second, guest), "protection", 60)
    assert scene.noted(second, "handoff.claimed", "cold")
    assert not scene.noted(second, "handoff.done", "cold")
    scene.held_to_policy("cold")


def test_suspend_and_resume(scene):
    """Its device goes and comes back on the same host: its connections go on under inspection."""
    hosts, guest, first = scene.hosts, scene.machines["suspend"], scene.first
    talk = scene.talk("suspend")
    before = scene.interface(first, "suspend")["revision"]
    talk.send("attack-")
    hosts.unplug(guest, hosts.one)
    first.wait_for(lambda: state_of(first, guest.name) == "left", "the state left", 30)
    hosts.plug(guest, hosts.one)
    first.wait_for(lambda: passes(first, guest), "protection", 60)
    assert scene.interface(first, "suspend")["revision"] == before
    assert talk.say("marker") == "silence"  # the second half of what the rule looks for
    scene.held_to_policy("suspend")
    talk.close()


def test_snapshot_revert(scene):
    """The machine knows nothing of its connections any more: it resets them, and its policy is in force."""
    hosts, guest, first = scene.hosts, scene.machines["revert"], scene.first
    talk = scene.talk("revert")
    hosts.unplug(guest, hosts.one)
    for server in scene.servers[guest.name]:
        hosts.one.end(server)
    scene.servers[guest.name] = [listen(hosts.one, guest, port) for port in (ALLOWED, DENIED)]
    hosts.plug(guest, hosts.one)
    first.wait_for(lambda: passes(first, guest), "protection", 60)
    assert talk.say("two") in {"", "reset"}
    scene.held_to_policy("revert")
    talk.close()


def test_change_of_mac(scene):
    """What it sends with a MAC that is not its own is dropped until the inventory has it; its owner stays."""
    hosts, guest, first = scene.hosts, scene.machines["mac"], scene.first
    scene.held_to_policy("mac")
    before = scene.interface(first, "mac")["revision"]
    new = guest.mac[:-5] + "ee:" + guest.mac[-2:]
    call("ip", "-n", guest.namespace, "link", "set", "eth0", "down")
    call("ip", "-n", guest.namespace, "link", "set", "eth0", "address", new, "up")
    for lab, other in ((hosts.one, scene.a), (hosts.two, scene.a2)):
        call("ip", "-n", other.namespace, "neigh", "flush", "all")
        assert say(lab, other, scene.address("mac"), ALLOWED, patience=1) in {"silence", "error 113"}
    changed = type(guest)(guest.name, guest.namespace, new, guest.port, guest.index)
    hosts.machines[guest.name] = scene.machines["mac"] = changed
    hosts.one.ip("link", "set", guest.port, "address", "fe" + new[2:])
    hosts.write_inventory(first, scene.second)
    for one in (first, scene.second):
        one.ask("reload")
    for other in (scene.a, scene.a2):
        call("ip", "-n", other.namespace, "neigh", "flush", "all")
    first.wait_for(lambda: passes(first, changed), "protection", 30)
    scene.held_to_policy("mac")
    assert scene.interface(first, "mac")["revision"] >= before


def test_hot_plugged_interface(scene):
    """An interface that is added while the machine runs has its own policy, owner and flows."""
    hosts, guest, first = scene.hosts, scene.machines["plug"], scene.first
    talk = scene.talk("plug")
    added = hosts.second_interface(guest, hosts.one, "10.9.0.99")
    assert say(hosts.one, scene.a, "10.9.0.99", ALLOWED, patience=1) in {
        "silence",
        "error 113",
    }  # nobody's yet
    hosts.write_inventory(first, scene.second)
    for one in (first, scene.second):
        one.ask("reload")
    first.wait_for(lambda: (scene.interface(first, "plug", "eth1") or {}).get("passes"), "protection", 30)
    protected = [one for one in scene.noted(first, "vm.protected", "plug") if one["interface"] == "eth1"]
    assert protected[-1]["policy"] == "client"
    assert say(hosts.one, scene.a, "10.9.0.99", ALLOWED, patience=1) == "silence"
    assert talk.say("two") == "two"
    hosts.unplug(added, hosts.one)
    first.wait_for(lambda: not (scene.interface(first, "plug", "eth1") or {}).get("passes"), "its end", 30)
    assert talk.say("three") == "three"
    scene.held_to_policy("plug")
    talk.close()


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "adopts"])
def test_high_availability(tmp_path, strict):
    """The source is dead. Its policy says what becomes of connections that are met in their middle."""
    with two_hosts() as hosts, cluster_of(hosts, tmp_path) as cluster:
        a, a2, b = hosts.vm(hosts.one, "a", 1), hosts.vm(hosts.two, "a2", 2), hosts.vm(hosts.one, "b", 3)
        for port in (ALLOWED, DENIED):
            listen(hosts.one, b, port)
        documents = [policies(stateful={"strict": strict})]
        first = cluster.appliance(hosts.one, tmp_path / "one", documents, RULE)
        second = cluster.appliance(hosts.two, tmp_path / "two", documents, RULE)
        with first, second:
            talk = Talk(hosts.one, a, "10.9.0.3", ALLOWED)  # of it the other host has seen nothing
            assert talk.say("one") == "one"
            cluster.cut("h0")
            first.stop()
            hosts.one.run(
                hosts.one.host, sys.executable, "-m", "appliance.cli", "sweep", "-c", str(first.config)
            )
            hosts.unplug(b, hosts.one)
            hosts.plug(b, hosts.two)
            second.wait_for(lambda: state_of(second, "b") == "expecting", "the state expecting", 30)
            time.sleep(0.5)
            assert not passes(second, b)
            second.ask("handoff", action="take", vm="b")
            second.wait_for(lambda: passes(second, b), "protection", 30)
            assert say(hosts.two, a2, "10.9.0.3", ALLOWED, patience=10) == "echo"
            assert say(hosts.two, a2, "10.9.0.3", DENIED, patience=1) == "silence"
            if strict:
                assert talk.say("two") == "silence"
            else:
                second.wait_for(lambda: talk.say("two") == "two", "its answer", 30)
            talk.close()
