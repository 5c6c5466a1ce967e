"""Policies, rules and inventory that are published once and put in force by every host that follows."""

from __future__ import annotations

import sys

import pytest

from tests.netns.cluster import cluster_of
from tests.netns.hosts import two_hosts
from tests.netns.running import listen, say
from tests.netns.test_enforced import ALLOWED, ATTACK, DENIED, RULE, policies

pytestmark = pytest.mark.netns


def test_one_is_published_and_all_follow(tmp_path):
    with two_hosts() as hosts, cluster_of(hosts, tmp_path) as cluster:
        a, b = hosts.vm(hosts.one, "a", 1), hosts.vm(hosts.two, "b", 2)
        for port in (ALLOWED, DENIED):
            listen(hosts.two, b, port)
        follows = {"cluster": {"follow": True}}
        source = cluster.appliance(hosts.one, tmp_path / "source", [policies()], RULE)
        first = cluster.appliance(hosts.one, tmp_path / "one", [policies()], **follows)
        second = cluster.appliance(hosts.two, tmp_path / "two", [policies()], **follows)

        def publish():
            command = (sys.executable, "-m", "appliance.cli", "cluster", "publish", "-c", str(source.config))
            return hosts.one.run(hosts.one.host, *command, check=False)

        def in_force(number):
            for one in (first, second):
                one.wait_for(
                    lambda one=one: one.status()["cluster"]["bundle"] == number, f"bundle {number}", 90
                )

        with first, second:
            assert (
                say(hosts.one, a, "10.9.0.2", ALLOWED, ATTACK) == "echo"
            )  # their own documents have no rules
            assert "number 1" in publish()
            in_force(1)
            assert say(hosts.one, a, "10.9.0.2", ALLOWED, ATTACK, patience=1) == "silence"
            assert say(hosts.one, a, "10.9.0.2", DENIED, patience=1) == "silence"
            web = {"name": "web", "direction": "in", "protocol": "tcp", "destination_port": DENIED}
            source.write_policies(policies(server_rules=[web | {"action": "allow"}]))
            assert "number 2" in publish()
            in_force(2)
            assert say(hosts.one, a, "10.9.0.2", DENIED) == "echo"
            second.wait_for(
                lambda: {one["bundle"] for one in second.ask("hosts")["hosts"]} == {2}, "heartbeats"
            )
            source.write_policies({"policies": [{"name": "x", "nonsense": 1}]})
            assert "number" not in publish()  # refused before it is sent
            cluster.stop()
            second.kill()
            second.spawn()
            second.wait_for(lambda: second.placed() == 1, "protection", 120)
            assert second.status()["cluster"]["bundle"] == 2  # the last one serves without servers
            assert say(hosts.one, a, "10.9.0.2", DENIED) == "echo"
            assert say(hosts.one, a, "10.9.0.2", ALLOWED, patience=1) == "silence"
