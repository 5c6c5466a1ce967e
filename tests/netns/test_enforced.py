"""Policies on the bridge, with real TCP stacks at both ends."""

from __future__ import annotations

import pytest

from tests.netns.lab import Lab
from tests.netns.running import Running, Talk, listen, say

pytestmark = pytest.mark.netns

ALLOWED = 7001
DENIED = 7002
REJECTED = 7003
ATTACK = b"GET /attack-marker HTTP/1.1\r\nHost: b\r\n\r\n"
RULE = (
    'drop tcp any any -> any any (msg:"attack"; flow:to_server,established; '
    'content:"attack-marker"; sid:1; rev:1;)\n'
)


def rule(name, action, **conditions):
    return {"name": name, "action": action, **conditions}


def policies(*, mode="prevent", fail="closed", server_rules=None, client_rules=None, **more):
    base = [rule("arp", "allow", frame="arp"), rule("nd", "allow", protocol="icmpv6")]
    server = server_rules or [
        rule("web", "allow", direction="in", protocol=["tcp", "udp"], destination_port=ALLOWED),
        rule("no", "reject", direction="in", protocol=["tcp", "udp"], destination_port=REJECTED),
        rule("ping", "allow", protocol="icmp"),
    ]
    client = client_rules or [rule("all", "allow", direction="out"), rule("ping", "allow", protocol="icmp")]
    inspection = more.pop("inspection", {"mode": mode})
    return {
        "policies": [
            {
                "name": "server",
                "default_action": "deny",
                "firewall": {"infrastructure": base, "application": server},
                "inspection": inspection,
                "fail": fail,
                **more,
            },
            {
                "name": "client",
                "default_action": "deny",
                "firewall": {"infrastructure": base, "application": client},
                "inspection": inspection,
                "fail": fail,
                **more,
            },
            {
                "name": "quarantine",
                "default_action": "deny",
                "firewall": {"infrastructure": [base[0]]},
            },
        ],
        "bindings": [{"name": "b*", "policy": "server"}, {"name": "a*", "policy": "client"}],
        "unknown": "deny",
    }


@pytest.fixture
def lab():
    with Lab("run") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        yield lab


@pytest.mark.parametrize("address", ["10.9.0.2", "fd09::2"])
def test_both_ways_for_tcp_and_udp(lab, tmp_path, address):
    for port in (ALLOWED, DENIED, REJECTED):
        listen(lab, lab.b, port)
        listen(lab, lab.b, port, "udp")
    listen(lab, lab.a, ALLOWED)
    back = address.replace("::2", "::1").replace("0.2", "0.1")
    with Running(lab, tmp_path, [policies()]):
        assert say(lab, lab.a, address, ALLOWED) == "echo"
        assert say(lab, lab.a, address, ALLOWED, proto="udp") == "echo"
        assert say(lab, lab.a, address, DENIED) == "silence"
        assert say(lab, lab.a, address, DENIED, proto="udp") == "silence"
        assert say(lab, lab.a, address, REJECTED) == "refused"
        assert say(lab, lab.a, address, REJECTED, proto="udp").startswith("error")  # ICMP: prohibited
        assert say(lab, lab.b, back, ALLOWED) == "silence"


def test_an_attack_is_blocked_where_the_policy_prevents(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, b"x" * 100_000) == "echo"
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK) == "silence"
        alert = appliance.wait_record("alert")
        assert alert["alert"]["signature_id"] == 1
        assert alert["alert"]["action"] == "blocked"
        assert alert["vm"]
        assert appliance.wait_record("drop")


def test_an_attack_is_only_reported_where_the_policy_detects(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies(mode="detect")], RULE) as appliance:
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK) == "echo"
        assert appliance.wait_record("alert")["alert"]["action"] == "allowed"


def test_a_connection_from_before_the_start_goes_on_and_is_inspected(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
    assert talk.say("before") == "before"
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        assert talk.say("after") == "after"
        assert talk.say("attack-marker") == "silence"
        assert appliance.wait_record("alert")
    talk.close()


def test_a_machine_in_quarantine_is_cut_off_and_released(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()]) as appliance:
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        appliance.ask("quarantine", vm="b")
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "silence"
        assert appliance.status()["quarantine"]
        appliance.ask("release", vm="b")
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        assert [note["event"] for note in appliance.notes("vm.quarantined")] == ["vm.quarantined"]


def test_counters_add_up(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        for _ in range(5):
            say(lab, lab.a, "10.9.0.2", ALLOWED, b"x" * 50_000)
            say(lab, lab.a, "10.9.0.2", DENIED, patience=0.3)
        status = appliance.fresh_status()
        packets = status["packets"]
        assert packets["in"] == packets["accepted"] + packets["dropped"]
        assert packets["dropped"] >= 5
        queue = status["workers"][0]["queue"]
        assert queue["received"] == queue["verdicts"] == packets["in"]
        assert sum(status["drops"].values()) == packets["dropped"]
