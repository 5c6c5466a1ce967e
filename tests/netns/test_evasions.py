"""An attack cut and laid over itself so that a careless inspector sees something else."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.netns.lab import Lab
from tests.netns.rawlink import Wire
from tests.netns.running import Running, listen
from tests.netns.test_enforced import ALLOWED, RULE, policies

pytestmark = pytest.mark.netns

GHOST = "10.9.0.77"  # an address without a stack, so that nothing but the test answers for it
START = 1_000_000


@pytest.fixture(scope="module")
def lab():
    with Lab("evade") as lab:
        lab.a = lab.vm("a", addresses=["10.9.0.1/24"])
        lab.b = lab.vm("b", addresses=["10.9.0.2/24"])
        lab.run(lab.b, "ip", "neigh", "add", GHOST, "lladdr", lab.a.mac, "dev", "eth0")
        listen(lab, lab.b, ALLOWED)
        yield lab


@pytest.fixture(scope="module")
def appliance(lab, tmp_path_factory):
    with Running(lab, tmp_path_factory.mktemp("evade"), [policies()], RULE) as running:
        yield running


class Peer:
    """A TCP client made by hand: it says what it likes in the order it likes."""

    def __init__(self, lab, wire, port):
        self.wire = wire
        self.port = port
        self.head = Ether(src=lab.a.mac, dst=lab.b.mac) / IP(src=GHOST, dst="10.9.0.2", id=port)
        self.wire.send(self.head / TCP(sport=port, dport=ALLOWED, flags="S", seq=START - 1))
        answer = self.heard(lambda tcp: tcp.flags == "SA")
        self.ack = answer.seq + 1
        self.wire.send(self.segment(b"", 0))

    def segment(self, data, offset):
        flags = "PA" if data else "A"
        tcp = TCP(sport=self.port, dport=ALLOWED, flags=flags, seq=START + offset, ack=self.ack)
        return self.head / tcp / Raw(data)

    def heard(self, wanted, patience=2.0):
        def mine(data):
            frame = Ether(data)
            return TCP in frame and frame[TCP].dport == self.port and wanted(frame[TCP])

        data = self.wire.wait(mine, patience)
        return Ether(data)[TCP] if data is not None else None

    def echoed(self, text, patience=1.0):
        """Tell whether the server has read and echoed a text."""
        return self.heard(lambda tcp: text in bytes(tcp.payload), patience) is not None


def test_a_fragmented_attack_is_put_together_before_it_is_judged(lab, appliance):
    with Wire(lab, lab.a) as wire:
        peer = Peer(lab, wire, 41001)
        whole = peer.segment(b"-" * 60 + b"attack-marker" + b"-" * 60, 0)
        pieces = fragment(whole[IP], fragsize=48)
        assert len(pieces) > 2
        wire.send(*(Ether(src=lab.a.mac, dst=lab.b.mac) / piece for piece in reversed(pieces)))
        assert not peer.echoed(b"attack-marker")
    appliance.wait_record("alert", src_port=41001)


def test_good_fragments_pass(lab, appliance):
    with Wire(lab, lab.a) as wire:
        peer = Peer(lab, wire, 41002)
        pieces = fragment(peer.segment(b"harmless-words" * 20, 0)[IP], fragsize=64)
        wire.send(*(Ether(src=lab.a.mac, dst=lab.b.mac) / piece for piece in pieces))
        assert peer.echoed(b"harmless-words")


def test_a_segment_that_says_something_else_than_before_is_stopped(lab, appliance):
    with Wire(lab, lab.a) as wire:
        peer = Peer(lab, wire, 41003)
        wire.send(peer.segment(b"--harmless---tail", 7))  # ahead of a hole: the receiver holds it
        wire.send(peer.segment(b"attack-marker", 7))  # the same place, other bytes
        wire.send(peer.segment(b"opening", 0))
        assert not peer.echoed(b"attack-marker")
    drop = appliance.wait_record("drop", src_port=41003)
    assert drop["drop"]["reason"] == "stream reassembly"


def test_an_attack_in_single_bytes_out_of_order(lab, appliance):
    text = b"..attack-marker.."
    with Wire(lab, lab.a) as wire:
        peer = Peer(lab, wire, 41004)
        order = sorted(range(len(text)), key=lambda n: (n * 7) % len(text))
        wire.send(*(peer.segment(text[n : n + 1], n) for n in order))
        assert not peer.echoed(b"marker..")
    appliance.wait_record("alert", src_port=41004)


def test_a_packet_with_a_wrong_checksum_hides_nothing(lab, appliance):
    with Wire(lab, lab.a) as wire:
        peer = Peer(lab, wire, 41005)
        decoy = peer.segment(b"innocent-text", 0)
        decoy[TCP].chksum = 0x1234
        wire.send(decoy)
        wire.send(peer.segment(b"attack-marker", 0))
        assert not peer.echoed(b"attack-marker")
    appliance.wait_record("alert", src_port=41005)
