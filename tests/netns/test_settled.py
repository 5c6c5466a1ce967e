"""What the kernel does by itself: settled connections, their ends and what they carried."""

from __future__ import annotations

import pytest

from tests.netns.lab import Lab
from tests.netns.running import Running, Talk, listen, say
from tests.netns.test_enforced import ALLOWED, policies, rule

pytestmark = pytest.mark.netns
ROUNDS = 20


@pytest.fixture
def lab():
    with Lab("set") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24"])
        yield lab


def uninspected(**more):
    return policies(inspection={"enabled": False}, **more)


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_a_firewall_alone_costs_user_space_one_packet_a_connection(lab, tmp_path, proto):
    listen(lab, lab.b, ALLOWED, proto)
    with Running(lab, tmp_path, [uninspected()]) as appliance:
        before = appliance.fresh_status()["packets"]["in"]
        for _ in range(ROUNDS):
            assert say(lab, lab.a, "10.9.0.2", ALLOWED, b"x" * 900, proto) == "echo"
        status = appliance.fresh_status()
        assert status["packets"]["in"] - before == ROUNDS
        assert status["kernel"]["settled"]["packets"] >= ROUNDS


def test_a_flow_has_all_its_bytes_though_the_kernel_judged_them(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [uninspected()]) as appliance:
        lab.sysctl(lab.host, {"net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1"})
        lab.sysctl(lab.host, {"net.netfilter.nf_conntrack_tcp_timeout_last_ack": "1"})
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, b"x" * 500_000) == "echo"
        lab.run(lab.host, "conntrack", "-D", "-p", "tcp", "--dport", str(ALLOWED), check=False)
        flow = appliance.wait_record("flow", 20, dest_port=ALLOWED)["flow"]
        assert flow["bytes_toserver"] > 500_000
        assert flow["bytes_toclient"] > 500_000


def test_a_change_of_policy_reaches_a_settled_connection(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [uninspected()]) as appliance:
        talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert [talk.say("one"), talk.say("two")] == ["one", "two"]
        closed = [rule("nothing", "deny", direction="in", protocol="tcp")]
        appliance.write_policies(uninspected(server_rules=closed))
        appliance.ask("reload")
        assert talk.say("three") == "silence"
        appliance.write_policies(uninspected())
        appliance.ask("reload")
        assert talk.say("four").startswith("three")
        talk.close()
