"""The appliance's reader of queues on nft's bridge family: whole frames as they were on the wire."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from inside_bridge_family import ARP, IP, PPPOE, QINQ, VLAN, datagram, frame
from inside_switch import Switch, inside

from appliance.capture.frame import Frame
from appliance.capture.nfqueue.config import Queue, QueueConfig
from appliance.capture.nfqueue.reader import NetlinkReader
from appliance.inventory.ports import Port, PortMap
from appliance.model.identity import Vm, VmInterface
from appliance.model.mark import KNOWN, REPLY
from appliance.model.origin import REPLY as REVERSE
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict

DROPPED = Decision(Verdict.DROP, Reason.FIREWALL)


@contextlib.contextmanager
def reading(rules: str, fail_open: bool = False) -> Iterator[tuple[Switch, NetlinkReader, PortMap]]:
    """Give a switch with two machines, ``rules`` in its forward chain, and a reader of queue 0."""
    with Switch(2) as switch:
        switch.nft(f"table bridge t {{ chain forward {{ type filter hook forward priority 5; {rules}\n}}\n}}")
        with inside(switch.namespace):
            ports = PortMap(
                Port(
                    one.port, socket.if_nametoindex(one.port), _interface(n, one.port, one.mac_bytes), zone=9
                )
                for n, one in enumerate(switch.machines)
            )
            reader = NetlinkReader(QueueConfig((Queue(0, fail_open),)), ports, time.time_ns)
        try:
            yield switch, reader, ports
        finally:
            reader.close()


def _interface(number: int, name: str, mac: bytes) -> VmInterface:
    return VmInterface(number, Vm(name, name), "eth0", mac)


def judge(reader: NetlinkReader, decision: Decision = ACCEPTED, most: int = 1) -> list[Frame]:
    """Wait for ``most`` frames and judge them all alike."""
    found: list[Frame] = []
    end = time.monotonic() + 10
    while len(found) < most and time.monotonic() < end:
        frames = reader.receive(1)
        for one in frames:
            reader.verdict(one.token, decision)
        reader.flush()
        found += frames
    return found


def frames_are_those_of_the_wire() -> None:
    """Every kind of frame is put together as it was sent, tags and all, and passes unchanged."""
    with reading("iifname tap2 drop; meta protocol ip6 drop; queue num 0") as (switch, reader, ports):
        a, b = switch.machines
        udp = datagram(a, b)
        sent = [
            frame(a, b, IP, payload=udp),
            frame(a, b, ARP, payload=bytes.fromhex("0001080006040001") + a.mac_bytes + bytes(14)),
            frame(a, b, VLAN, IP, payload=udp),
            frame(a, b, QINQ, IP, payload=udp),
            frame(a, b, QINQ, VLAN, IP, payload=udp),
            frame(a, b, VLAN, VLAN, IP, payload=udp),
            frame(a, b, PPPOE, payload=b"\x11\0\0\1\0\x22\0\x21" + udp),
            frame(a, b, 40, payload=b"\xaa\xaa\3\0\0\0\x08\0" + udp),
        ]
        with a.raw() as sender, b.raw() as receiver:
            for one in sent:
                sender.send(one)
                (got,) = judge(reader)
                assert got.data == one, (got.data.hex(), one.hex())
                tagged = one[12:14] in (b"\x81\x00", b"\x88\xa8")
                # The map has no ports for VLAN 5: a tagged frame belongs to nobody.
                assert got.origin is not None
                assert got.origin.unmapped == tagged
                if not tagged:
                    assert (got.interface, got.egress) == (a.port, b.port)
                    assert got.origin.source is ports.ports[0].interface
                    assert got.origin.target is ports.ports[1].interface
                    assert got.origin.zone == 9
                while not receiver.recv(2000).startswith(one[:12]):
                    pass
            sender.send(frame(a, b, IP, payload=udp))
            assert len(judge(reader, DROPPED)) == 1
        counters = reader.counters()
        assert (counters.received, counters.verdicts, counters.waiting) == (9, 9, 0)
        assert (counters.malformed, counters.refused) == (0, 0)


def sizes_pass() -> None:
    """Datagrams of all sizes come whole, put together by conntrack, and pass."""
    # UDP alone: the machines' own stacks solicit and report over IPv6 when they please.
    with reading("ct state invalid drop; meta l4proto udp queue num 0") as (switch, reader, _):
        a, b = switch.machines
        for family, source, target, top in (
            (socket.AF_INET, a.address, b.address, 65507),
            (socket.AF_INET6, a.address6, b.address6, 65527),
        ):
            with (
                a.socket(socket.SOCK_DGRAM, family) as sender,
                b.socket(socket.SOCK_DGRAM, family) as receiver,
            ):
                sender.bind((source, 0))
                receiver.bind((target, 5000))
                for size in (0, 1, 1472, 1473, 3990, 4016, 4096, 32768, top - 20, top):
                    sender.sendto(b"z" * size, (target, 5000))
                    (got,) = judge(reader)
                    assert len(got.data) == got.wirelen == 14 + (20 if top == 65507 else 40) + 8 + size
                    assert receiver.recv(70000) == b"z" * size, size


def tcp_comes_unsegmented_with_direction() -> None:
    """Marks of the rules before the queue arrive, and pieces larger than a frame."""
    rules = """
        ct direction reply meta mark set meta mark | 0x8
        ct status confirmed meta mark set meta mark | 0x20
        meta protocol ip queue num 0"""
    with reading(rules) as (switch, reader, _):
        a, b = switch.machines
        assert (REPLY, KNOWN) == (0x8, 0x20)
        with a.socket() as client, b.socket() as listener:
            listener.bind((b.address, 5000))
            listener.listen()
            client.setblocking(False)
            client.connect_ex((b.address, 5000))
            first, second, third = (judge(reader)[0] for _ in range(3))
            origins = [one.origin for one in (first, second, third) if one.origin is not None]
            assert [(one.reply == REVERSE, one.known) for one in origins] == [
                (False, False),
                (True, True),
                (False, True),
            ]
            with listener.accept()[0] as server:
                client.setblocking(True)
                client.settimeout(10)
                client.sendall(b"x" * 20_000)
                server.settimeout(0.01)
                got, frames = 0, []
                while got < 20_000:
                    frames += judge(reader)
                    with contextlib.suppress(TimeoutError):
                        got += len(server.recv(1 << 16))
        large = [one for one in frames if one.wirelen > 1514]
        assert large
        assert all(one.origin is not None and one.origin.segments and one.origin.checked for one in large)


FACTS = [frames_are_those_of_the_wire, sizes_pass, tcp_comes_unsegmented_with_direction]
