"""Reading what the queue's socket gives, hostile messages among it: frames, origins, and always a verdict."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nfqueue_messages import attribute, be32, error, hardware, head, netlink, packet, vlan

from appliance.capture.neighbours import Neighbours
from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.framer import Framer
from appliance.capture.nfqueue.intake import Intake
from appliance.capture.nfqueue.verdicts import ACCEPT, DROP, Outbox
from appliance.capture.place import NO_MAC
from appliance.inventory.ports import Port, PortMap
from appliance.model.identity import Vm, VmInterface
from appliance.model.mark import GROUP, KNOWN, REPLY
from appliance.model.origin import ORIGINAL
from appliance.model.origin import REPLY as REVERSE

NOW = 1_700_000_000_000_000_000
MAC_A, MAC_B = b"\x02\0\0\0\0\x0a", b"\x02\0\0\0\0\x0b"
A = VmInterface(0, Vm("a", "a"), "eth0", MAC_A)
B = VmInterface(1, Vm("b", "b"), "eth0", MAC_B)
PORTS = PortMap(
    [
        Port("tap-a", 5, A, zone=3),
        Port("tap-b", 6, B, zone=3),
        Port("trunk", 7, uplink=True, zone=3),
        Port("trunk", 7, B, vlan=12, zone=4),
        Port("spare", 8),
    ]
)
UDP4 = bytes.fromhex("4500001c00000000401100000a0000010a000002") + b"\0" * 8
UDP6 = (
    bytes.fromhex("6000000000081140") + b"\xfd" + b"\0" * 14 + b"\x01\xfd" + b"\0" * 14 + b"\x02" + b"\0" * 8
)


def ways(physin=5, physout=6):
    devices = ((nl.INDEV, 2), (nl.OUTDEV, 2), (nl.PHYSINDEV, physin), (nl.PHYSOUTDEV, physout))
    return b"".join(attribute(kind, be32(number)) for kind, number in devices)


def intake(ports=PORTS, fallback=DROP, queues=(0,)):
    return Intake(Framer(ports), {number: Outbox(number, fallback) for number in queues})


def frames_of(*messages, into=None):
    into = into or intake()
    frames = []
    for message in messages:
        data = bytearray(message)
        into.take(data, memoryview(data), 0, len(data), NOW, frames)
    return frames


def test_a_frame_is_made_of_what_the_kernel_told():
    (frame,) = frames_of(packet(9, UDP4, ways(), hardware(b"\x02\0\0\0\0\x99"), queue=0))
    assert frame.data == MAC_B + b"\x02\0\0\0\0\x99" + b"\x08\x00" + UDP4
    assert (frame.linktype, frame.now, frame.wirelen, frame.number) == (1, NOW, 14 + len(UDP4), 1)
    assert (frame.token, frame.interface, frame.egress) == (9, "tap-a", "tap-b")
    origin = frame.origin
    assert (origin.source, origin.target, origin.zone, origin.reply) == (A, B, 3, ORIGINAL)
    assert (origin.known, origin.copy, origin.unmapped, origin.unseen) == (False, 0, False, 0)


def test_frames_of_one_datagram_do_not_touch_each_other():
    other = UDP4[:-8] + b"othertxt"
    messages = [packet(number, data, ways()) for number, data in ((1, UDP4), (2, other), (3, UDP4))]
    frames = frames_of(b"".join(messages))
    assert [frame.data[14:] for frame in frames] == [UDP4, other, UDP4]
    assert {frame.data[:14] for frame in frames} == {MAC_B + MAC_A + b"\x08\x00"}


def test_a_told_header_longer_than_what_stands_before_the_payload_is_taken_whole():
    ether = b"\x02\0\0\0\0\x77" + MAC_A + b"\x88\xa8" + b"\0\x0c" * 40 + b"\x08\x00"
    body = head(1) + attribute(nl.PAYLOAD, UDP4) + attribute(nl.L2HDR, ether)
    (frame,) = frames_of(netlink(nl.PACKET, body))
    assert frame.data == ether + UDP4


def test_ipv6_has_its_ethertype():
    (frame,) = frames_of(packet(1, UDP6, ways(), hardware(MAC_A), protocol=0x86DD))
    assert frame.data[:14] == MAC_B + MAC_A + b"\x86\xdd"


def test_the_told_link_layer_is_taken_and_the_tag_put_back():
    ether = b"\x02\0\0\0\0\x77" + MAC_A + b"\x08\x00"
    (frame,) = frames_of(packet(1, UDP4, ways(7, 5), vlan(0x600C), attribute(nl.L2HDR, ether)))
    assert frame.data == ether[:12] + b"\x81\x00\x60\x0c" + b"\x08\x00" + UDP4
    assert frame.origin.source is B  # VLAN 12 of the trunk
    assert frame.origin.zone == 4


def test_a_priority_tag_is_no_vlan():
    (frame,) = frames_of(packet(1, UDP4, ways(), vlan(0xA000)))
    assert frame.data[12:18] == b"\x81\x00\xa0\x00\x08\x00"
    assert frame.origin.source is A


def test_without_bridge_netfilter_the_port_is_the_device():
    devices = attribute(nl.INDEV, be32(5)) + attribute(nl.OUTDEV, be32(6))
    (frame,) = frames_of(packet(1, UDP4, devices))
    assert (frame.origin.source, frame.origin.target) == (A, B)
    assert frame.data[6:12] == MAC_A  # not told: that of the port's interface


@pytest.mark.parametrize(
    ("destination", "mac"),
    [
        ("e0000001", "01005e000001"),
        ("efff8203", "01005e7f8203"),
        ("ffffffff", "ffffffffffff"),
        ("f0000001", MAC_B.hex()),
        ("dfffffff", MAC_B.hex()),
    ],
)
def test_group_addresses_of_ipv4(destination, mac):
    payload = UDP4[:16] + bytes.fromhex(destination) + UDP4[20:]
    (frame,) = frames_of(packet(1, payload, ways()))
    assert frame.data[:6].hex() == mac


def test_group_addresses_of_ipv6():
    payload = UDP6[:24] + b"\xff\x02" + b"\0" * 11 + b"\x01\xff\x03\x04"[:3] + UDP6[40:]
    (frame,) = frames_of(packet(1, payload, ways(), protocol=0x86DD))
    assert frame.data[:6] == b"\x33\x33" + payload[36:40]


def test_to_many_without_a_group_address_is_a_broadcast():
    (frame,) = frames_of(packet(1, UDP4, ways(), attribute(nl.MARK, be32(GROUP))))
    assert frame.data[:6] == b"\xff" * 6
    assert frame.origin.copy == 6


def test_an_uplink_has_no_interface_and_no_mac():
    (frame,) = frames_of(packet(1, UDP4, ways(5, 7)))
    assert (frame.origin.target, frame.origin.unmapped) == (None, False)
    assert frame.data[:6] == NO_MAC


def test_the_mac_behind_an_uplink_is_the_one_the_address_was_seen_with():
    queue = intake()
    router, other = b"\x02\0\0\0\0\x77", b"\x02\0\0\0\0\x78"
    here, away = ways(5, 7), ways(7, 5)
    back = UDP4[:12] + UDP4[16:20] + UDP4[12:16] + UDP4[20:]
    back6 = UDP6[:8] + UDP6[24:40] + UDP6[8:24] + UDP6[40:]
    frames = frames_of(
        packet(1, back, away, hardware(router)),
        packet(2, UDP4, here, hardware(MAC_A)),
        packet(3, back6, away, hardware(other), protocol=0x86DD),
        packet(4, UDP6, here, hardware(MAC_A), protocol=0x86DD),
        packet(5, UDP4[:16] + b"\x08\x08\x08\x08" + UDP4[20:], here, hardware(MAC_A)),
        packet(6, b"x" * 46, here, protocol=0x88B5),
        packet(7, b"x" * 46, away, hardware(router), protocol=0x88B5),
        packet(8, b"x" * 46, here, protocol=0x88B5),
        into=queue,
    )
    assert [frame.data[:6] for frame in frames[1::2]] == [router, other, NO_MAC, NO_MAC]
    assert frames[4].data[:6] == NO_MAC


def test_neighbours_are_bounded():
    known = Neighbours()
    for n in range(40_000):
        known.learn(7, n.to_bytes(4, "big"), MAC_A)
    assert known.find(7, (39_999).to_bytes(4, "big")) == MAC_A
    assert known.find(8, (39_999).to_bytes(4, "big")) is None
    assert known.find(7, bytes(4)) is None
    assert sum(known.find(7, n.to_bytes(4, "big")) is not None for n in range(40_000)) <= 16_384


@pytest.mark.parametrize(("physin", "physout"), [(99, 6), (5, 99), (8, 6), (0, 0)])
def test_ports_that_belong_to_nobody_are_told(physin, physout):
    (frame,) = frames_of(packet(1, UDP4, ways(physin, physout)))
    assert frame.origin.unmapped


def test_marks_say_direction_and_whether_it_was_known():
    (frame,) = frames_of(packet(1, UDP4, ways(), attribute(nl.MARK, be32(REPLY | KNOWN))))
    assert (frame.origin.reply, frame.origin.known, frame.origin.copy) == (REVERSE, True, 0)


@pytest.mark.parametrize(
    ("info", "checked", "segments"),
    [
        (0, True, False),
        (nl.CSUM_NOT_READY, True, False),
        (nl.CSUM_NOT_VERIFIED, False, False),
        (nl.CSUM_NOT_READY | nl.IS_GSO, True, True),
        (nl.IS_GSO | nl.CSUM_NOT_VERIFIED, True, True),
    ],
)
def test_checksums(info, checked, segments):
    (frame,) = frames_of(packet(1, UDP4, ways(), attribute(nl.SKB_INFO, be32(info))))
    assert (frame.origin.checked, frame.origin.segments) == (checked, segments)


def test_time_of_the_kernel_counts_when_it_can_be():
    def stamped(ns):
        value = struct.pack(">QQ", ns // 10**9, ns % 10**9 // 1000)
        return packet(1, UDP4, ways(), attribute(nl.TIMESTAMP, value))

    assert frames_of(stamped(NOW - 5_000_000))[0].now == NOW - 5_000_000
    assert frames_of(stamped(NOW - 60 * 10**9))[0].now == NOW
    assert frames_of(stamped(NOW + 10**9))[0].now == NOW


@pytest.mark.parametrize("missing", [1, 4, 44, 45, 5000])
def test_what_the_kernel_could_not_hand_over_is_zeros_and_told(missing):
    queue = intake()
    cap = attribute(nl.CAP_LEN, be32(len(UDP4) + missing))
    (frame,) = frames_of(packet(1, UDP4, ways(), cap), into=queue)
    assert frame.wirelen == 14 + len(UDP4) + missing
    assert frame.origin.unseen == missing
    assert frame.origin.checked
    assert len(frame.data) == (frame.wirelen if missing <= 44 else 14 + len(UDP4))
    (other,) = frames_of(packet(2, UDP4, ways()), into=queue)
    assert other.origin.unseen == 0


def test_several_messages_in_one_datagram():
    frames = frames_of(packet(1, UDP4 + b"x", ways()) + packet(2, UDP4, ways()))
    assert [frame.token for frame in frames] == [1, 2]


def test_queues_have_numbers_of_their_own():
    queue = intake(queues=(0, 700))
    frames = frames_of(packet(1, UDP4, queue=700), packet(1, UDP4, queue=0), into=queue)
    assert [frame.token for frame in frames] == [700 << 32 | 1, 1]
    assert [frame.number for frame in frames] == [1, 2]


# What cannot be read. The packet's number, if it is there, gets the verdict of its queue for such.


def verdict_for(message, fallback):
    queue = intake(fallback=fallback)
    assert frames_of(message, into=queue) == []
    assert queue.malformed == 1
    return queue.outboxes[0].take()


DAMAGED = {
    "cut in the payload": packet(7, UDP4 * 200, ways())[:4000],
    "attribute shorter than its header": netlink(nl.PACKET, head(7) + b"\x03\0\x0a\0"),
    "attribute longer than the message": netlink(nl.PACKET, head(7) + b"\xff\xff\x0a\0abcd"),
    "link layer too short": packet(7, UDP4, attribute(nl.L2HDR, b"x" * 13)),
    "address longer than its attribute": packet(7, UDP4, attribute(nl.HWADDR, b"\xff\xff\0\0abcdef")),
    "mark too short": packet(7, UDP4, attribute(nl.MARK, b"\0")),
    "tag without a number": packet(7, UDP4, attribute(nl.VLAN, b"")),
    "tag that overruns": packet(7, UDP4, attribute(nl.VLAN, b"\xff\0\x01\0")),
    "time too short": packet(7, UDP4, attribute(nl.TIMESTAMP, b"\0" * 8)),
    "message longer than the datagram": netlink(nl.PACKET, head(7), size=9000),
}


@pytest.mark.parametrize("fallback", [ACCEPT, DROP])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_message_gets_its_queues_verdict(name, fallback):
    sent = verdict_for(DAMAGED[name], fallback)
    assert struct.unpack("=IHH", sent[:8]) == (32, nl.VERDICT, 1)
    assert struct.unpack(">II", sent[24:32]) == (fallback >> 32, 7)


def test_a_message_without_a_number_is_swept_up_behind_the_next():
    queue = intake()
    (frame,) = frames_of(
        packet(5, UDP4), netlink(nl.PACKET, attribute(nl.PAYLOAD, UDP4)), packet(7, UDP4), into=queue
    )[:1]
    queue.judged(frame.token, ACCEPT)
    queue.judged(7, ACCEPT)
    sent = queue.outboxes[0].take()
    assert [struct.unpack("=H", sent[at + 4 : at + 6])[0] for at in (0, 32, 64)] == [nl.VERDICT] * 2 + [
        nl.VERDICT_BATCH
    ]
    assert struct.unpack(">II", sent[64 + 24 :]) == (nl.NF_DROP, 7)


def test_answers_of_the_kernel():
    queue = intake()
    frames_of(error(0), error(2), error(2), into=queue)
    assert (queue.refused, queue.lost) == (2, 0)
    frames_of(error(1), into=queue)
    assert queue.lost == 1


@given(st.binary(max_size=400))
def test_nothing_raises(data):
    frames_of(data)


@given(st.binary(max_size=200), st.integers(0, 1 << 32))
def test_no_packet_body_raises_and_each_number_is_answered(body, number):
    number &= 0xFFFFFFFF
    queue = intake()
    frames = frames_of(netlink(nl.PACKET, head(number) + body), into=queue)
    outbox = queue.outboxes[0]
    assert len(frames) + len(outbox) + queue.malformed >= 1
    assert outbox.open == len(frames)


@given(st.data())
def test_changed_messages_are_read_or_answered(data):
    message = bytearray(packet(3, UDP4, ways(), hardware(MAC_A), vlan(12), attribute(nl.L2HDR, b"x" * 14)))
    for _ in range(data.draw(st.integers(1, 6))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    queue = intake()
    frames = frames_of(bytes(message), into=queue)
    assert queue.outboxes[0].open == len(frames)
