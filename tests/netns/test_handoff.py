"""A machine moves to another host with its connections open, by way of a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from appliance.daemon.live.client import ClientError, ask
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
def pair(hosts, tmp_path):
    documents = [policies(stateful={"strict": True})]  # without its state a connection is refused
    first = hosts.appliance(hosts.one, tmp_path / "one", documents, RULE, workers=2)
    second = hosts.appliance(hosts.two, tmp_path / "two", documents, RULE, workers=2)
    with first, second:
        yield first, second


def transfer(appliance, path, action, **more):
    flags = os.O_RDONLY if action == "import" else os.O_RDWR | os.O_CREAT | os.O_TRUNC
    fd = os.open(path, flags, 0o600)
    try:
        return ask(appliance.socket, {"command": "handoff", "action": action, **more}, (fd,), patience=60)
    finally:
        os.close(fd)


def move(hosts, first, second, path, between=lambda: None):
    transfer(first, path, "export", vm="b")
    hosts.unplug(hosts.b, hosts.one)
    between()
    transfer(second, path, "import")
    hosts.plug(hosts.b, hosts.two)
    second.wait_for(lambda: second.placed() == 2, "protection", 60)


def test_connections_go_on_and_stay_under_inspection(hosts, pair, tmp_path):
    first, second = pair
    talks = [Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED) for _ in range(5)]
    talks += [Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED) for _ in range(5)]
    for talk in talks:
        assert talk.say("one") == "one"
    for talk in (talks[0], talks[5]):
        talk.send("attack-")
    move(hosts, first, second, tmp_path / "b.move")
    (done,) = second.notes("handoff.done")
    assert done["flows"] >= 10
    assert done["connections"] >= 10
    assert done["lost"] == 0
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
    for talk in talks:
        talk.close()


def test_without_its_state_a_connection_is_refused(hosts, pair, tmp_path):
    """What the other tests show would not be so if nothing went along."""
    _, second = pair
    talk = Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    hosts.unplug(hosts.b, hosts.one)
    hosts.plug(hosts.b, hosts.two)
    second.wait_for(lambda: second.placed() == 2, "protection", 60)
    assert talk.say("two") == "silence"
    talk.close()


def test_a_policy_that_changes_during_the_move_is_the_one_in_force(hosts, pair, tmp_path):
    first, second = pair
    talk = Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED)
    far = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
    assert (talk.say("one"), far.say("one")) == ("one", "one")

    def change():
        web = {"name": "web", "direction": "in", "protocol": "tcp", "destination_port": DENIED}
        second.write_policies(policies(server_rules=[web | {"action": "allow"}]))
        second.ask("reload")

    move(hosts, first, second, tmp_path / "b.move", change)
    assert (talk.say("two"), far.say("two")) == ("silence", "silence")
    assert say(hosts.two, hosts.a2, "10.9.0.2", DENIED) == "echo"
    assert say(hosts.one, hosts.a, "10.9.0.2", DENIED) == "echo"
    for one in (talk, far):
        one.close()


def test_what_is_given_away_passes_nothing_until_it_is_opened(hosts, pair, tmp_path):
    first, _ = pair
    talk = Talk(hosts.one, hosts.a, "10.9.0.2", ALLOWED)
    assert talk.say("one") == "one"
    command = (sys.executable, "-m", "appliance.cli", "handoff")
    out = tmp_path / "b.move"
    said = hosts.one.run(
        hosts.one.host, *command, "export", "b", "--out", str(out), "--socket", str(first.socket)
    )
    assert "b/eth0" in said
    assert out.stat().st_mode & 0o777 == 0o600
    assert talk.say("two") == "silence"
    first.kill()
    first.spawn()
    first.wait_for(lambda: first.placed() == 1, "protection", 60)
    assert first.status()["held_interfaces"] == ["b/eth0"]
    assert say(hosts.one, hosts.a, "10.9.0.2", ALLOWED, patience=1) == "silence"
    transfer(first, out, "import")
    first.wait_for(lambda: first.placed() == 2, "protection", 60)
    first.wait_for(lambda: talk.say("three") != "silence", "retransmission", 60)
    assert first.ask("handoff", action="status")["counts"]["done"] == 1
    talk.close()


def test_a_quarantine_goes_along(hosts, pair, tmp_path):
    first, second = pair
    first.ask("quarantine", vm="b")
    move(hosts, first, second, tmp_path / "b.move")
    assert second.status()["quarantine"] == [uuid_of("b")]
    assert say(hosts.two, hosts.a2, "10.9.0.2", ALLOWED, patience=1) == "silence"


def test_a_file_that_is_damaged_changes_nothing(hosts, pair, tmp_path):
    first, second = pair
    path = tmp_path / "b.move"
    transfer(first, path, "export", vm="b")
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1], whole[:-5] + b"\0" * 5, b"x" + whole):
        path.write_bytes(damaged)
        with pytest.raises(ClientError):
            transfer(second, path, "import")
    assert json.loads(json.dumps(second.ask("handoff", action="status")))["expected"] == []
    Path(path).unlink()
