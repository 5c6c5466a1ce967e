"""The appliance as a VM on a foreign switch: one VLAN for each protected VM, stitched into one bridge."""

from __future__ import annotations

import socket

from inside_bridge_family import IP, datagram, frame, one, received
from inside_datapath import drops
from inside_protected import OPEN, stitched, until
from inside_queue import PHYSINDEV, PHYSOUTDEV
from inside_switch import inside

from appliance.model.mark import FAIL_CLOSED, KNOWN, REPLY

LOW = 0x7F


def placed_by_vlan_and_followed_both_ways() -> None:
    """Each VLAN is its interface's port; a reply by another VLAN belongs to the same connection."""
    with stitched() as lab, lab.queue() as queue:
        a, b = lab.switch.machines
        assert {port.name: port.interface.mac for port in lab.ports} == {
            a.port: a.mac_bytes,
            b.port: b.mac_bytes,
        }
        with a.socket(socket.SOCK_DGRAM) as sender, b.socket(socket.SOCK_DGRAM) as receiver:
            receiver.bind((b.address, 5000))
            sender.sendto(b"1", (b.address, 5000))
            packet = one(queue)
            assert packet.l2 == frame(a, b, IP, payload=b"")
            assert packet.mark & LOW == FAIL_CLOSED
            with inside(lab.switch.namespace):
                assert (packet.device(PHYSINDEV), packet.device(PHYSOUTDEV)) == (a.port, b.port)
            queue.verdict(packet)
            data, origin = receiver.recvfrom(10)
            receiver.sendto(data, origin)
            packet = one(queue)
            assert packet.mark & LOW == FAIL_CLOSED | REPLY | KNOWN, hex(packet.mark)
            queue.verdict(packet)
            assert sender.recv(10) == b"1"


def spoofing_across_vlans_is_dropped() -> None:
    """A machine cannot be another one, of a different VLAN."""
    with stitched(OPEN, machines=3) as lab:
        a, b, c = lab.switch.machines
        with a.raw() as sender, b.raw() as receiver:
            good = frame(a, b, IP, payload=datagram(a, b))
            sender.send(good)
            assert received(receiver, good)
            sender.send(frame(c, b, IP, payload=datagram(c, b)))
            sender.send(frame(a, b, IP, payload=datagram(c, b)))
            assert until(lambda: drops(lab, a.port) == {"mac": 1, "ip": 1}), drops(lab, a.port)
            receiver.settimeout(0.3)
            assert not received(receiver, b.mac_bytes)


CHECKS = [placed_by_vlan_and_followed_both_ways, spoofing_across_vlans_is_dropped]
