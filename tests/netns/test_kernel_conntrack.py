"""Ends of connections and what they carried, told by the kernel."""

from __future__ import annotations

import socket

import pytest
from kernel_lab import PASSING, plug
from lab import Lab
from queues import until

from appliance.kernel.base import KernelError
from appliance.kernel.conntrack import Endings, Inserted, connections, forget, insert, moving
from appliance.kernel.ctmove import Entry
from appliance.model.mark import SETTLED

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def world():
    with Lab("ends") as lab:
        made = plug(lab, {"a": ["10.9.0.1", "fd09::1"], "b": ["10.9.0.2", "fd09::2"]}, a=5, b=5)
        made.apply(PASSING)
        yield made


def talk(world, port, count=1, six=False):
    """Send datagrams from a's ``port`` to b's port 7000."""
    family, target = (socket.AF_INET6, "fd09::2") if six else (socket.AF_INET, "10.9.0.2")
    source = "fd09::1" if six else "10.9.0.1"
    with world.lab.inside(world.guests["b"]):
        receiver = socket.socket(family, socket.SOCK_DGRAM)
    with world.lab.inside(world.guests["a"]):
        sender = socket.socket(family, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.settimeout(5)
        receiver.bind((target, 7000))
        sender.bind((source, port))
        for _ in range(count):
            sender.sendto(bytes(100), (target, 7000))
            assert len(receiver.recv(200)) == 100


def of(world, port):
    return [one for one in connections(world.lab.host) if one.sport == port]


@pytest.mark.parametrize("six", [False, True])
def test_an_end_is_told_with_what_was_carried(world, six):
    port = 31001 + six
    with Endings(world.lab.host) as endings:
        talk(world, port, 3, six)
        (one,) = of(world, port)
        assert (one.zone, one.proto, one.dport) == (5, 17, 7000)
        size = 100 + 8 + (40 if six else 20)
        assert (one.sent, one.answered) == ((3, 3 * size), (0, 0))
        assert forget([one], world.lab.host) == 1
        assert not of(world, port)
        told = []
        assert until(lambda: told.extend(endings.receive()) or any(end.key == one.key for end in told))
        (end,) = [end for end in told if end.key == one.key]
        assert (end.sent, end.ident) == (one.sent, one.ident)
        assert not endings.behind


@pytest.mark.parametrize("six", [False, True])
def test_only_ends_that_are_asked_for_are_told(world, six):
    command = "ip6tables-legacy" if six else "iptables-legacy"
    for port, mark in ((31031, "0x10002"), (31032, "0x10004")):
        rule = ("-p", "udp", "--sport", str(port), "-j", "CONNMARK", "--set-mark", mark)
        world.lab.run(world.lab.host, command, "-t", "mangle", "-A", "POSTROUTING", *rule)
    with Endings(world.lab.host, bits=SETTLED) as some, Endings(world.lab.host) as every:
        marks = {}
        for port in (31031, 31032, 31033):  # settled, blocked, neither
            talk(world, port, 3, six)
            (one,) = of(world, port)
            marks[port] = one.mark
            assert forget([one], world.lab.host) == 1
        assert marks == {31031: 0x10002, 31032: 0x10004, 31033: 0}
        told, other = [], []
        assert until(lambda: other.extend(every.receive()) or any(end.sport == 31033 for end in other))
        assert until(lambda: told.extend(some.receive()) or told)
    assert [(end.sport, end.mark) for end in told] == [(31031, 0x10002)]
    assert told[0].sent[0] == 3


def test_what_is_not_there_cannot_be_forgotten(world):
    talk(world, 31011)
    (one,) = of(world, 31011)
    assert forget([one, one], world.lab.host) == 1


def test_lost_endings_are_noticed_and_made_up_for(world):
    ports = range(32000, 32400)
    with Endings(world.lab.host, buffer=1) as endings:  # the kernel's least buffer
        with world.lab.inside(world.guests["a"]):
            senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
        for port, sender in zip(ports, senders, strict=True):
            with sender:
                sender.bind(("10.9.0.1", port))
                sender.sendto(b"x", ("10.9.0.2", 7001))
        mine = {}

        def all_there():
            mine.update({one.key: one for one in connections(world.lab.host) if one.sport in ports})
            return len(mine) == len(ports)

        assert until(all_there)
        kept = [one for one in mine.values() if one.sport < 32010]
        left = [one for one in mine.values() if one not in kept]
        assert forget(left, world.lab.host) == len(left)
        told = {one.key for one in endings.receive()}
        assert endings.behind
        assert endings.overflows
        assert len(told) < len(left)
        gone = endings.gone(mine)
        assert gone == set(mine) - {one.key for one in kept}
        assert not endings.behind


def test_a_namespace_that_is_not_there():
    with pytest.raises(KernelError, match="No such file"):
        Endings("ew-nowhere")


def test_connections_move_to_another_host(world):
    """What one kernel knows is set up in another, once, without marks, in the zone of there."""
    talk(world, 31020, 2)
    talk(world, 31021, 1, six=True)
    addresses = [socket.inet_pton(socket.AF_INET, "10.9.0.1"), socket.inet_pton(socket.AF_INET6, "fd09::1")]
    found = moving(5, addresses, 1000, world.lab.host)
    mine = [entry for entry in found if entry.ports[0] in (31020, 31021)]
    assert sorted(entry.ports for entry in mine) == [(31020, 7000), (31021, 7000)]
    assert not moving(6, addresses, 1000, world.lab.host)
    with Lab("there") as there:
        assert insert(mine, 9, there.host) == Inserted(made=2)
        assert insert(mine, 9, there.host) == Inserted(known=2)
        assert moving(9, addresses, 1, there.host)[0].ports in {(31020, 7000), (31021, 7000)}
        assert {one.mark for one in connections(there.host)} == {0}
        tcp = Entry(6, addresses[0], b"\x0a\x09\0\2", (31022, 80), True, True, 300, (3, 7, 7, 0x3, 0x3))
        assert insert([tcp], 9, there.host) == Inserted(made=1)
        over = Entry(6, addresses[0], b"\x0a\x09\0\2", (31023, 80), True, True, 60, (7, 7, 7, 0x3, 0x3))
        assert insert([over], 9, there.host) == Inserted(made=1)
        (there_tcp,) = [one for one in moving(9, addresses, 10, there.host) if one.proto == 6]
        assert (there_tcp.tcp[:3], there_tcp.answered, there_tcp.assured) == ((3, 7, 7), True, True)
