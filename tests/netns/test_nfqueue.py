"""Both readers of NFQUEUE against the real kernel: no size is lost, and what the kernel tells arrives."""

from __future__ import annotations

import socket
import threading

import pytest
from lab import Lab
from queues import Reading, port_map, rule, source_of, to_queue, until

from appliance.capture.base import CaptureError
from appliance.capture.batch import widen
from appliance.capture.nfqueue.config import Queue
from appliance.inventory.ports import PortMap
from appliance.model.mark import BLOCKED, FAIL_CLOSED, KNOWN, REPLY, SETTLED, mark_of
from appliance.model.origin import ORIGINAL
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict

pytestmark = pytest.mark.netns
DROPPED = Decision(Verdict.DROP, Reason.FIREWALL)
READERS = ("netlink", "library")
IPV4, IPV6 = "10.9.0.2", "fd09::2"

# Every size where something changes: the package's buffers, the attribute's limit, fragments, and a sweep.
EDGES = [
    0,
    1,
    2,
    3,
    17,
    18,
    1471,
    1472,
    1473,
    2047,
    2048,
    3961,
    3962,
    3963,
    3990,
    3991,
    4016,
    4017,
    4068,
    4095,
    4096,
]
EDGES += [4097, 8191, 8192, 16384, 32767, 32768, 65000]
SWEEP = list(range(0, 65507, 997))
TOP = [*range(65495, 65508)]  # 65,507 bytes of UDP payload is an IPv4 packet of 65,535


@pytest.fixture(scope="module")
def lab():
    with Lab("queue") as made:
        a = made.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        b = made.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        to_queue(made, "--queue-num", "0")
        for one, other in ((a, b), (b, a)):  # neighbours are known: nothing but what a test sends
            for guest, address in ((one, other), (other, one)):
                number = 2 if address is b else 1
                for ip in (f"10.9.0.{number}", f"fd09::{number}"):
                    argv = ("ip", "neigh", "replace", ip, "lladdr", address.mac, "dev", "eth0")
                    made.run(guest, *argv)
        yield made


def udp(lab, family, name, address=None):
    with lab.inside(lab.guests[name]):
        made = socket.socket(family, socket.SOCK_DGRAM)
    widen(made, 8 << 20)
    made.settimeout(5)
    if address:
        made.bind((address, 5000))
    return made


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("family", "target"), [(socket.AF_INET, IPV4), (socket.AF_INET6, IPV6)])
def test_no_size_of_datagram_is_lost(lab, reader, family, target):
    top = TOP if family == socket.AF_INET else [size + 20 for size in TOP]  # IPv6 does not count its header
    sizes = sorted({*EDGES, *SWEEP, *top})
    a, b = lab.guests["a"], lab.guests["b"]
    with (
        source_of(lab, reader, port_map(a, b)) as source,
        udp(lab, family, "a") as sender,
        udp(lab, family, "b", target) as receiver,
        Reading(source) as reading,
    ):
        for size in sizes:
            body = bytes([size & 0xFF]) * size
            sender.sendto(body, (target, 5000))
            assert receiver.recvfrom(70000)[0] == body, size
    seen = [frame for frame in reading.frames if frame.origin.source is not None]
    header = 14 + (20 if family == socket.AF_INET else 40) + 8
    got = sorted(frame.wirelen - header for frame in seen if frame.data[14] >> 4 in (4, 6))
    assert set(sizes) <= set(got)
    assert all(len(frame.data) == frame.wirelen for frame in seen)
    for frame in seen:
        assert frame.origin.unseen == max(0, frame.wirelen - 14 - 65531)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("family", "target"), [(socket.AF_INET, IPV4), (socket.AF_INET6, IPV6)])
def test_bulk_tcp_comes_unsegmented_and_whole(lab, reader, family, target):
    a, b = lab.guests["a"], lab.guests["b"]
    total = 30 << 20
    got = []
    with lab.inside(b):
        server = socket.create_server((target, 0), family=family)
    with source_of(lab, reader, port_map(a, b)) as source, server, Reading(source, keep=False) as reading:
        largest = 0

        def judge(frame):
            nonlocal largest
            largest = max(largest, frame.wirelen)
            return ACCEPTED, 0

        reading.judge = judge

        def serve():
            connection, _ = server.accept()
            with connection:
                count = 0
                while data := connection.recv(1 << 20):
                    count += len(data)
                got.append(count)

        thread = threading.Thread(target=serve)
        thread.start()
        with lab.inside(a), socket.socket(family) as client:
            client.settimeout(20)
            client.connect(server.getsockname()[:2])
            client.sendall(b"x" * total)
        thread.join(20)
        until(lambda: source.counters().waiting == 0)
        counters = source.counters()
    assert got == [total]
    assert largest > 20000
    assert counters.received == counters.verdicts > 100
    assert counters.bytes > total
    assert (counters.queue_drops, counters.user_drops, counters.malformed, counters.oversized) == (0, 0, 0, 0)


@pytest.mark.parametrize("reader", READERS)
def test_frames_tell_where_they_were(lab, reader):
    a, b = lab.guests["a"], lab.guests["b"]
    ports = port_map(a, b, zone=7)
    with (
        source_of(lab, reader, ports) as source,
        udp(lab, socket.AF_INET, "a") as sender,
        udp(lab, socket.AF_INET, "b", IPV4) as receiver,
        Reading(source) as reading,
    ):
        sender.sendto(b"hello", (IPV4, 5000))
        receiver.recvfrom(100)
        (frame,) = reading.ip4
        assert frame.data[:14] == b.address + a.address + b"\x08\x00"
        assert frame.data.endswith(b"hello")
        assert frame.linktype == 1
        assert frame.interface == a.port
        origin = frame.origin
        assert (origin.source, origin.target) == (ports.ports[0].interface, ports.ports[1].interface)
        assert (origin.zone, origin.reply, origin.known, origin.copy, origin.checked) == (
            7,
            ORIGINAL,
            False,
            0,
            True,
        )
        assert not origin.unmapped
        source.swap_ports(PortMap(ports.ports[:1]))
        sender.sendto(b"again", (IPV4, 5000))
        receiver.recvfrom(100)
        assert reading.ip4[1].origin.unmapped


@pytest.mark.parametrize("reader", READERS)
def test_marks_come_and_go(lab, reader):
    """The kernel's mark is read, and the verdict's mark is what the rules behind the queue see."""
    a, b = lab.guests["a"], lab.guests["b"]
    bits = REPLY | KNOWN | FAIL_CLOSED
    before = ("-t", "mangle", "-I", "FORWARD", "1", "-j", "MARK", "--set-mark", str(bits))
    verdict = mark_of(SETTLED, 41)
    saved = ("FORWARD", "-m", "mark", "--mark", "0x0/0x7", "-j", "RETURN")
    after = ("FORWARD", "-j", "CONNMARK", "--save-mark")
    rule(lab, *before)
    rule(lab, "-A", *saved)
    rule(lab, "-A", *after)
    try:
        with (
            source_of(lab, reader, port_map(a, b)) as source,
            udp(lab, socket.AF_INET, "a") as sender,
            udp(lab, socket.AF_INET, "b", IPV4) as receiver,
            Reading(source, lambda frame: (ACCEPTED, verdict)) as reading,
        ):
            sender.sendto(b"hello", (IPV4, 5000))
            receiver.recvfrom(100)
            assert (reading.ip4[0].origin.reply, reading.ip4[0].origin.known) == (1, True)
            port = sender.getsockname()[1]
            table = lab.run(lab.host, "conntrack", "-L", "-p", "udp", "--sport", str(port))
            assert f"mark={verdict}" in table
    finally:
        rule(lab, "-D", *after)
        rule(lab, "-D", *saved)
        rule(lab, "-t", "mangle", "-D", "FORWARD", "1")


@pytest.mark.parametrize("reader", READERS)
def test_dropped_is_gone_and_blocked_is_left_to_the_rule(lab, reader):
    a, b = lab.guests["a"], lab.guests["b"]
    block = ("FORWARD", "-m", "mark", "--mark", f"{BLOCKED}/{BLOCKED}", "-j", "DROP")
    rule(lab, "-A", *block)
    answers = {b"drop": (DROPPED, 0), b"block": (DROPPED, mark_of(BLOCKED, 1)), b"pass": (ACCEPTED, 0)}
    try:
        with (
            source_of(lab, reader, port_map(a, b)) as source,
            udp(lab, socket.AF_INET, "a") as sender,
            udp(lab, socket.AF_INET, "b", IPV4) as receiver,
            Reading(source, lambda frame: answers.get(frame.data[42:], (ACCEPTED, 0))),
        ):
            for body in answers:
                sender.sendto(body, (IPV4, 5000))
            assert receiver.recvfrom(100)[0] == b"pass"
            assert until(lambda: source.counters().waiting == 0)
            listed = lab.run(lab.host, "iptables", "-L", "FORWARD", "-vnx")
    finally:
        rule(lab, "-D", *block)
    (line,) = [line for line in listed.splitlines() if "DROP" in line]
    assert line.split()[0] == "1"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fail_open", [False, True])
def test_a_reader_that_stops_fails_as_its_queue_says(lab, reader, fail_open):
    a, b = lab.guests["a"], lab.guests["b"]
    with (
        source_of(lab, reader, port_map(a, b), (Queue(0, fail_open),), length=10) as source,
        udp(lab, socket.AF_INET, "a") as sender,
        udp(lab, socket.AF_INET, "b", IPV4) as receiver,
    ):
        for n in range(50):
            sender.sendto(b"%d" % n, (IPV4, 5000))
        if fail_open:
            assert [receiver.recvfrom(100)[0] for _ in range(40)] == [b"%d" % n for n in range(10, 50)]
        assert until(lambda: source.counters().waiting == 10)
        assert source.counters().queue_drops == (0 if fail_open else 40)
        reading = Reading(source)
        assert sum(reading.step(0.2) for _ in range(3)) == 10  # what was held is judged late, not lost
        assert [receiver.recvfrom(100)[0] for _ in range(10)] == [b"%d" % n for n in range(10)]


def arrived(receiver):
    try:
        return receiver.recv(100)
    except BlockingIOError:
        return None


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fail_open", [False, True])
def test_a_full_socket_fails_as_its_queue_says_and_leaves_nothing_behind(lab, reader, fail_open):
    """The kernel numbers packets whose message did not fit: the next verdicts step over the holes."""
    a, b = lab.guests["a"], lab.guests["b"]
    with (
        source_of(lab, reader, port_map(a, b), (Queue(0, fail_open),), buffer=2304) as source,
        udp(lab, socket.AF_INET, "a") as sender,
        udp(lab, socket.AF_INET, "b", IPV4) as receiver,
    ):
        reading = Reading(source)
        sent = 0
        for _ in range(3):
            for _ in range(20):
                sender.sendto(b"%d" % sent, (IPV4, 5000))
                sent += 1
            while reading.step(0.1):
                pass
        counters = source.counters()
        held = len(reading.frames)
        assert 0 < held < sent
        assert counters.overruns == sent - held
        assert counters.user_drops == (0 if fail_open else sent - held)
        assert (counters.waiting, counters.malformed) == (0, 0)
        receiver.setblocking(False)
        got = len(list(iter(lambda: arrived(receiver), None)))
        assert got == (sent if fail_open else held)


@pytest.mark.parametrize("reader", READERS)
def test_a_queue_has_one_reader(lab, reader):
    with (
        source_of(lab, "netlink", PortMap()),
        pytest.raises(CaptureError, match=r"queue 0: .*"),
        source_of(lab, reader, PortMap()),
    ):
        pass


def test_a_socket_is_handed_over_with_the_packets_in_it(lab):
    import time

    from appliance.capture.nfqueue.config import QueueConfig
    from appliance.capture.nfqueue.reader import NetlinkReader

    a, b = lab.guests["a"], lab.guests["b"]
    with (
        udp(lab, socket.AF_INET, "a") as sender,
        udp(lab, socket.AF_INET, "b", IPV4) as receiver,
    ):
        config = QueueConfig((Queue(0),))
        with lab.inside(lab.host):
            first = NetlinkReader(config, port_map(a, b), time.time_ns)
        sender.sendto(b"one", (IPV4, 5000))
        assert Reading(first).step(2) == 1
        sender.sendto(b"two", (IPV4, 5000))
        sender.sendto(b"three", (IPV4, 5000))
        fd = first.detach()
        with lab.inside(lab.host):
            second = NetlinkReader(config, port_map(a, b), time.time_ns, fd)
        try:
            assert second.counters().waiting == 2
            reading = Reading(second)
            assert until(lambda: reading.step(0.1) >= 0 and len(reading.ip4) == 2)
            assert [receiver.recvfrom(100)[0] for _ in range(3)] == [b"one", b"two", b"three"]
            assert until(lambda: second.counters().waiting == 0)
        finally:
            second.close()


def test_what_the_last_owner_left_behind_is_not_kept_for_ever(lab):
    import time

    from appliance.capture.nfqueue.config import QueueConfig
    from appliance.capture.nfqueue.reader import NetlinkReader

    a, b = lab.guests["a"], lab.guests["b"]
    config = QueueConfig((Queue(0),))
    with udp(lab, socket.AF_INET, "a") as sender, udp(lab, socket.AF_INET, "b", IPV4) as receiver:
        with lab.inside(lab.host):
            first = NetlinkReader(config, port_map(a, b), time.time_ns)
        sender.sendto(b"lost", (IPV4, 5000))
        assert len(first.receive(2)) == 1  # and never judged
        with lab.inside(lab.host):
            second = NetlinkReader(config, port_map(a, b), time.time_ns, first.detach())
        try:
            sender.sendto(b"next", (IPV4, 5000))
            assert Reading(second).step(2) == 1
            assert receiver.recvfrom(100)[0] == b"next"
            assert second.counters().waiting == 0
        finally:
            second.close()


@pytest.mark.parametrize("reader", READERS)
def test_both_directions_of_a_pair_stay_on_one_queue(reader):
    with Lab("balance") as lab:
        a = lab.vm("a", addresses=[f"10.9.0.{n}/24" for n in range(1, 9)])
        b = lab.vm("b", addresses=["10.9.0.100/24"])
        to_queue(lab, "--queue-balance", "0:3")
        queues = tuple(Queue(n) for n in range(4))
        with (
            source_of(lab, reader, port_map(a, b), queues) as source,
            Reading(source) as reading,
            udp(lab, socket.AF_INET, "b", "10.9.0.100") as receiver,
        ):
            for n in range(1, 9):
                with udp(lab, socket.AF_INET, "a", f"10.9.0.{n}") as sender:
                    sender.sendto(b"ask", ("10.9.0.100", 5000))
                    _, peer = receiver.recvfrom(100)
                    receiver.sendto(b"answer", peer)
                    assert sender.recvfrom(100)[0] == b"answer"
        used: dict[frozenset[bytes], set[int]] = {}
        for frame in reading.ip4:
            pair = frozenset((frame.data[26:30], frame.data[30:34]))
            used.setdefault(pair, set()).add(frame.token >> 32)
        assert len(used) == 8
        assert all(len(queues) == 1 for queues in used.values())
        assert len(set.union(*used.values())) > 1


@pytest.mark.slow
def test_sizes_pass_in_close_order(lab):
    """Packets of 28 to 65,535 bytes: all sizes up to jumbo frames and near the end, each seventh between."""
    a, b = lab.guests["a"], lab.guests["b"]
    every = [*range(9217), *range(9217, 64000, 7), *range(64000, 65508)]
    window = 16
    with (
        source_of(lab, "netlink", port_map(a, b)) as source,
        udp(lab, socket.AF_INET, "a") as sender,
        udp(lab, socket.AF_INET, "b", IPV4) as receiver,
        Reading(source, keep=False),
    ):
        got = set()
        buffer = bytearray(1 << 16)
        for first in range(0, len(every), window):
            sizes = every[first : first + window]
            for size in sizes:
                sender.sendto(memoryview(buffer)[:size], (IPV4, 5000))
            got.update(receiver.recv_into(buffer) for _ in sizes)
        counters = source.counters()
    assert got == set(every)
    assert counters.malformed == counters.refused == counters.queue_drops == 0


def test_the_next_segment_is_waited_for_less_than_the_next_datagram(lab):
    with source_of(lab, "netlink", port_map(*lab.guests.values())) as source, Reading(source):
        at_first = source.tries
        with lab.inside(lab.guests["a"]):
            caller = socket.socket()
        with caller:
            assert caller.connect_ex((IPV4, 9)) != 0  # nobody listens there: a SYN, and a RST
        assert until(lambda: source.tries < at_first)
        with udp(lab, socket.AF_INET, "a") as sender:
            sender.sendto(b"x", (IPV4, 5000))
            assert until(lambda: source.tries == at_first)
