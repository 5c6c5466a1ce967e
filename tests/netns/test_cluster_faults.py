"""Hosts that share machines, when what they share by is cut, hangs, dies, lies or has old data."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from tests.netns.cluster import cluster_of, move, passes, state_of
from tests.netns.hosts import two_hosts
from tests.netns.running import Talk, listen, say, uuid_of
from tests.netns.test_enforced import ALLOWED, DENIED, RULE, policies

pytestmark = pytest.mark.netns
STRICT = policies(stateful={"strict": True})
PUBLISH = """
import asyncio, sys, nats
async def main():
    client = await nats.connect(sys.argv[1])
    for line in sys.stdin:
        subject, data = line.split(" ", 1)
        await client.publish(subject, bytes.fromhex(data))
    await client.flush()
    await client.close()
asyncio.run(main())
"""


@pytest.fixture
def hosts():
    with two_hosts() as hosts:
        hosts.a = hosts.vm(hosts.one, "a", 1)
        hosts.b = hosts.vm(hosts.one, "b", 2)
        hosts.a2 = hosts.vm(hosts.two, "a2", 3)
        listen(hosts.one, hosts.b, ALLOWED)
        yield hosts


def pair_of(hosts, cluster, tmp_path, **more):
    first = cluster.appliance(hosts.one, tmp_path / "one", [STRICT], RULE, **more)
    second = cluster.appliance(hosts.two, tmp_path / "two", [STRICT], RULE, **more)
    return first, second


@pytest.fixture
def cluster(hosts, tmp_path):
    with cluster_of(hosts, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def pair(hosts, cluster, tmp_path):
    first, second = pair_of(hosts, cluster, tmp_path)
    with first, second:
        yield first, second


def publish(cluster, messages):
    """Publish raw bytes by subject, as somebody would who may."""
    server = cluster.servers[0]
    script = (sys.executable, "-c", PUBLISH, f"nats://{server.address}:4222")
    process = cluster.hosts.one.spawn(server.space, *script, stdin=-1)
    process.communicate("".join(f"{subject} {data.hex()}\n" for subject, data in messages), timeout=60)
    assert process.returncode == 0


def connected(*appliances, yes=True):
    for one in appliances:
        one.wait_for(lambda one=one: one.status()["cluster"]["connected"] is yes, f"connection {yes}", 60)


def never_both(first, second, guest, seconds):
    """Look for a while that a guest passes on one host at most."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert not (passes(second, guest) and passes(first, guest) and passes(second, guest))
        time.sleep(0.1)


def test_of_two_hosts_that_claim_a_machine_one_passes_it_and_healing_needs_nobody(hosts, cluster, pair):
    first, second = pair
    talk = Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    cluster.cut("h0")
    twin = hosts.two.vm("twin", mac=hosts.b.mac)  # the same machine is started on the other host too
    hosts.two.ip("link", "set", twin.port, "address", "fe" + twin.mac[2:])
    second.wait_for(lambda: state_of(second, "b") == "expecting", "the state expecting", 30)
    never_both(first, second, hosts.b, 3)
    assert talk.say("two") == "two"
    lost = second.wait_record("eastwall", 60, eastwall__event="owner.lost")["eastwall"]
    assert (lost["owner"], lost["uuid"]) == ("one", uuid_of("b"))
    cluster.cut("h0", off=False)
    connected(first)
    second.wait_record("eastwall", 60, eastwall__event="owner.conflict")
    never_both(first, second, hosts.b, 2)
    assert passes(first, hosts.b)
    assert talk.say("three") == "three"
    hosts.two.unplug(twin)
    second.wait_for(lambda: state_of(second, "b") == "", "end of the claim", 30)
    move(hosts, second, hosts.b)
    assert talk.say("four") == "four"
    talk.close()


def test_who_moves_while_its_new_host_is_cut_off_waits_and_passes_when_it_is_healed(hosts, cluster, pair):
    _, second = pair
    cluster.cut("h1")
    connected(second, yes=False)
    hosts.unplug(hosts.b, hosts.one)
    hosts.plug(hosts.b, hosts.two)
    second.wait_for(lambda: state_of(second, "b") == "waiting", "the state waiting", 30)
    assert not passes(second, hosts.b)
    assert say(hosts.two, hosts.a2, "10.9.0.2", ALLOWED, patience=1) == "silence"
    cluster.cut("h1", off=False)
    second.wait_for(lambda: passes(second, hosts.b), "protection", 60)
    assert say(hosts.two, hosts.a2, "10.9.0.2", ALLOWED) == "echo"


def test_a_dead_host_is_robbed_by_order(hosts, cluster, pair):
    first, second = pair
    first.stop()  # its records stay; its bridge is gone with its machines
    hosts.unplug(hosts.b, hosts.one)
    hosts.plug(hosts.b, hosts.two)
    second.wait_for(lambda: state_of(second, "b") == "expecting", "the state expecting", 30)
    assert not passes(second, hosts.b)
    command = (
        sys.executable,
        "-m",
        "appliance.cli",
        "handoff",
        "take",
        "b/eth0",
        "--socket",
        str(second.socket),
    )
    assert "eth0" in hosts.two.run(hosts.two.host, *command)
    second.wait_for(lambda: passes(second, hosts.b), "protection", 30)
    claimed = [one for one in second.notes("handoff.claimed") if one["uuid"] == uuid_of("b")]
    assert claimed[-1]["seized"]
    shown = hosts.two.run(hosts.two.host, *command[:3], "hosts", "--socket", str(second.socket))
    assert "two: connected to nats://" in shown


def test_three_servers_of_which_one_is_killed_and_one_cut_off(hosts, tmp_path):
    with cluster_of(hosts, tmp_path, servers=3) as cluster:
        first, second = pair_of(hosts, cluster, tmp_path)
        with first, second:
            talk = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
            assert talk.say("one") == "one"
            cluster.servers[0].kill()
            connected(first, second)
            move(hosts, second, hosts.b)
            second.wait_for(lambda: talk.say("two") == "two", "its answer", 30)
            cluster.cut("n1")  # one of three is left: nobody can write
            assert talk.say("three") == "three"
            hosts.unplug(hosts.b, hosts.two)
            hosts.plug(hosts.b, hosts.one)
            first.wait_for(
                lambda: state_of(first, "b") in {"waiting", "claiming", "expecting"}, "a claim", 30
            )
            never_both(first, second, hosts.b, 3)
            assert not passes(first, hosts.b)
            cluster.cut("n1", off=False)
            first.wait_for(lambda: passes(first, hosts.b), "protection", 90)
            assert say(hosts.one, hosts.a, "10.9.0.2", ALLOWED) == "echo"
            talk.close()


def test_servers_that_hang_or_restart_hold_up_nothing_that_passes(hosts, cluster, pair):
    first, second = pair
    talk = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    cluster.servers[0].send(signal.SIGSTOP)
    assert talk.say("two") == "two"
    assert say(hosts.two, hosts.a2, "10.9.0.2", ALLOWED) == "echo"
    web = {"name": "web", "direction": "in", "protocol": "tcp", "destination_port": [ALLOWED, DENIED]}
    first.write_policies(policies(server_rules=[web | {"action": "allow"}]))
    assert first.ask("reload")["epoch"] >= 2
    connected(first, second, yes=False)
    extra = hosts.vm(hosts.one, "c", 4)
    hosts.write_inventory(first, second)
    first.ask("reload")
    first.wait_for(lambda: state_of(first, "c") == "waiting", "the state waiting", 30)
    assert not passes(first, extra)
    assert talk.say("three") == "three"
    cluster.servers[0].send(signal.SIGCONT)
    first.wait_for(lambda: passes(first, extra), "protection", 60)
    cluster.stop()
    connected(first, second, yes=False)
    assert talk.say("four") == "four"
    cluster.start()
    connected(first, second)
    move(hosts, second, hosts.b)
    second.wait_for(lambda: talk.say("five") == "five", "its answer", 30)
    talk.close()


def test_garbage_and_old_data_change_nothing(hosts, cluster, pair):
    first, second = pair
    talk = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    key = f"$KV.eastwall-owners.{uuid_of('b')}.eth0"
    old = {"v": 1, "uuid": uuid_of("b"), "name": "eth0", "host": "two", "at": 1}
    lies = [b"\xff\x00", b"{}", b"[" * 1000, json.dumps({"v": 99}).encode(), b"x" * 500_000]
    subjects = [
        f"eastwall.to.{host}.{sender}.say" for host in ("one", "two") for sender in ("two", "one", "x")
    ]
    messages = [(subject, lie) for subject in subjects for lie in lies]
    messages += [(subject.replace("say", "piece"), lie) for subject in subjects for lie in lies]
    messages += [("$KV.eastwall-hosts.x", lie) for lie in lies[:4]] + [
        ("$KV.eastwall-owners.nonsense", b"{}")
    ]
    publish(cluster, messages)
    assert talk.say("two") == "two"
    publish(cluster, [(key, lies[0])])  # in the place of a record
    first.wait_for(lambda: first.status()["cluster"]["counts"].get("garbage"), "count of garbage", 30)
    publish(cluster, [(key, json.dumps(old).encode())])  # from a copy that was put back
    first.wait_for(lambda: first.status()["cluster"]["driver"].get("old"), "count of old records", 30)
    assert passes(first, hosts.b)
    assert not passes(second, hosts.b)
    assert talk.say("three") == "three"
    assert first.notes("owner.conflict") == []
    move(hosts, second, hosts.b)
    second.wait_for(lambda: second.notes("handoff.done"), "record", 10)
    second.wait_for(lambda: talk.say("four") == "four", "its answer", 30)
    talk.close()


def test_a_second_installation_of_a_name_does_not_join(hosts, cluster, tmp_path):
    first = cluster.appliance(hosts.one, tmp_path / "one", [STRICT], RULE)
    (tmp_path / "again").mkdir()
    second = cluster.appliance(hosts.two, tmp_path / "again" / "one", [STRICT], RULE)
    with first:
        second.spawn()
        second.wait_for(second.ready, "workers", 120)
        second.wait_record("eastwall", 60, eastwall__event="cluster.unreachable")
        assert "another host goes by the name" in second.status()["cluster"]["problem"]
        assert not passes(second, hosts.a2)
        assert passes(first, hosts.b)
        second.stop()
