"""A guest moves between two hosts by QEMU's live migration, while somebody outside speaks with it.

Each host has an appliance; they share ownership by NATS, and nobody orders anything: the guest's tap appears
on the second host while the guest still runs on the first one, which it leaves when the first QEMU ends.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time

import pytest
from fabric import ALLOWED, DENIED, INSIDE, POLICIES, RULE, Steady, fabric

from tests.netns.cluster import cluster_of, passes, state_of
from tests.netns.running import Talk, say

pytestmark = [pytest.mark.vm, pytest.mark.netns]

GROUP = "moving"
INCOMING = "tcp:10.99.0.2:4444"  # over the network beside
PATIENCE = 90.0


@pytest.fixture
def net():
    with fabric() as made:
        yield made


@pytest.fixture
def guest(net, tmp_path):
    """The guest on the first host; its pings get out, as long as nobody denies that."""
    made = net.guest(net.one, tmp_path / "first", "tap0")
    try:
        made.console.wait_ready()
        with net.watch("one") as seen:
            assert until(lambda: seen.read().pings)
        yield made
    finally:
        made.close()


@pytest.fixture
def pair(net, guest, tmp_path):
    with cluster_of(net, tmp_path) as cluster:
        first, second = (
            cluster.appliance(lab, tmp_path / name, [POLICIES], RULE)
            for name, lab in (("one", net.one), ("two", net.two))
        )
        with first, second:
            first.wait_for(lambda: passes(first, net.machines["b"]), "protection", PATIENCE)
            yield first, second


@contextlib.contextmanager
def incoming(net, second, tmp_path):
    """What the guest moves to; the second host knows of it and waits."""
    made = net.guest(net.two, tmp_path / "second", "tap9", "-incoming", INCOMING)
    try:
        second.wait_for(lambda: state_of(second, "b") == "expecting", "expectation", PATIENCE)
        yield made
    finally:
        made.close()


def until(condition):
    end = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def attempt(net, port):
    """Begin to connect, and go on trying as TCP does."""
    with net.edge.inside(net.client):
        made = socket.socket()
    made.setblocking(False)
    made.connect_ex((INSIDE, port))
    return made


def test_a_migration_under_traffic(net, guest, pair, tmp_path):
    first, second = pair
    quiet = [Talk(net.edge, net.client, INSIDE, ALLOWED) for _ in range(4)]
    for talk in quiet:
        assert talk.say("one") == "one"
    quiet[0].send("attack-")
    steady = Steady(net, 20)
    with (
        incoming(net, second, tmp_path) as arrived,
        net.watch("one") as before,
        net.watch("two") as after,
        attempt(net, DENIED) as denied,
    ):
        guest.migrate(INCOMING)
        guest.close()
        second.wait_for(lambda: passes(second, net.machines["b"]), "protection", PATIENCE)
        assert arrived.runs()
        assert until(lambda: after.read().announces)
        assert [talk.say("two") for talk in quiet[1:]] == ["two"] * 3
        told = steady.end()
        assert not told["wrong"], told
        assert max(told["silent"]) < 10.0, told  # all were spoken with lately, so on the new host
        assert quiet[0].say("marker") == "silence"
        assert second.wait_record("alert", alert__signature_id=1)["vm"]["dest"]["name"] == "b"
        assert say(net.edge, net.client, INSIDE, ALLOWED) == "echo"
        assert say(net.edge, net.client, INSIDE, DENIED, patience=1) == "silence"
        assert not select.select([], [denied], [], 0)[1]
        assert (before.read().pings, after.read().pings) == (0, 0)
        assert before.others
        assert after.others
    (done,) = second.notes("handoff.done")
    assert done["flows"] >= len(quiet) + 20
    assert done["lost"] == 0
    assert not passes(first, net.machines["b"])
    for talk in quiet:
        talk.close()


def test_a_migration_that_fails_leaves_everything_where_it_was(net, guest, pair, tmp_path):
    first, second = pair
    talk = Talk(net.edge, net.client, INSIDE, ALLOWED)
    assert talk.say("one") == "one"
    with incoming(net, second, tmp_path), net.watch("two") as after:
        assert talk.say("two") == "two"
        assert not passes(second, net.machines["b"])
        assert not after.read().others
    second.wait_for(lambda: state_of(second, "b") in {"", "absent"}, "its end", PATIENCE)
    assert talk.say("three") == "three"
    assert passes(first, net.machines["b"])
    assert say(net.edge, net.client, INSIDE, DENIED, patience=1) == "silence"
    assert not first.notes("handoff.done")
    talk.close()
