"""A guest under libvirt: migrated between two daemons under traffic, and all else that happens to machines.

Each host's appliance knows of the guest by its host's libvirt, and of nothing else.

One site for all tests here, since it takes long to make: each test leaves the guest where it found it, on the
first host and reachable.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fabric import ALLOWED, DENIED, INSIDE, MAC, POLICIES, RULE, Steady, fabric
from libvirt_lab import Libvirtd, interface

from tests.netns.cluster import cluster_of, passes
from tests.netns.lab import call
from tests.netns.running import Talk, say

pytestmark = [pytest.mark.vm, pytest.mark.netns]

GROUP = "moving"
PATIENCE = 90.0
SECOND_MAC, SECOND, SECOND_OUTSIDE = "02:00:5e:10:00:03", "10.9.1.2", "10.9.1.1"


@pytest.fixture(scope="module")
def site():
    """Two hosts with libvirtd and an appliance each, the guest on the first; its pings were seen before."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ew-")))
        net = stack.enter_context(fabric())
        cluster = stack.enter_context(cluster_of(net, folder))
        hosts = []
        for name, lab in (("one", net.one), ("two", net.two)):
            daemon = Libvirtd(lab, folder / f"lv-{name}", name)
            stack.callback(daemon.close)
            hosts.append(
                SimpleNamespace(daemon=daemon, address=f"10.99.0.{len(hosts) + 1}", name=name, lab=lab)
            )
        with net.watch("one") as seen:
            hosts[0].daemon.start()
            assert until(lambda: seen.read().pings)
        for host in hosts:
            told = {"hypervisors": [{"type": "libvirt", "uri": host.daemon.uri}], "inventory": ""}
            host.appliance = cluster.appliance(host.lab, folder / host.name, [POLICIES], RULE, **told)
            stack.enter_context(host.appliance)
        site = SimpleNamespace(net=net, one=hosts[0], two=hosts[1])
        wait_at(site, site.one)
        yield site


@pytest.fixture
def quiet(site):
    """Nothing that is denied leaves either host, whatever a test does."""
    with site.net.watch("one") as one, site.net.watch("two") as two:
        yield
        assert (one.read().pings, two.read().pings) == (0, 0)


def until(condition):
    end = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def wait_at(site, host):
    guest = site.net.machines["b"]
    host.appliance.wait_for(lambda: passes(host.appliance, guest), f"protection on {host.name}", PATIENCE)


def answer(site, port=ALLOWED, address=INSIDE, patience=1.0):
    return say(site.net.edge, site.net.client, address, port, patience=patience)


def holds(site):
    """What is allowed goes, what is denied does not."""
    assert until(lambda: answer(site) == "echo")
    assert answer(site, DENIED) == "silence"


def labels(appliance):
    return [one["name"] for one in appliance.status()["interfaces"]]


def drops(host, kind):
    counted = host.appliance.status()["kernel"]
    return sum(one["packets"] for name, one in counted.items() if name.startswith(f"drop.{kind}."))


def test_migrations_both_ways_under_traffic(site, quiet):
    talks = [Talk(site.net.edge, site.net.client, INSIDE, ALLOWED) for _ in range(3)]
    for talk in talks:
        assert talk.say("one") == "one"
    talks[0].send("attack-")
    steady = Steady(site.net, 20)
    for here, there in ((site.one, site.two), (site.two, site.one)):
        with site.net.watch(there.name) as after:
            here.daemon.migrate(there.daemon, there.address)
            wait_at(site, there)
            assert until(lambda after=after: after.read().announces)
            assert there.daemon.state() == "running"
            assert not passes(here.appliance, site.net.machines["b"])
        assert [talk.say("two") for talk in talks[1:]] == ["two"] * 2
        assert answer(site, DENIED) == "silence"
        done = there.appliance.notes("handoff.done")[-1]
        assert done["flows"] >= 20
        assert done["lost"] == 0
    told = steady.end()
    assert not told["wrong"], told
    assert max(told["silent"]) < 10.0, told
    assert talks[0].say("marker") == "silence"
    alert = site.one.appliance.wait_record("alert", alert__signature_id=1)
    assert alert["vm"]["dest"]["name"] == "b"
    for talk in talks:
        talk.close()


def test_suspended_and_resumed(site, quiet):
    talk = Talk(site.net.edge, site.net.client, INSIDE, ALLOWED)
    assert talk.say("one") == "one"
    site.one.daemon.virsh("suspend", "b")
    assert talk.say("two") == "silence"
    site.one.daemon.virsh("resume", "b")
    assert until(lambda: talk.say("three") != "silence")
    holds(site)
    talk.close()


def test_a_mac_that_the_guest_has_changed_passes_nothing(site, quiet):
    before = drops(site.one, "mac")
    change = "ip link set eth0 down; ip link set eth0 address {}; ip link set eth0 up"
    with site.one.daemon.console() as console:
        console.run(change.format("02:00:5e:10:00:99"))
        assert answer(site) == "silence"
        assert until(lambda: drops(site.one, "mac") > before)
        console.run(change.format(MAC))
    holds(site)


def test_an_interface_that_is_plugged_in_while_the_machine_runs(site, quiet, tmp_path):
    """libvirt tells of it, and it has the machine's policy without anybody's doing."""
    appliance, daemon = site.one.appliance, site.one.daemon
    described = tmp_path / "nic.xml"
    described.write_text(interface("eth1", SECOND_MAC))
    space = site.net.client.namespace
    call("ip", "-n", space, "address", "add", f"{SECOND_OUTSIDE}/24", "dev", "eth0")
    assert labels(appliance) == ["b/eth0"]
    daemon.virsh("attach-device", "b", str(described), "--live")
    appliance.wait_for(lambda: "b/eth1" in labels(appliance), "protection of the interface", PATIENCE)
    with daemon.console() as console:
        console.run(f"while ! ip link set eth1 up; do sleep 1; done; ip address add {SECOND}/24 dev eth1")
    assert until(lambda: answer(site, address=SECOND) == "echo")
    assert answer(site, DENIED, SECOND) == "silence"
    holds(site)
    daemon.virsh("detach-device", "b", str(described), "--live")
    appliance.wait_for(lambda: labels(appliance) == ["b/eth0"], "its end", PATIENCE)
    holds(site)


def test_stopped_and_started(site, quiet):
    appliance, guest = site.one.appliance, site.net.machines["b"]
    site.one.daemon.virsh("destroy", "b")
    appliance.wait_for(lambda: not passes(appliance, guest), "its end", PATIENCE)
    assert answer(site) != "echo"
    site.one.daemon.start()
    wait_at(site, site.one)
    holds(site)
