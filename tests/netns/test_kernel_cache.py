"""What the kernel remembers and what it queues, with the real reader of the queues."""

from __future__ import annotations

import contextlib
import itertools
import socket

import pytest
from kernel_lab import plug
from lab import Lab
from queues import Reading, source_of, until
from wire import BROADCAST, Wire, ether, ip4, ip6, tcp, udp

from appliance.capture.nfqueue.config import Queue
from appliance.model.mark import BLOCKED, SETTLED, SETTLED_ORIGINAL, SETTLED_REPLY, mark_of
from appliance.model.origin import ORIGINAL, REPLY
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict

pytestmark = pytest.mark.netns

CLOSED = """
policies:
  - {name: closed, default_action: allow, guard: {ethertypes: [0x88b5]}}
  - {name: open, inherits: [closed], fail: open}
bindings:
  - {name: "open*", policy: open}
default: closed
"""
DROPPED = Decision(Verdict.DROP, Reason.FIREWALL)
A4, B4, A6, B6 = "10.9.8.1", "10.9.8.2", "fd09:8::1", "fd09:8::2"  # declared, and nobody's stack answers
PORTS = itertools.count(20000)
BOTH = (Queue(0), Queue(1, fail_open=True))
SYN, ACK, PSH, FIN, SYNACK, ECE = 2, 16, 8, 1, 18, 64


@pytest.fixture(scope="module")
def world():
    with Lab("cache") as lab:
        names = {
            "a": ["10.9.0.1", "fd09::1", f"{A4}/32", f"{A6}/128"],
            "b": ["10.9.0.2", "fd09::2", f"{B4}/32", f"{B6}/128"],
            "open1": ["10.9.0.3"],
            "open2": ["10.9.0.4"],
        }
        made = plug(lab, names)
        made.apply(CLOSED)
        lab.sysctl(lab.host, {"net.netfilter.nf_conntrack_checksum": "0"})
        yield made
        made.driver.sweep()


class Talk:
    """Datagrams between two guests over one pair of ports, and the frames of it that were queued."""

    def __init__(self, world, names=("a", "b"), addresses=("10.9.0.1", "10.9.0.2"), ports=None):
        self.ports = ports or (next(PORTS), next(PORTS))
        self.ends = []
        for name, address, port in zip(names, addresses, self.ports, strict=True):
            with world.lab.inside(world.guests[name]):
                one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((address, port))
            one.settimeout(0.5)
            self.ends.append(one)
        self.addresses = addresses

    def __enter__(self):
        return self

    def __exit__(self, *details):
        for one in self.ends:
            one.close()

    def say(self, sender):
        """Send from one end (0 or 1); tell whether it came."""
        other = 1 - sender
        self.ends[sender].sendto(b"talk", (self.addresses[other], self.ports[other]))
        with contextlib.suppress(TimeoutError):
            return self.ends[other].recv(100) == b"talk"
        return False

    def mine(self, frame):
        pair = {frame.data[34:36], frame.data[36:38]} | {frame.data[54:56], frame.data[56:58]}
        return {one.to_bytes(2, "big") for one in self.ports} <= pair


@contextlib.contextmanager
def judging(world, judge, queues=BOTH):
    with source_of(world.lab, "netlink", world.map, queues) as source, Reading(source, judge) as reading:
        yield reading


@pytest.mark.parametrize("addresses", [("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")])
def test_a_settled_connection_costs_one_packet(world, addresses):
    with Talk(world, addresses=addresses) as talk:

        def judge(frame):
            return ACCEPTED, mark_of(SETTLED, 1) if talk.mine(frame) else 0

        with judging(world, judge) as reading:
            before = world.count("settled")
            assert all(talk.say(number % 2) for number in range(20))
        assert len([frame for frame in reading.frames if talk.mine(frame)]) == 1
        assert world.count("settled") == before + 19
        assert all(talk.say(number % 2) for number in range(4))  # nor does it need a reader any more


@pytest.mark.parametrize(("bits", "queued"), [(SETTLED_ORIGINAL, 1), (SETTLED_REPLY, 0)])
def test_directions_are_settled_one_by_one(world, bits, queued):
    with Talk(world) as talk:
        with judging(world, lambda frame: (ACCEPTED, mark_of(bits, 1) if talk.mine(frame) else 0)) as reading:
            assert all(talk.say(end) for end in (0, 1, 0, 1, 0, 1))
        ways = [frame.origin.reply for frame in reading.frames if talk.mine(frame)]
        assert ways == ([ORIGINAL, *[REPLY] * 3] if queued else [ORIGINAL] * 3)


def test_what_is_said_of_a_queued_packet(world):
    with Talk(world) as talk:
        with judging(world, lambda frame: (ACCEPTED, 0)) as reading:
            assert all(talk.say(end) for end in (0, 1, 0))
        told = [frame.origin for frame in reading.frames if talk.mine(frame)]
    assert [one.reply for one in told] == [ORIGINAL, REPLY, ORIGINAL]
    assert [one.known for one in told] == [False, True, True]
    assert [one.source.vm.name for one in told] == ["a", "b", "a"]
    assert [one.target.vm.name for one in told] == ["b", "a", "b"]
    assert not any(one.copy for one in told)


def test_a_blocked_connection_is_remembered(world):
    with Talk(world) as talk:
        marks = iter([0, mark_of(BLOCKED, 1)])

        def judge(frame):
            return ACCEPTED, next(marks) if talk.mine(frame) else 0

        with judging(world, judge) as reading:
            assert talk.say(0)
            assert not talk.say(1)
            before = world.count("blocked")
            assert not any(talk.say(end) for end in (0, 1))
        assert len([frame for frame in reading.frames if talk.mine(frame)]) == 2
        assert world.count("blocked") == before + 2


def test_a_drop_is_not_remembered(world):
    with Talk(world) as talk:
        verdicts = iter([DROPPED, ACCEPTED])
        with judging(world, lambda frame: (next(verdicts) if talk.mine(frame) else ACCEPTED, 0)):
            assert not talk.say(0)
            assert talk.say(0)


def test_a_change_of_policies_has_connections_judged_again(world):
    with Talk(world) as talk, Talk(world) as other:
        epoch = 1

        def judge(frame):
            if not (talk.mine(frame) or other.mine(frame)):
                return ACCEPTED, 0
            return ACCEPTED, mark_of(BLOCKED if other.mine(frame) and frame.origin.known else SETTLED, epoch)

        with judging(world, judge) as reading:
            try:
                assert talk.say(0)
                assert talk.say(1)
                assert other.say(0)
                assert other.say(1)
                reading.frames.clear()
                epoch = 2
                assert world.apply(CLOSED, epoch)
                assert talk.say(0)
                assert talk.say(1)
                assert not other.say(0)
                again = [frame for frame in reading.frames if talk.mine(frame)]
                assert len(again) == 1
                assert again[0].origin.known
                assert not other.say(1)
            finally:
                world.apply(CLOSED, 1)


def test_failing_closed_wins(world):
    """Nobody reads the queues."""
    with (
        Talk(world) as closed,
        Talk(world, ("open1", "open2"), ("10.9.0.3", "10.9.0.4")) as both_open,
        Talk(world, ("open1", "b"), ("10.9.0.3", "10.9.0.2")) as mixed,
    ):
        assert both_open.say(0)
        assert both_open.say(1)
        assert not closed.say(0)
        assert not mixed.say(0)
        assert not mixed.say(1)


def test_each_kind_has_its_own_queue(world):
    with (
        Talk(world) as closed,
        Talk(world, ("open1", "open2"), ("10.9.0.3", "10.9.0.4")) as both_open,
        judging(world, lambda frame: (ACCEPTED, 0), (Queue(1),)) as reading,
    ):
        before = world.count("queued_open"), world.count("queued_closed")
        assert both_open.say(0)
        assert not closed.say(0)
        assert world.count("queued_open") > before[0]
        assert world.count("queued_closed") > before[1]
        assert [both_open.mine(frame) for frame in reading.ip4] == [True]


def test_several_workers_have_queues_each(world):
    try:
        world.apply(CLOSED, workers=2, queue_base=10)
        queues = tuple(Queue(number) for number in (10, 11, 12, 13))
        with (
            judging(world, lambda frame: (ACCEPTED, 0), queues),
            Talk(world) as closed,
            Talk(world, ("open1", "open2"), ("10.9.0.3", "10.9.0.4")) as opened,
        ):
            assert all(one.say(end) for one in (closed, opened) for end in (0, 1))
    finally:
        world.apply(CLOSED)


def test_each_receiver_of_a_broadcast_has_its_copy(world):
    a = world.guests["a"]
    body = b"for all" + next(PORTS).to_bytes(4, "big")
    frame = ether(BROADCAST, a.address, 0x800, ip4("10.9.0.1", "10.9.255.255", 17, udp(1, 9, body)))
    with Wire(world.lab) as wire:
        receivers = [world.guests[name] for name in ("b", "open1", "open2")]
        catching = [wire.socket(guest) for guest in receivers]
        with judging(world, lambda one: (ACCEPTED, mark_of(SETTLED, 1))) as reading:
            wire.send(a, frame)
            for one in catching:
                one.settimeout(3)
                while body not in one.recv(65536):
                    pass
        copies = [one.origin for one in reading.frames if body in one.data]
    assert sorted(one.target.vm.name for one in copies) == ["b", "open1", "open2"]
    assert len({one.copy for one in copies} - {0}) == 3


class Handmade:
    """A TCP connection made of frames by hand, of which the kernel knows that it is established."""

    def __init__(self, world, wire, six):
        self.a, self.b = world.guests["a"], world.guests["b"]
        self.wire, self.six = wire, six
        self.port = next(PORTS)
        self.send(0, tcp(self.port, 80, SYN, numbers=(100, 0)))
        self.send(1, tcp(80, self.port, SYNACK, numbers=(500, 101)))
        self.send(0, tcp(self.port, 80, ACK, numbers=(101, 501)))

    def send(self, end, segment, options=b"", extra=None):
        sender, receiver = (self.a, self.b) if end == 0 else (self.b, self.a)
        if self.six:
            ends = (A6, B6) if end == 0 else (B6, A6)
            packet = ip6(*ends, 60, b"\6\0\1\4\0\0\0\0" + segment) if extra else ip6(*ends, 6, segment)
            kind = 0x86DD
        else:
            ends = (A4, B4) if end == 0 else (B4, A4)
            packet, kind = ip4(*ends, 6, segment, options=options), 0x800
        self.wire.send(sender, ether(receiver.address, sender.address, kind, packet))


def variants(port):
    """Segments on an established connection, and whether each is nothing but an acknowledgement."""
    numbers = (101, 501)
    stamps = b"\1\1\x08\x0a" + bytes(8)
    return {
        "bare": (tcp(port, 80, ACK, numbers=numbers), True),
        "with options": (tcp(port, 80, ACK, options=stamps, numbers=numbers), True),
        "with a byte": (tcp(port, 80, ACK, b"x", numbers=numbers), False),
        "with options and a byte": (tcp(port, 80, ACK, b"x", options=stamps, numbers=numbers), False),
        "push": (tcp(port, 80, ACK | PSH, numbers=numbers), False),
        "congestion": (tcp(port, 80, ACK | ECE, numbers=numbers), False),
        "reserved bit": (tcp(port, 80, ACK, numbers=numbers, reserved=1), False),
        "end": (tcp(port, 80, ACK | FIN, numbers=numbers), False),
    }


@pytest.mark.parametrize("six", [False, True])
def test_only_bare_acknowledgements_pass_by_themselves(world, six):
    with Wire(world.lab) as wire, judging(world, lambda frame: (ACCEPTED, 0)) as reading:
        one = Handmade(world, wire, six)
        assert until(lambda: len([f for f in reading.frames if f.data[-20:-18] == b"\0\x50"]) >= 1)
        for name, (segment, bare) in variants(one.port).items():
            reading.frames.clear()
            before = world.count("bare_ack")
            one.send(0, segment)
            if bare:
                assert until(lambda before=before: world.count("bare_ack") > before), name
            else:
                assert until(lambda: bool(reading.frames)), name
            assert bare == (world.count("bare_ack") > before), name
            assert bare == (not [f for f in reading.frames if f.data.endswith(segment)]), name


def test_options_and_extension_headers(world):
    """Options before TCP are counted in IPv4; in IPv6 what they lead to is left to the engine."""
    with Wire(world.lab) as wire, judging(world, lambda frame: (ACCEPTED, 0)) as reading:
        old, new = Handmade(world, wire, six=False), Handmade(world, wire, six=True)
        ack = {one.port: tcp(one.port, 80, ACK, numbers=(101, 501)) for one in (old, new)}
        assert until(lambda: len({f.data[34:36] for f in reading.frames if f.data[12:14] == b"\x08\0"}) == 2)
        before = world.count("bare_ack")
        old.send(0, ack[old.port], options=b"\1\1\1\1")
        assert until(lambda: world.count("bare_ack") == before + 1)
        new.send(0, ack[new.port], extra=True)
        assert until(lambda: any(f.data.endswith(ack[new.port]) for f in reading.frames[-3:]))
        assert world.count("bare_ack") == before + 1


def test_an_acknowledgement_without_a_connection_is_queued(world):
    with Wire(world.lab) as wire, judging(world, lambda frame: (ACCEPTED, 0)) as reading:
        a, b = world.guests["a"], world.guests["b"]
        segment = tcp(next(PORTS), 80, ACK)
        wire.send(a, ether(b.address, a.address, 0x800, ip4(A4, B4, 6, segment)))
        assert until(lambda: any(frame.data.endswith(segment) for frame in reading.frames))


def test_acknowledgements_wait_for_the_judgement_of_new_policies(world):
    """A connection with a verdict of older policies is judged by its next packet, whatever that is."""
    marks = {"now": mark_of(SETTLED_ORIGINAL, 1)}
    with Wire(world.lab) as wire, judging(world, lambda frame: (ACCEPTED, marks["now"])) as reading:
        one = Handmade(world, wire, six=False)
        assert until(lambda: len(reading.frames) >= 2)
        segment = tcp(80, one.port, ACK, numbers=(501, 101))
        before = world.count("bare_ack")
        one.send(1, segment)  # the reply direction is under inspection, with a verdict that is current
        assert until(lambda: world.count("bare_ack") == before + 1)
        try:
            world.apply(CLOSED, 2)
            marks["now"] = 0
            one.send(1, segment)
            assert until(lambda: any(frame.data.endswith(segment) for frame in reading.frames))
        finally:
            world.apply(CLOSED, 1)


def test_new_connections_are_limited_for_each_port(world):
    a, b = (world.guests[name] for name in ("a", "b"))
    try:
        world.apply(CLOSED, new_rate=1, new_burst=5)
        with (
            Talk(world) as known,
            Talk(world, ("b", "a"), ("10.9.0.2", "10.9.0.1")) as other,
            Wire(world.lab) as wire,
            judging(world, lambda frame: (ACCEPTED, 0)) as reading,
        ):
            assert known.say(0)
            reading.frames.clear()
            for port in [next(PORTS) for _ in range(60)]:
                wire.send(a, ether(b.address, a.address, 0x800, ip4(A4, B4, 17, udp(port, 7))))
            assert until(lambda: world.count(f"limit_new.{a.port}") >= 50)
            assert len([frame for frame in reading.frames if frame.data[36:38] == b"\0\7"]) <= 8
            assert all(known.say(0) for _ in range(10))  # it is known, though nobody answers
            assert other.say(0)  # another port
        assert not world.count(f"limit_new.{b.port}")
    finally:
        world.apply(CLOSED)


def test_broadcasts_are_limited_for_each_port(world):
    a = world.guests["a"]
    try:
        world.apply(CLOSED, group_rate=1, group_burst=3)
        with Wire(world.lab) as wire, judging(world, lambda frame: (ACCEPTED, 0)) as reading:
            packet = ip4(A4, "10.9.255.255", 17, udp(next(PORTS), 77))
            for _ in range(20):
                wire.send(a, ether(BROADCAST, a.address, 0x800, packet))
            assert until(lambda: world.count(f"limit_group.{a.port}") >= 50)  # three receivers
            assert len([frame for frame in reading.frames if frame.data[36:38] == b"\0\x4d"]) <= 6
    finally:
        world.apply(CLOSED)


def test_equal_addresses_of_different_zones_do_not_mix():
    with Lab("zones") as lab:
        names = {"a1": ["10.9.0.1"], "b1": ["10.9.0.2"], "a2": ["10.9.0.1"], "b2": ["10.9.0.2"]}
        world = plug(lab, names, a1=1, b1=1, a2=2, b2=2)
        for one, other in (("a1", "b1"), ("b1", "a1"), ("a2", "b2"), ("b2", "a2")):
            address = "10.9.0.2" if other.startswith("b") else "10.9.0.1"
            entry = ("ip", "neigh", "replace", address, "lladdr", world.guests[other].mac, "dev", "eth0")
            lab.run(world.guests[one], *entry)
        world.apply(CLOSED)
        pair = ("10.9.0.1", "10.9.0.2")
        with (
            Talk(world, ("a1", "b1"), pair) as first,
            Talk(world, ("a2", "b2"), pair, first.ports) as second,
            judging(world, lambda frame: (ACCEPTED, mark_of(SETTLED, 1))) as reading,
        ):
            assert all(one.say(end) for one in (first, second) for end in (0, 1))
        zones = {frame.origin.zone for frame in reading.ip4}
        known = lab.run(lab.host, "conntrack", "-L")
        assert zones == {1, 2}
        assert "zone=1" in known
        assert "zone=2" in known
        world.driver.sweep()
