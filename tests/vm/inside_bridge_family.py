"""What nft's bridge family gives on a stock kernel, shown with rules written by hand.

``docs/design/inline.md`` states these facts; the datapath "nft" is built on them.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from inside_queue import (
    ACCEPT,
    CONNTRACK,
    CT,
    DROP,
    FAIL_OPEN,
    GSO,
    HWADDR,
    PHYSINDEV,
    PHYSOUTDEV,
    Packet,
    Queue,
)
from inside_switch import Machine, Switch, inside, run

IP, ARP, VLAN, QINQ, PPPOE = 0x0800, 0x0806, 0x8100, 0x88A8, 0x8864
LLC = 4  # the kernel's number for frames with a length in place of a type
SAVE = "meta mark & 0xf != 0 ct mark set meta mark"


@contextlib.contextmanager
def queued(
    rules: str, after: str = "", before: str = "", machines: int = 2, flags: int = GSO, length: int = 1024
) -> Iterator[tuple[Switch, Queue]]:
    """Give a switch with ``rules`` in its forward chain, and its queue 0."""
    with Switch(machines) as switch:
        switch.nft(f"""
            table bridge t {{
              chain before {{ type filter hook prerouting priority -310
                {before}
              }}
              chain forward {{ type filter hook forward priority 5
                {rules}
              }}
              chain after {{ type filter hook forward priority 10
                {after}
              }}
            }}""")
        with inside(switch.namespace):
            queue = Queue(0, flags, length)
        with queue:
            yield switch, queue


def one(queue: Queue) -> Packet:
    """Give the next packet; there has to be one."""
    found = queue.packets()
    assert found, "nothing in the queue"
    return found[0]


def datagram(source: Machine, target: Machine, size: int = 4, ports: tuple[int, int] = (7, 8)) -> bytes:
    """Give an IPv4 packet with a UDP datagram (checksum of the header right, none of UDP)."""
    head = bytearray(struct.pack(">BBHHHBBH", 0x45, 0, 28 + size, 1, 0, 64, 17, 0))
    head += socket.inet_aton(source.address) + socket.inet_aton(target.address)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head[10:12] = struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    return bytes(head) + struct.pack(">HHHH", *ports, 8 + size, 0) + b"x" * size


def frame(source: Machine, target: Machine, *types: int, payload: bytes) -> bytes:
    """Give an Ethernet frame; each type but the last is a tag's, followed by the VLAN 5."""
    middle = b"".join(struct.pack(">HH", kind, 5) for kind in types[:-1]) + struct.pack(">H", types[-1])
    return target.mac_bytes + source.mac_bytes + middle + payload


def queue_tells_where() -> None:
    """The header with both MACs, both ports, and the verdict's mark stays with the connection."""
    with queued("meta protocol ip queue num 0", SAVE) as (switch, queue):
        a, b = switch.machines
        with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver:
            receiver.bind((b.address, 5000))
            sender.sendto(b"first", (b.address, 5000))
            packet = one(queue)
            assert packet.l2 == frame(a, b, IP, payload=b"")
            assert packet.payload.endswith(b"first")
            assert packet.vlan is None
            assert packet.attributes[HWADDR][4:10] == a.mac_bytes
            with inside(switch.namespace):
                assert (packet.device(PHYSINDEV), packet.device(PHYSOUTDEV)) == (a.port, b.port)
            queue.verdict(packet, ACCEPT, 0x10001)
            assert receiver.recv(100) == b"first"
        assert "mark=65537" in switch.run("conntrack", "-L", "-p", "udp")


def direction_and_state() -> None:
    """Replies and known connections are told apart in the bridge family, and a mark drops in the kernel."""
    rules = """
        ct mark & 0x4 == 0x4 drop
        ct direction reply meta mark set meta mark | 0x8
        ct status confirmed meta mark set meta mark | 0x20
        meta protocol ip queue num 0"""
    with queued(rules, SAVE) as (switch, queue):
        a, b = switch.machines
        with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver:
            receiver.bind((b.address, 5000))
            sender.sendto(b"1", (b.address, 5000))
            packet = one(queue)
            assert packet.mark == 0
            queue.verdict(packet)
            data, origin = receiver.recvfrom(100)
            receiver.sendto(data, origin)
            packet = one(queue)
            assert packet.mark == 0x28
            queue.verdict(packet, ACCEPT, 0x10004)
            assert sender.recv(100) == b"1"
            sender.sendto(b"2", (b.address, 5000))
            assert not queue.packets(0.5)
            assert "mark=65540" in switch.run("conntrack", "-L", "-p", "udp")


def frames_of_every_kind() -> None:
    """All frames come to the queue, the outer tag beside them.

    Conntrack follows IP behind one tag, of either kind. What follows a second tag, PPPoE or LLC is IP to
    nobody.
    """
    rules = """
        ct state new meta mark set 0x100
        queue num 0"""
    with queued(rules) as (switch, queue):
        a, b = switch.machines
        arp = struct.pack(">HHBBH", 1, IP, 6, 4, 1) + a.mac_bytes + bytes(16)
        udp = datagram(a, b)
        expected = {
            frame(a, b, ARP, payload=arp): (None, ARP, False),
            frame(a, b, VLAN, IP, payload=udp): ((VLAN, 5), IP, True),
            frame(a, b, QINQ, IP, payload=udp): ((QINQ, 5), IP, True),
            frame(a, b, QINQ, VLAN, IP, payload=udp): ((QINQ, 5), VLAN, False),
            frame(a, b, VLAN, VLAN, IP, payload=udp): ((VLAN, 5), VLAN, False),
            frame(a, b, PPPOE, payload=b"\x11\0\0\1\0\x22\0\x21" + udp): (None, PPPOE, False),
            frame(a, b, 40, payload=b"\xaa\xaa\3\0\0\0\x08\0" + udp): (None, LLC, False),
        }
        with a.raw() as sender, b.raw() as receiver:
            for sent, told in expected.items():
                sender.send(sent)
                packet = one(queue)
                assert (packet.vlan, packet.protocol, bool(packet.mark)) == told, sent.hex()
                assert packet.l2 == sent[:12] + sent[16 if packet.vlan else 12 :][:2]
                queue.verdict(packet)
                assert received(receiver, sent[:12]), sent.hex()


def received(receiver: socket.socket, start: bytes) -> bool:
    with contextlib.suppress(TimeoutError):
        while True:
            if receiver.recv(2000).startswith(start):
                return True
    return False


def zones_by_port() -> None:
    """A zone set before conntrack (priority -200) keeps equal addresses apart."""
    zone = "ct zone set iifname map { tap1 : 1, tap2 : 1, tap3 : 2, tap4 : 2 }"
    with queued("accept", "", zone, machines=4) as (switch, _):
        a, b, c, d = switch.machines
        for source, target in ((a, b), (c, d)):
            with source.raw() as sender, target.raw() as receiver:
                packet = frame(source, target, IP, payload=datagram(a, b))
                sender.send(packet)
                assert received(receiver, packet)
        known = switch.run("conntrack", "-L", "-p", "udp")
        assert known.count("src=10.0.0.1") == 2, known
        assert "zone=1" in known
        assert "zone=2" in known


def unsegmented() -> None:
    """Bulk TCP comes in pieces larger than a frame, and several packets can be judged at once."""
    with queued("tcp dport 5000 queue num 0") as (switch, queue):
        a, b = switch.machines
        with a.socket() as client, b.socket() as listener:
            listener.bind((b.address, 5000))
            listener.listen()
            client.setblocking(False)
            client.connect_ex((b.address, 5000))
            packets = []
            for _ in ("SYN", "ACK"):
                packets.append(one(queue))
                queue.verdict(packets[-1])
            server = listener.accept()[0]
            with server:
                server.settimeout(10)
                client.settimeout(10)
                client.sendall(b"x" * 60_000)
                got = 0
                while got < 60_000:
                    packets += queue.packets(5, most=2)
                    queue.batch(packets[-1])
                    with contextlib.suppress(BlockingIOError):
                        server.setblocking(False)
                        while piece := server.recv(1 << 16):
                            got += len(piece)
        assert max(len(packet.payload) for packet in packets) > 4000


def fragments_come_whole() -> None:
    """Conntrack, once a rule asks it, puts fragments together before the queue; they leave apart again."""
    with queued("ct state invalid drop; meta protocol ip queue num 0") as (switch, queue):
        a, b = switch.machines
        with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver, b.raw() as wire:
            receiver.bind((b.address, 5000))
            sender.sendto(b"y" * 4000, (b.address, 5000))
            packet = one(queue)
            assert len(packet.payload) == 4028
            queue.verdict(packet)
            assert receiver.recv(5000) == b"y" * 4000
            sizes = [len(wire.recv(5000)) for _ in range(3)]
            assert max(sizes) <= 1514, sizes


def copies_of_a_broadcast() -> None:
    """Each receiver's copy comes by itself; without tracking, all of them get through."""
    rules = "ether daddr ff:ff:ff:ff:ff:ff queue num 0"
    untracked = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 notrack"
    with queued(rules, "", untracked, machines=3) as (switch, queue):
        a, b, c = switch.machines
        with a.raw() as sender, b.raw() as first, c.raw() as second:
            sent = b"\xff" * 6 + frame(a, b, IP, payload=datagram(a, b))[6:]
            sender.send(sent)
            packets = queue.packets(5, most=2)
            with inside(switch.namespace):
                assert {packet.device(PHYSOUTDEV) for packet in packets} == {b.port, c.port}
            for packet in packets:
                queue.verdict(packet)
            assert received(first, sent)
            assert received(second, sent)


def connection_in_message() -> None:
    """The kernel tells the connection with the packet if asked to."""
    with queued("ct state invalid drop; meta protocol ip queue num 0", flags=GSO | CONNTRACK) as (
        switch,
        queue,
    ):
        a, b = switch.machines
        with a.socket(socket.SOCK_DGRAM) as sender:
            sender.sendto(b"1", (b.address, 5000))
            assert CT in one(queue).attributes


def without_reader() -> None:
    """A queue that nobody reads drops; with ``bypass`` it lets through."""
    rules = "udp dport 5000 queue num 7; udp dport 5001 queue num 8 bypass"
    with queued(rules) as (switch, _):
        a, b = switch.machines
        for port, passes in ((5000, False), (5001, True)):
            with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver:
                receiver.bind((b.address, port))
                receiver.settimeout(1)
                sender.sendto(b"1", (b.address, port))
                assert arrives(receiver) == passes


def full_queue(opens: bool) -> None:
    """A full queue drops; with ``FAIL_OPEN`` it lets through."""
    flags = GSO | (FAIL_OPEN if opens else 0)
    with queued("udp dport 5000 queue num 0", flags=flags, length=2) as (switch, queue):
        a, b = switch.machines
        with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver:
            receiver.bind((b.address, 5000))
            receiver.settimeout(1)
            for _ in range(5):
                sender.sendto(b"1", (b.address, 5000))
            assert sum(arrives(receiver) for _ in range(3)) == (3 if opens else 0)
            for packet in queue.packets(2, most=2):
                queue.verdict(packet, DROP)


def arrives(receiver: socket.socket) -> bool:
    try:
        return bool(receiver.recv(2000))
    except TimeoutError:
        return False


def vlan_filtering() -> None:
    """The bridge can put each port in a VLAN of its own."""
    with Switch(2, "vlan_filtering 1") as switch:
        a, b = switch.machines
        assert a.ping(b.address)
        switch.run("bridge", "vlan", "add", "dev", b.port, "vid", "20", "pvid", "untagged")
        assert not a.ping(b.address, wait=1)


def br_netfilter_skips_priority_zero() -> None:
    """Where br_netfilter hands packets to xtables, chains of exactly its own priority do not see them."""
    run("modprobe", "br_netfilter")
    for priority, seen in ((-5, True), (0, False), (5, True)):
        with Switch(2) as switch:
            a, b = switch.machines
            switch.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
            rule = "meta protocol ip drop"
            hook = f"type filter hook forward priority {priority}"
            switch.nft(f"table bridge t {{ chain f {{ {hook}; {rule}\n }}\n }}")
            assert a.ping(b.address, wait=1) != seen, priority


FACTS = [
    queue_tells_where,
    direction_and_state,
    frames_of_every_kind,
    zones_by_port,
    unsegmented,
    fragments_come_whole,
    copies_of_a_broadcast,
    connection_in_message,
    without_reader,
    vlan_filtering,
    br_netfilter_skips_priority_zero,
]
