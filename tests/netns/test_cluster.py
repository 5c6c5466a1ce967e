"""A machine moves between two hosts that share ownership by NATS, and nobody orders anything."""

from __future__ import annotations

import pytest

from tests.netns.cluster import cluster_of, move, state_of
from tests.netns.crowd import Crowd
from tests.netns.hosts import two_hosts
from tests.netns.running import Talk, listen, say, uuid_of
from tests.netns.test_enforced import ALLOWED, ATTACK, DENIED, RULE, policies

pytestmark = pytest.mark.netns


@pytest.fixture
def hosts():
    """The machine b, a server, is on the first host and moves; a stays there, a2 is on the second."""
    with two_hosts() as hosts:
        hosts.a = hosts.vm(hosts.one, "a", 1)
        hosts.b = hosts.vm(hosts.one, "b", 2)
        hosts.a2 = hosts.vm(hosts.two, "a2", 3)
        for port in (ALLOWED, DENIED):
            listen(hosts.one, hosts.b, port)
        yield hosts


@pytest.fixture
def cluster(hosts, tmp_path):
    with cluster_of(hosts, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def pair(hosts, cluster, tmp_path):
    documents = [policies(stateful={"strict": True})]  # without its state a connection is refused
    first = cluster.appliance(hosts.one, tmp_path / "one", documents, RULE)
    second = cluster.appliance(hosts.two, tmp_path / "two", documents, RULE)
    with first, second:
        yield first, second


def test_a_hundred_connections_go_on_and_stay_under_inspection(hosts, pair):
    first, second = pair
    crowds = [
        Crowd(hosts.one, hosts.a, "10.9.0.2", ALLOWED, 45),
        Crowd(hosts.two, hosts.a2, "10.9.0.2", ALLOWED, 45),
    ]
    talks = [Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED) for _ in range(5)]
    talks += [Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED) for _ in range(5)]
    for talk in talks:
        assert talk.say("one") == "one"
    for talk in (talks[0], talks[5]):
        talk.send("attack-")  # the first half of what the rule looks for
    move(hosts, second, hosts.b)
    done = second.wait_record("eastwall", eastwall__event="handoff.done")["eastwall"]
    assert done["flows"] >= 100
    assert done["lost"] == 0
    assert done["source"] == "one"
    results = [one for crowd in crowds for one in crowd.end()]
    assert [one for one in results if one["why"]] == []
    assert len(results) == 90
    assert all(one["rounds"] >= 2 for one in results)
    for talk in talks[1:5] + talks[6:]:
        assert talk.say("two") == "two"
    for talk in (talks[0], talks[5]):
        assert talk.say("marker") == "silence"
    assert second.wait_record("alert", alert__signature_id=1)
    assert talks[1].say("attack-marker") == "silence"
    for guest, lab in ((hosts.a, hosts.one), (hosts.a2, hosts.two)):
        assert say(lab, guest, "10.9.0.2", ALLOWED) == "echo"
        assert say(lab, guest, "10.9.0.2", DENIED, patience=1) == "silence"
        assert say(lab, guest, "10.9.0.2", ALLOWED, ATTACK, patience=1) == "silence"
    first.wait_for(lambda: state_of(first, "b") == "", "forgetting", 30)
    assert first.notes("handoff.offered")[0]["to"] == "two"
    for talk in talks:
        talk.close()


def test_there_and_back_with_its_quarantine(hosts, pair):
    first, second = pair
    talk = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    move(hosts, second, hosts.b)
    second.wait_for(lambda: talk.say("two") == "two", "its answer", 30)
    move(hosts, first, hosts.b, back=True)
    first.wait_for(lambda: talk.say("three") == "three", "its answer", 30)
    first.ask("quarantine", vm="b")
    assert talk.say("four") == "silence"
    move(hosts, second, hosts.b)
    assert second.status()["quarantine"] == [uuid_of("b")]
    assert talk.say("five") == "silence"
    talk.close()


def test_a_supervisor_that_is_killed_changes_nothing_for_who_passes(hosts, cluster, pair):
    first, second = pair
    talk = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    first.kill()
    cluster.cut("h0")
    first.spawn()  # it passes at once, without a word of the store
    first.wait_for(lambda: first.placed() == 2, "protection", 120)
    assert talk.say("two") == "two"
    cluster.cut("h0", off=False)
    first.wait_for(lambda: first.status()["cluster"]["connected"], "a connection", 60)
    move(hosts, second, hosts.b)
    second.wait_for(lambda: talk.say("three") == "three", "its answer", 30)
    talk.close()


def test_each_interface_has_its_policy_and_the_one_that_changes_meanwhile_is_in_force(
    hosts, cluster, tmp_path
):
    """The machine b has two interfaces: eth0 is a server's, eth1 lets nobody in."""
    extra = hosts.second_interface(hosts.b, hosts.one, "10.9.0.9")
    documents = policies()
    documents["bindings"] = [{"name": "b*", "interface": "eth1", "policy": "client"}, *documents["bindings"]]
    first = cluster.appliance(hosts.one, tmp_path / "one", [documents], RULE)
    second = cluster.appliance(hosts.two, tmp_path / "two", [documents], RULE)
    with first, second:
        first.wait_for(lambda: first.placed() == 3, "protection", 60)
        kept = Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED)
        assert kept.say("one") == "one"
        assert say(hosts.one, hosts.a, "10.9.0.9", ALLOWED, patience=1) == "silence"
        for guest in (hosts.b, extra):
            hosts.unplug(guest, hosts.one)
        web = {"name": "web", "direction": "in", "protocol": "tcp", "destination_port": DENIED}
        changed = policies(server_rules=[web | {"action": "allow"}]) | {"bindings": documents["bindings"]}
        second.write_policies(changed)
        second.ask("reload")
        for guest in (hosts.b, extra):
            hosts.plug(guest, hosts.two)
        second.wait_for(lambda: second.placed() == 3, "protection", 60)
        found = {one["name"]: one["policy"] for one in second.status()["interfaces"]}
        assert (found["b/eth0"], found["b/eth1"]) == ("server", "client")
        assert kept.say("two") == "silence"
        assert say(hosts.one, hosts.a, "10.9.0.2", DENIED) == "echo"
        assert say(hosts.one, hosts.a, "10.9.0.9", DENIED, patience=1) == "silence"
        kept.close()
