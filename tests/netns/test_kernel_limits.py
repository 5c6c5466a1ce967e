"""What one machine may ask of the appliance, on a real bridge: its own doing counts, not its neighbours'."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from kernel_lab import plug
from lab import Lab
from queues import Reading, source_of, until
from wire import Wire, ether, ip4, mac, udp

from appliance.capture.nfqueue.config import Queue
from appliance.model.mark import SETTLED, mark_of
from appliance.model.verdict import ACCEPTED

pytestmark = pytest.mark.netns

POLICY = "policies: [{name: all, default_action: allow}]\ndefault: all\nunknown: all\n"
ADDRESSES = {"a": "10.9.8.1", "b": "10.9.8.2", "c": "10.9.8.3"}  # declared, and nobody's stack answers
OUTSIDE, ROUTER = "192.0.2.1", mac("02:00:00:00:00:99")
PORTS = itertools.count(20000)
DISCARD = b"\0\7"  # the port that all is sent to


@pytest.fixture(scope="module")
def world():
    with Lab("limits") as lab:
        made = plug(lab, {name: [f"{address}/32"] for name, address in ADDRESSES.items()}, ("up", "up2"))
        made.apply(POLICY)
        with Wire(lab) as wire:
            made.wire = wire
            yield made
        made.driver.sweep()


@contextlib.contextmanager
def judging(world, mark=0):
    with (
        source_of(world.lab, "netlink", world.map, (Queue(0),)) as source,
        Reading(source, lambda frame: (ACCEPTED, mark)) as seen,
    ):
        yield lambda: sum(
            frame.data[36:38] == DISCARD for frame in seen.frames
        )  # guests chat by themselves too


def send(world, source, target, ports):
    """Send a datagram to a guest from each of ``ports``, from a guest or from outside."""
    sender, receiver = world.guests.get(source), world.guests[target]
    for port in ports:
        packet = ip4(ADDRESSES.get(source, OUTSIDE), ADDRESSES[target], 17, udp(port, 7))
        frame = ether(receiver.address, sender.address if sender else ROUTER, 0x800, packet)
        world.wire.send(sender or world.uplinks[0], frame)


def new(count):
    return itertools.islice(PORTS, count)


def test_what_comes_by_an_uplink_counts_for_the_machine_it_goes_to(world):
    a, b, up = world.guests["a"], world.guests["b"], world.uplinks[0]
    world.apply(POLICY, new_rate=1, new_burst=5)
    with judging(world) as came:
        send(world, "outside", "a", new(60))
        assert until(lambda: world.count(f"limit_new.{a.port}") >= 50)
        before = came()
        send(world, "outside", "b", new(4))
        assert until(lambda: came() == before + 4)
    assert not world.count(f"limit_new.{b.port}")
    assert not world.count(f"limit_new.{up.port}")


def test_what_passes_from_uplink_to_uplink_is_nobodys(world):
    world.apply(POLICY, new_rate=1, new_burst=5)
    before = world.count("limit_new")
    with judging(world) as came:
        for port in new(40):
            packet = ip4(OUTSIDE, "198.51.100.1", 17, udp(port, 7))
            world.wire.send(world.uplinks[0], ether(mac("02:00:00:00:00:77"), ROUTER, 0x800, packet))
        assert until(lambda: came() >= 40)
    assert world.count("limit_new") == before


def test_a_flood_within_a_connection_is_limited_to_its_machine(world):
    a, c = world.guests["a"], world.guests["c"]
    world.apply(POLICY, packet_rate=1, packet_burst=20)
    with judging(world) as came:
        send(world, "a", "b", [next(PORTS)] * 100)
        assert until(lambda: world.count(f"limit_packets.{a.port}") >= 70)
        before = came()
        send(world, "c", "b", [next(PORTS)] * 10)
        assert until(lambda: came() == before + 10)
    assert 15 <= before <= 30
    assert not world.count(f"limit_packets.{c.port}")


def test_what_the_kernel_lets_through_by_itself_does_not_count(world):
    b, c = world.guests["b"], world.guests["c"]
    world.apply(POLICY, packet_rate=1, packet_burst=5)
    port = next(PORTS)
    with judging(world, mark_of(SETTLED, 1)) as came:
        send(world, "b", "c", [port])
        assert until(lambda: came() == 1)
        settled = world.count("settled")
        send(world, "b", "c", [port] * 40)
        assert until(lambda: world.count("settled") == settled + 40)
    assert not world.count(f"limit_packets.{b.port}")
    assert not world.count(f"limit_packets.{c.port}")
