"""The datapath "nft" as the appliance renders and applies it, on a stock kernel."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from inside_bridge_family import ARP, IP, PPPOE, QINQ, VLAN, arrives, datagram, frame, one, received
from inside_protected import OPEN, Protected, protected, until
from inside_queue import ACCEPT, PHYSOUTDEV, Queue
from inside_switch import Machine, inside, run

from appliance.kernel.options import Datapath
from appliance.kernel.probe import choose, probe
from appliance.model.mark import BLOCKED, FAIL_CLOSED, GROUP, KNOWN, REPLY, SETTLED, mark_of

LOW = 0x7F


def kernel_offers_it() -> None:
    found = probe()
    assert Datapath.NFT in found.datapaths, found.missing
    assert found.ibrname
    assert choose(found) is Datapath.NFT


def applies_audits_and_sweeps(lab: Protected) -> None:
    assert not lab.driver.audit()
    left = lab.driver.adopt()
    assert left is not None
    assert (left.datapath, left.epoch) == (Datapath.NFT, 2)
    lab.switch.nft("flush chain bridge eastwall inspect")
    assert [drift.what for drift in lab.driver.audit()] == ["nft tables"]
    assert not lab.driver.audit()
    lab.apply(epoch=3)
    assert lab.driver.adopt().epoch == 3
    lab.driver.sweep()
    assert "eastwall" not in lab.switch.run("nft", "list", "ruleset")


def guard(lab: Protected) -> None:
    """What a port may send reaches the other, what it may not is dropped and counted for its reason."""
    lab.switch.ip("link add extra type veth peer name other\nlink set extra master br0 up\nlink set other up")
    a, b, c = lab.switch.machines
    udp = datagram(a, b)
    arp = struct.pack(">HHBBH", 1, IP, 6, 4, 1)
    mine, theirs = socket.inet_aton(a.address), socket.inet_aton(c.address)
    passing = {
        "ip": frame(a, b, IP, payload=udp),
        "arp": frame(a, b, ARP, payload=arp + a.mac_bytes + mine + bytes(10)),
        "rarp": frame(
            a, b, 0x8035, payload=struct.pack(">HHBBH", 1, IP, 6, 4, 3) + (a.mac_bytes + bytes(4)) * 2
        ),
    }
    dropped = {
        "mac": frame(c, b, IP, payload=udp),
        "ip": frame(a, b, IP, payload=datagram(c, b)),
        "arp": frame(a, b, ARP, payload=arp + a.mac_bytes + theirs + bytes(10)),
        "tag": frame(a, b, VLAN, IP, payload=udp),
        "ethertype": frame(a, b, PPPOE, payload=b"\x11\0\0\1\0\x22\0\x21" + udp),
        "dhcp": frame(a, b, IP, payload=datagram(a, b, ports=(67, 68))),
    }
    others = {
        "tag": [frame(a, b, QINQ, IP, payload=udp), frame(a, b, QINQ, VLAN, IP, payload=udp)],
        "ethertype": [frame(a, b, 40, payload=b"\xaa\xaa\3\0\0\0\x08\0" + udp)],
        "arp": [frame(a, b, ARP, payload=arp + c.mac_bytes + theirs + bytes(10))],
    }
    with a.raw() as sender, b.raw() as receiver:
        for name, sent in passing.items():
            sender.send(sent)
            assert received(receiver, sent), name
        for name, sent in dropped.items():
            for each in (sent, *others.get(name, ())):
                sender.send(each)
        expected = {name: 1 + len(others.get(name, ())) for name in dropped}
        assert until(lambda: drops(lab, a.port) == expected), drops(lab, a.port)
        receiver.settimeout(0.3)
        assert not received(receiver, b.mac_bytes + c.mac_bytes)
    lab.switch.run("ip", "link", "del", "extra")


def drops(lab, port):
    counters = lab.driver.counters().items()
    return {
        name.split(".")[1]: one.packets for name, one in counters if name.endswith(f".{port}") and one.packets
    }


def unknown_port_passes_nothing(lab: Protected) -> None:
    a, b = lab.switch.machines[:2]
    lab.ports = lab.ports[1:]
    lab.apply(epoch=2)
    with a.raw() as sender, b.raw() as receiver:
        receiver.settimeout(0.5)
        sender.send(frame(a, b, IP, payload=datagram(a, b)))
        assert not received(receiver, b.mac_bytes)
    assert [(one.port, one.mac) for one in lab.driver.seen()] == [(a.port, a.mac_bytes)]


def marks_and_memory(lab: Protected, queue: Queue) -> None:
    """The kernel tells what it knows, remembers a block under its epoch, and asks again under another."""
    a, b = lab.switch.machines[:2]
    with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver:
        receiver.bind((b.address, 5000))
        sender.sendto(b"1", (b.address, 5000))
        packet = one(queue)
        assert packet.l2 == frame(a, b, IP, payload=b"")
        assert packet.mark & LOW == FAIL_CLOSED
        queue.verdict(packet)
        _, origin = receiver.recvfrom(10)
        receiver.sendto(b"2", origin)
        packet = one(queue)
        assert packet.mark & LOW == FAIL_CLOSED | REPLY | KNOWN
        queue.verdict(packet)
        assert sender.recv(10) == b"2"
        sender.sendto(b"3", (b.address, 5000))
        queue.verdict(one(queue), ACCEPT, mark_of(BLOCKED, 1))
        sender.sendto(b"4", (b.address, 5000))
        assert not queue.packets(0.5)
        assert lab.counter("blocked") == 2
        lab.apply(epoch=2)
        sender.sendto(b"5", (b.address, 5000))
        queue.verdict(one(queue), ACCEPT, mark_of(SETTLED, 2))
        assert receiver.recv(10) == b"5"
        for data in (b"6", b"7"):
            sender.sendto(data, (b.address, 5000))
            assert receiver.recv(10) == data
        receiver.sendto(b"8", origin)
        assert sender.recv(10) == b"8"
        assert not queue.packets(0.2)
        assert lab.counter("settled") == 3


def bare_acks_pass(lab: Protected, queue: Queue) -> None:
    """Of bulk TCP only what carries data is asked about."""
    a, b = lab.switch.machines[:2]
    packets = []
    stop = threading.Event()

    def judge() -> None:
        while not stop.is_set():
            for packet in queue.packets(0.2):
                packets.append(packet)
                queue.verdict(packet)

    with judging(judge, stop), a.socket() as client, b.socket() as listener:
        listener.bind((b.address, 5000))
        listener.listen()
        client.connect((b.address, 5000))
        server = listener.accept()[0]
        with server:
            server.settimeout(10)
            sender = threading.Thread(target=client.sendall, args=(b"x" * 300_000,))
            sender.start()
            got = 0
            while got < 300_000:
                got += len(server.recv(1 << 16))
            sender.join()
    assert lab.counter("bare_ack") > 0
    asked = [packet for packet in packets if packet.payload[9] == 6]
    empty = [packet for packet in asked if len(packet.payload) <= 60 and not packet.payload[33] & 0x7]
    assert not empty, [packet.payload.hex() for packet in empty]
    assert max(len(packet.payload) for packet in asked) > 1514


@contextlib.contextmanager
def judging(work, stop):
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def new_connections_are_limited() -> None:
    with protected(OPEN, new_rate=10, new_burst=5) as lab:
        a, b = lab.switch.machines[:2]
        with a.raw() as sender:
            for number in range(40):
                sender.send(frame(a, b, IP, payload=datagram(a, b, ports=(1000 + number, 9))))
        counters = lab.driver.counters()
        assert counters["limit_new"].packets >= 20, counters
        assert counters["queued_open"].packets >= 5, counters


def packets_of_a_connection_are_limited() -> None:
    with protected(OPEN, packet_rate=10, packet_burst=5) as lab:
        a, b = lab.switch.machines[:2]
        with a.raw() as sender:
            for _ in range(40):
                sender.send(frame(a, b, IP, payload=datagram(a, b, ports=(1000, 9))))
        assert lab.driver.counters()["limit_packets"].packets >= 20


def zones_keep_tenants_apart() -> None:
    """A block in one network segment is none in another that has the same addresses."""
    with protected(machines=4, zones=(1, 1, 2, 2)) as lab, lab.queue() as queue:
        a, b, c, d = lab.switch.machines
        lab.switch.ip("")
        for marks, (source, target) in zip((mark_of(BLOCKED, 1), 0), ((a, b), (c, d)), strict=True):
            with source.raw() as sender, target.raw() as receiver:
                receiver.settimeout(1)
                sent = frame(source, target, IP, payload=datagram(source, target))
                sender.send(sent)
                packet = one(queue)
                queue.verdict(packet, ACCEPT, marks)
                assert received(receiver, sent) == (not marks)
        known = lab.switch.run("conntrack", "-L", "-p", "udp")
        assert "zone=1" not in known or "mark=65540" not in known
        assert "zone=2" in known, known


def broadcasts_come_for_each_receiver(lab: Protected, queue: Queue) -> None:
    a, b, c = lab.switch.machines
    with a.raw() as sender, b.raw() as first, c.raw() as second:
        sent = b"\xff" * 6 + frame(a, b, IP, payload=datagram(a, b))[6:]
        sender.send(sent)
        packets = queue.packets(5, most=2)
        with inside(lab.switch.namespace):
            assert {packet.device(PHYSOUTDEV) for packet in packets} == {b.port, c.port}
        for packet in packets:
            assert packet.mark & LOW == FAIL_CLOSED | GROUP
            queue.verdict(packet)
        assert received(first, sent)
        assert received(second, sent)


def nobody_at_the_queue(lab: Protected, passes: bool) -> None:
    """Without a worker an interface that fails closed gets nothing, one that fails open all."""
    a, b = lab.switch.machines[:2]
    for version in (4, 6):
        assert _sends(a, b, version) == passes, version


def _sends(a: Machine, b: Machine, version: int) -> bool:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    where = (b.address if version == 4 else b.address6, 5000)
    with a.socket(socket.SOCK_DGRAM, family) as sender, b.socket(socket.SOCK_DGRAM, family) as receiver:
        receiver.bind(where)
        receiver.settimeout(1)
        sender.sendto(b"1", where)
        return arrives(receiver)


def ipv6_is_asked_about(lab: Protected, queue: Queue) -> None:
    a, b = lab.switch.machines[:2]
    with a.socket(socket.SOCK_DGRAM, socket.AF_INET6) as sender:
        sender.sendto(b"1", (b.address6, 5000))
        packet = one(queue)
        assert packet.l2 == frame(a, b, 0x86DD, payload=b"")
        assert packet.mark & LOW == FAIL_CLOSED


def fragments_are_asked_about_once(lab: Protected, queue: Queue) -> None:
    a, b = lab.switch.machines[:2]
    for family, target in ((socket.AF_INET, b.address), (socket.AF_INET6, b.address6)):
        with (
            a.socket(socket.SOCK_DGRAM, family) as sender,
            b.socket(socket.SOCK_DGRAM, family) as receiver,
        ):
            receiver.bind((target, 5000))
            sender.sendto(b"y" * 4000, (target, 5000))
            packet = one(queue)
            assert len(packet.payload) > 4000
            queue.verdict(packet)
            assert receiver.recv(5000) == b"y" * 4000


CLOSED_STEPS = [
    ipv6_is_asked_about,
    fragments_are_asked_about_once,
    broadcasts_come_for_each_receiver,
    marks_and_memory,
    bare_acks_pass,
]


def fails_closed() -> None:
    """All about interfaces that fail closed, on one switch."""
    with protected(machines=3) as lab:
        nobody_at_the_queue(lab, passes=False)
        run("modprobe", "br_netfilter")  # somebody else loads it, and it is on in every namespace
        lab.switch.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
        lab.switch.run("sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=1")
        nobody_at_the_queue(lab, passes=False)
        assert len(lab.driver.audit()) == 2
        for step in CLOSED_STEPS:
            with lab.queue() as queue:  # what one step leaves in the queue is dropped
                step(lab, queue)
        applies_audits_and_sweeps(lab)


def fails_open() -> None:
    """All about interfaces that fail open, on one switch."""
    with protected(OPEN, machines=3) as lab:
        nobody_at_the_queue(lab, passes=True)
        guard(lab)
        unknown_port_passes_nothing(lab)


CHECKS = [
    kernel_offers_it,
    fails_closed,
    fails_open,
    new_connections_are_limited,
    packets_of_a_connection_are_limited,
    zones_keep_tenants_apart,
]
