"""Bad days: workers and supervisors that die, documents that are broken, restarts under load."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from appliance.daemon.live.client import ClientError
from tests.netns.lab import Lab
from tests.netns.running import Running, Talk, listen, say
from tests.netns.test_enforced import ALLOWED, ATTACK, RULE, policies

pytestmark = pytest.mark.netns

# Sends numbered datagrams at a steady pace to an echo server and tells how many came back.
_STEADY = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
s.settimeout(2)
count, lost = int(sys.argv[3]), 0
for n in range(count):
    s.send(b"%06d" % n)
    try:
        s.recv(100)
    except TimeoutError:
        lost += 1
    time.sleep(0.005)
print("lost", lost)
"""


@pytest.fixture
def lab():
    with Lab("bad") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24"])
        yield lab


def suspend(pids):
    """Keep workers from being replaced by a running one for a while: the supervisor sleeps."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_fail_closed_passes_nothing_while_no_worker_judges(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert talk.say("one") == "one"
        os.kill(appliance.process.pid, signal.SIGSTOP)  # so that nobody starts another worker
        suspend(appliance_workers(appliance))
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK, patience=1) == "silence"
        assert talk.say("two") == "silence"
        os.kill(appliance.process.pid, signal.SIGCONT)
        appliance.wait_for(lambda: replaced(appliance), "another worker", 60)
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        appliance.wait_for(lambda: talk.say("three") != "silence", "word of the old connection", 30)
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK) == "silence"
        talk.close()


def appliance_workers(appliance):
    """Give the workers' pids without asking a supervisor that sleeps."""
    return [int(path.read_text()) for path in (appliance.folder / "state" / "handover").glob("worker-*.pid")]


def replaced(appliance):
    """Tell whether the worker that was killed has a successor at work."""
    return appliance.status()["workers"][0]["starts"] == 2 and appliance.placed() == 2


def test_fail_open_lets_connections_go_on(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies(fail="open")], RULE) as appliance:
        talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert talk.say("one") == "one"
        os.kill(appliance.process.pid, signal.SIGSTOP)
        suspend(appliance_workers(appliance))
        assert talk.say("two") == "two"
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        os.kill(appliance.process.pid, signal.SIGCONT)
        appliance.wait_for(lambda: replaced(appliance), "another worker", 60)
        assert talk.say("three") == "three"
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK) == "silence"
        talk.close()


def test_one_end_that_fails_closed_is_enough(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    document = policies(fail="open")
    next(one for one in document["policies"] if one["name"] == "client")["fail"] = "closed"
    with Running(lab, tmp_path, [document]) as appliance:
        os.kill(appliance.process.pid, signal.SIGSTOP)
        suspend(appliance_workers(appliance))
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, patience=1) == "silence"
        os.kill(appliance.process.pid, signal.SIGCONT)


def test_workers_outlive_their_supervisor_and_are_taken_over(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert talk.say("one") == "one"
        (old,) = appliance_workers(appliance)
        appliance.kill()
        assert talk.say("two") == "two"
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK) == "silence"
        with pytest.raises(ClientError):
            appliance.status()
        appliance.spawn()
        appliance.wait_for(lambda: appliance.placed() == 2, "protection", 60)
        assert appliance_workers(appliance) != [old]
        assert talk.say("three") == "three"
        assert talk.say("attack-") == "attack-"
        talk.close()


def test_a_restart_keeps_connections_and_what_was_half_seen(lab, tmp_path):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert talk.say("one") == "one"
        talk.send("attack-")
        (old,) = appliance_workers(appliance)
        appliance.ask("restart")
        appliance.wait_for(
            lambda: appliance_workers(appliance) not in ([], [old]) and appliance.placed() == 2,
            "a successor",
            60,
        )
        assert talk.say("marker") == "silence"
        assert appliance.wait_record("alert")["alert"]["signature_id"] == 1
        talk.close()


def test_reload_under_load_loses_nothing(lab, tmp_path):
    listen(lab, lab.b, ALLOWED, "udp")
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        talk = Talk(lab, lab.a, "10.9.0.2", ALLOWED)
        assert talk.say("attack-now") == "attack-now"
        steady = lab.spawn(lab.a, sys.executable, "-c", _STEADY, "10.9.0.2", str(ALLOWED), "600")
        time.sleep(0.5)
        for round_ in range(3):
            appliance.write_rules(
                RULE + f'alert tcp any any -> any any (msg:"{round_}"; content:"zz"; sid:9{round_};)\n'
            )
            assert appliance.ask("reload")["rules"] == 2
        output, _ = steady.communicate(timeout=60)
        assert output.strip() == "lost 0"
        assert appliance.status()["workers"][0]["starts"] == 1
        assert talk.say("attack-marker") == "silence"
        talk.close()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("rules", "local.rules:1"),
        ("policies", "policies.yaml"),
        ("inventory", "vms.yaml"),
    ],
)
def test_a_broken_document_is_refused_and_the_old_one_stays(lab, tmp_path, what, message):
    listen(lab, lab.b, ALLOWED)
    with Running(lab, tmp_path, [policies()], RULE) as appliance:
        if what == "rules":
            appliance.write_rules(RULE.replace("content:", "contend:"))
        elif what == "policies":
            (tmp_path / "policies.yaml").write_text("policies:\n  - {name: x, default_action: perhaps}\n")
        else:
            (tmp_path / "vms.yaml").write_text("vms: [{name: b}]\n")
        with pytest.raises(ClientError, match=message):
            appliance.ask("reload")
        assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        assert say(lab, lab.a, "10.9.0.2", ALLOWED, ATTACK) == "silence"
        assert appliance.notes("reload.refused")


FLOODS = {  # the limit, what counts where it is exceeded, the flood
    "connections": ({"new_connections": 100, "burst": 100}, "limit_new", ("-S",)),
    "packets of one connection": ({"packets": 200}, "limit_packets", ("-2", "-k", "-s", "4000")),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_one_machine_leaves_the_others_their_share(lab, tmp_path, kind):
    limits, counter, what = FLOODS[kind]
    lab.c = lab.vm("c", addresses=["10.9.0.3/24"])
    listen(lab, lab.b, ALLOWED)
    document = policies()
    document["bindings"].append({"name": "c", "policy": "client"})
    with Running(lab, tmp_path, [document], limits=limits) as appliance:
        flood = ("hping3", "-q", *what, "-p", str(ALLOWED), "-i", "u100", "-c", "20000", "10.9.0.2")
        flooding = lab.spawn(lab.c, *flood)
        time.sleep(1)
        for _ in range(5):
            assert say(lab, lab.a, "10.9.0.2", ALLOWED) == "echo"
        lab.end(flooding)
        assert appliance.fresh_status()["kernel"][counter]["packets"] > 100
