"""The running appliance as its operators meet it: commands, metrics, taps, who may ask."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from appliance.daemon.live.client import ClientError, ask
from tests.netns.lab import Lab
from tests.netns.running import Running, listen, say
from tests.netns.test_enforced import ALLOWED, ATTACK, RULE, policies

pytestmark = pytest.mark.netns

METRICS = 19797


@pytest.fixture(scope="module")
def lab():
    with Lab("oper") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24"])
        listen(lab, lab.b, ALLOWED)
        yield lab


@pytest.fixture(scope="module")
def appliance(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oper")
    with Running(lab, folder, [policies()], RULE, metrics={"port": METRICS}, workers=2) as running:
        say(lab, lab.a, "10.9.0.2", ALLOWED, b"x" * 10_000)
        yield running


def command(lab, appliance, *argv, check=True):
    return lab.run(
        lab.host, sys.executable, "-m", "appliance.cli", *argv, "--socket", str(appliance.socket), check=check
    )


def test_status_names_interfaces_policies_and_workers(lab, appliance):
    appliance.fresh_status()
    shown = command(lab, appliance, "status")
    for word in ("a/eth0", "b/eth0", "server", "client", "prevent", "ready", "queues 4100, 4102"):
        assert word in shown
    found = json.loads(command(lab, appliance, "status", "--json"))
    assert {one["name"]: one["policy"] for one in found["interfaces"]} == {
        "a/eth0": "client",
        "b/eth0": "server",
    }
    assert all(one["packets_in"] for one in found["interfaces"])


def test_flows_of_one_machine(lab, appliance):
    shown = command(lab, appliance, "flows", "--vm", "b")
    assert f"10.9.0.2:{ALLOWED}" in shown
    assert "a/eth0 → b/eth0" in shown


def test_an_unknown_machine_is_named_in_the_error(appliance):
    with pytest.raises(ClientError, match="'nobody' is in the inventory"):
        appliance.ask("quarantine", vm="nobody")
    with pytest.raises(ClientError, match="known: status"):
        appliance.ask("nonsense")


def test_top_shows_rates(lab, appliance):
    assert "packets/s" in command(lab, appliance, "top", "--interval", "0.3", "--count", "2")


def test_prometheus_is_answered(lab, appliance):
    appliance.fresh_status()
    with lab.inside(lab.host):
        text = urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics", timeout=5).read().decode()
    assert 'eastwall_worker_up{kind="queue",worker="1"} 1.0' in text
    assert "eastwall_queue_packets_total" in text
    assert 'policy="server"' in text


def test_only_root_may_ask_where_no_group_is_named(appliance):
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            ask(appliance.socket, {"command": "status"})
        except ClientError as error:
            os._exit(0 if "may speak to it" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_garbage_on_the_control_socket_harms_nobody(appliance):
    for data in (b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\0\0\0\2[]", b"\0\0\0\4null"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
            end.connect(str(appliance.socket))
            end.sendall(data)
    assert appliance.status()["applied"]


def test_a_second_appliance_does_not_start_beside_the_first(lab, appliance):
    said = lab.run(
        lab.host, sys.executable, "-m", "appliance.cli", "run", "-c", str(appliance.config), check=False
    )
    assert said == ""
    assert appliance.status()["applied"]


def test_a_tap_reports_and_holds_nothing(lab, tmp_path):
    with Lab("tap", netfilter=False) as other:
        a, b = other.vm("a", addresses=["10.9.0.1/24"]), other.vm("b", addresses=["10.9.0.2/24"])
        listen(other, b, ALLOWED)
        more = {"bridges": [], "taps": [{"device": b.port}], "policies": []}
        running = Running(other, tmp_path, [], RULE, **more)
        running.spawn()
        running.wait_for(running.ready, "tap", 60)
        try:
            assert say(other, a, "10.9.0.2", ALLOWED, ATTACK) == "echo"
            assert running.wait_record("alert")["alert"]["action"] == "allowed"
        finally:
            running.stop()


def test_workers_give_up_every_right_but_one(lab):
    folder = Path(tempfile.mkdtemp(prefix="ew-"))
    folder.chmod(0o755)
    try:
        with Lab("drop") as other:
            a, b = other.vm("a", addresses=["10.9.0.1/24"]), other.vm("b", addresses=["10.9.0.2/24"])
            listen(other, b, ALLOWED)
            with Running(other, folder, [policies()], RULE, user="nobody") as running:
                (pid,) = running.workers()
                status = dict(
                    line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                )
                assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}
                assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 1 << 12  # CAP_NET_ADMIN
                assert int(status["CapBnd"], 16) == 1 << 12
                assert status["NoNewPrivs"] == "1"
                assert say(other, a, "10.9.0.2", ALLOWED) == "echo"
                assert say(other, a, "10.9.0.2", ALLOWED, ATTACK) == "silence"
                running.ask("restart")
                running.wait_for(
                    lambda: running.placed() == 2 and running.workers() != [pid], "successor", 60
                )
                assert say(other, a, "10.9.0.2", ALLOWED) == "echo"
    finally:
        shutil.rmtree(folder)
