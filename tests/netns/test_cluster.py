"""A machine moves between two hosts that share ownership by NATS, and nobody orders anything."""

from __future__ import annotations

import pytest

from tests.netns.cluster import cluster_of, passes
from tests.netns.hosts import two_hosts
from tests.netns.running import Talk, listen, say
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


def move(hosts, second, guest):
    hosts.unplug(guest, hosts.one)
    hosts.plug(guest, hosts.two)
    second.wait_for(lambda: passes(second, guest), "protection", 60)


def test_connections_go_on_and_stay_under_inspection(hosts, pair):
    _, second = pair
    talks = [Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED) for _ in range(3)]
    talks += [Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED) for _ in range(3)]
    for talk in talks:
        assert talk.say("one") == "one"
    for talk in (talks[0], talks[3]):
        talk.send("attack-")
    move(hosts, second, hosts.b)
    done = second.wait_record("eastwall", eastwall__event="handoff.done")["eastwall"]
    assert done["flows"] >= 6
    assert done["lost"] == 0
    for talk in talks[1:3] + talks[4:]:
        assert talk.say("two") == "two"
    for talk in (talks[0], talks[3]):
        assert talk.say("marker") == "silence"
    assert second.wait_record("alert", alert__signature_id=1)
    for guest, lab in ((hosts.a, hosts.one), (hosts.a2, hosts.two)):
        assert say(lab, guest, "10.9.0.2", ALLOWED) == "echo"
        assert say(lab, guest, "10.9.0.2", DENIED, patience=1) == "silence"
        assert say(lab, guest, "10.9.0.2", ALLOWED, ATTACK, patience=1) == "silence"
    for talk in talks:
        talk.close()
