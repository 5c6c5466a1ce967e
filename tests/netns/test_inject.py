"""Resets and errors into real ports: both ends' own stacks take them for what they are."""

from __future__ import annotations

import errno
import socket
import time

import pytest
from lab import Lab
from queues import Reading, port_map, source_of, to_queue, until

from appliance.capture.inject import Injector, TokenBucket
from appliance.inventory.ports import Port, PortMap
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict

pytestmark = pytest.mark.netns
REJECTED = Decision(Verdict.REJECT, Reason.RULE)
TARGETS = [(socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd09::2")]


@pytest.fixture(scope="module")
def lab():
    with Lab("inject") as made:
        made.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        made.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        to_queue(made, "--queue-num", "0")
        yield made


@pytest.fixture
def rejecting(lab):
    """Read the queue; what holds the word ``attack`` is rejected."""
    with lab.inside(lab.host):
        injector = Injector(time.time_ns)

    def judge(frame):
        if b"attack" in frame.data:
            injector.refuse(frame)
            return REJECTED, 0
        return ACCEPTED, 0

    ports = port_map(lab.guests["a"], lab.guests["b"])
    with source_of(lab, "netlink", ports) as source, Reading(source, judge):
        yield injector
    injector.close()


@pytest.mark.parametrize(("family", "target"), TARGETS)
def test_a_rejected_segment_resets_both_ends(lab, rejecting, family, target):
    with lab.inside(lab.guests["b"]):
        server = socket.create_server((target, 0), family=family)
    with lab.inside(lab.guests["a"]):
        client = socket.create_connection(server.getsockname()[:2], timeout=5)
    with server, client:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            client.settimeout(5)
            client.sendall(b"hello")
            assert connection.recv(100) == b"hello"
            client.sendall(b"an attack")
            with pytest.raises(ConnectionResetError):
                client.recv(100)
            with pytest.raises(ConnectionResetError):
                connection.recv(100)
    assert until(lambda: rejecting.sent == 2)
    assert (rejecting.failed, rejecting.limited) == (0, 0)


@pytest.mark.parametrize(("family", "target"), TARGETS)
def test_a_rejected_syn_is_refused_at_once(lab, family, target):
    with lab.inside(lab.host):
        injector = Injector(time.time_ns)

    def judge(frame):
        injector.refuse(frame)
        return REJECTED, 0

    ports = port_map(lab.guests["a"], lab.guests["b"])
    with source_of(lab, "netlink", ports) as source, Reading(source, judge), lab.inside(lab.guests["a"]):
        if family == socket.AF_INET6:  # neighbours first: their discovery is IPv6 as well
            argv = ("ip", "neigh", "replace", target, "lladdr", lab.guests["b"].mac, "dev", "eth0")
            lab.run(lab.guests["a"], *argv)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((target, 5005), timeout=5)
    injector.close()


@pytest.mark.parametrize(("family", "target"), TARGETS)
def test_a_rejected_datagram_is_reported_to_its_socket(lab, rejecting, family, target):
    with lab.inside(lab.guests["a"]):
        sender = socket.socket(family, socket.SOCK_DGRAM)
    with sender:
        sender.settimeout(5)
        sender.connect((target, 5000))
        sender.send(b"attack")
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is looked at below
            sender.recv(100)
    # What Linux makes of "administratively prohibited": ICMP code 13, ICMPv6 code 1.
    assert caught.value.errno == (errno.EHOSTUNREACH if family == socket.AF_INET else errno.EACCES)


def test_a_device_that_is_not_there_is_a_counted_failure(lab):
    with lab.inside(lab.host):
        injector = Injector(time.time_ns)
    assert not injector.send("no-such", bytes(60))
    assert (injector.sent, injector.failed) == (0, 1)
    injector.close()


def test_more_than_the_rate_is_not_sent(lab):
    now = [0]
    with lab.inside(lab.host):
        injector = Injector(lambda: now[0], rate=10, burst=3)
    port = lab.guests["a"].port
    frame = lab.guests["a"].address * 2 + b"\x88\xb5" + bytes(46)
    assert [injector.send(port, frame) for _ in range(5)] == [True] * 3 + [False] * 2
    now[0] += 100_000_000
    assert [injector.send(port, frame) for _ in range(2)] == [True, False]
    assert (injector.sent, injector.limited) == (4, 3)
    injector.close()


def test_a_bucket_keeps_no_more_than_its_burst_and_time_may_go_back():
    bucket = TokenBucket(10, 2, 1000)
    assert bucket.take(1000)
    assert bucket.take(10**12)
    assert bucket.take(10**12)
    assert not bucket.take(10**11)


def test_a_host_behind_an_uplink_is_reset_as_well():
    """Its MAC is learnt from what it sends."""
    with Lab("uplink") as lab:
        a = lab.vm("a", addresses=["10.9.0.1/24"])
        b = lab.vm("b", addresses=["10.9.0.2/24"])
        to_queue(lab, "--queue-num", "0")
        ports = PortMap([*port_map(a).ports, Port(b.port, b.index, uplink=True)])
        with lab.inside(lab.host):
            injector = Injector(time.time_ns)

        def judge(frame):
            if b"attack" in frame.data:
                injector.refuse(frame)
                return REJECTED, 0
            return ACCEPTED, 0

        with lab.inside(b):
            server = socket.create_server(("10.9.0.2", 0))
        with server, source_of(lab, "netlink", ports) as source, Reading(source, judge):
            with lab.inside(a):
                client = socket.create_connection(server.getsockname(), timeout=5)
            connection, _ = server.accept()
            with client, connection:
                connection.settimeout(5)
                client.sendall(b"an attack")
                with pytest.raises(ConnectionResetError):
                    connection.recv(100)
        assert injector.sent == 2
        injector.close()
