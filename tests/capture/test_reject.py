"""What is said to both ends of a rejected packet, read back by another library and by our own decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.all import (
    ARP,
    GRE,
    ICMP,
    IP,
    TCP,
    UDP,
    Dot1Q,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    Raw,
)

from appliance.capture.place import NO_MAC
from appliance.capture.reject import refusals
from appliance.config.settings import DecodeSettings
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import Decoder

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
ETHER = Ether(src=A, dst=B)
DECODER = Decoder(DecodeSettings())
NETWORKS = {4: IP(src="10.0.0.1", dst="10.0.0.2"), 6: IPv6(src="fd00::1", dst="fd00::2")}


def said(frame, both=True):
    return refusals(DECODER.decode(bytes(frame), 1, 0, 1), both)


def read(refusal):
    """Read a frame of ours, and see that the decoder finds nothing wrong with it."""
    packet = DECODER.decode(refusal.frame, 1, 0, 1)
    assert not packet.anomalies
    assert Checksums("all").verify(packet)
    return Ether(refusal.frame)


def checksums_right(ether):
    """Let the other library compute them anew."""
    again = ether.copy()
    for layer in (IP, TCP, ICMP, ICMPv6DestUnreach):
        if again.haslayer(layer):
            field = "cksum" if layer is ICMPv6DestUnreach else "chksum"
            delattr(again[layer], field)
    return bytes(again) == bytes(ether)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tags", [0, 1, 2])
def test_data_of_a_connection_resets_both_ends(version, tags):
    frame = ETHER
    for n in range(tags):
        frame /= Dot1Q(vlan=100 + n, prio=3)
    frame = frame / NETWORKS[version] / TCP(sport=1000, dport=80, seq=5000, ack=7000, flags="PA") / b"attack"
    back, on = said(frame)
    assert (back.to_sender, on.to_sender) == (True, False)
    first, second = read(back), read(on)
    assert checksums_right(first)
    assert checksums_right(second)
    assert (first.src, first.dst, second.src, second.dst) == (B, A, A, B)
    network = type(NETWORKS[version])
    assert (first[network].src, first[network].dst) == (frame[network].dst, frame[network].src)
    assert (first[TCP].sport, first[TCP].dport) == (80, 1000)
    assert (first[TCP].seq, first[TCP].flags) == (
        7000,
        "R",
    )  # what the sender acknowledged is what it expects
    assert (second[TCP].sport, second[TCP].dport) == (1000, 80)
    assert (second[TCP].seq, second[TCP].ack, second[TCP].flags) == (5000, 7000, "RA")
    for answer in (first, second):
        tag = answer.getlayer(Dot1Q)
        assert [answer[Dot1Q : n + 1].vlan for n in range(tags)] == [100 + n for n in range(tags)]
        assert tag is None or tag.prio == 3


@pytest.mark.parametrize(
    ("flags", "body", "ack"),
    [("S", b"", 5001), ("S", b"fast open", 5010), ("", b"abc", 5003), ("F", b"abc", 5004), ("SF", b"", 5002)],
)
def test_without_an_acknowledgement_the_reset_acknowledges(flags, body, ack):
    frame = ETHER / NETWORKS[4] / TCP(sport=1, dport=2, seq=5000, ack=99, flags=flags) / body
    answer = read(said(frame)[0])[TCP]
    assert (answer.seq, answer.ack, answer.flags) == (0, ack, "RA")


def test_sequence_numbers_wrap():
    frame = ETHER / NETWORKS[4] / TCP(seq=0xFFFFFFFE, flags="S") / b"abc"
    assert read(said(frame)[0])[TCP].ack == 2


def test_who_gets_a_first_syn_is_told_nothing():
    assert [one.to_sender for one in said(ETHER / NETWORKS[4] / TCP(flags="S"))] == [True]


def test_the_answer_to_a_syn_resets_the_client_too():
    back, on = said(ETHER / NETWORKS[4] / TCP(seq=10, ack=20, flags="SA"))
    assert (read(back)[TCP].seq, read(back)[TCP].flags) == (20, "R")
    assert (read(on)[TCP].seq, read(on)[TCP].ack, read(on)[TCP].flags) == (10, 20, "RA")


def test_only_the_sender_when_asked_so_or_when_the_receivers_mac_is_not_known():
    frame = bytes(ETHER / NETWORKS[4] / TCP(flags="PA") / b"x")
    assert [one.to_sender for one in said(frame, both=False)] == [True]
    assert [one.to_sender for one in said(NO_MAC + frame[6:])] == [True]


@pytest.mark.parametrize("size", [0, 40, 2000])
def test_udp_of_ipv4_is_told_that_it_is_prohibited(size):
    frame = ETHER / NETWORKS[4] / UDP(sport=7, dport=9) / (b"q" * size)
    (one,) = said(frame)
    answer = read(one)
    assert checksums_right(answer)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 13)
    assert (answer[IP].src, answer[IP].dst) == ("10.0.0.2", "10.0.0.1")
    assert len(answer[IP]) <= 576
    quoted = one.frame[14 + 28 :]
    assert quoted == bytes(frame)[14 : 14 + len(quoted)]
    assert len(quoted) == min(28 + size, 548)


@pytest.mark.parametrize("size", [0, 3000])
def test_udp_of_ipv6_is_told_that_it_is_prohibited(size):
    frame = ETHER / NETWORKS[6] / IPv6ExtHdrDestOpt() / UDP(sport=7, dport=9) / (b"q" * size)
    (one,) = said(frame)
    answer = read(one)
    assert checksums_right(answer)
    assert (answer[ICMPv6DestUnreach].type, answer[ICMPv6DestUnreach].code) == (1, 1)
    assert len(answer[IPv6]) <= 1280
    quoted = one.frame[14 + 48 :]
    assert quoted == bytes(frame)[14 : 14 + len(quoted)]


def test_padding_of_the_link_is_not_quoted():
    frame = bytes(ETHER / NETWORKS[4] / UDP() / b"a") + bytes(17)
    (one,) = said(frame)
    assert len(one.frame) == 14 + 28 + 29


@pytest.mark.parametrize(
    "packet",
    [
        NETWORKS[4] / ICMP(type=8),
        NETWORKS[4] / GRE() / b"",
        NETWORKS[6] / ICMPv6EchoRequest(),
        IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / UDP() / (b"x" * 32),
    ],
    ids=["echo", "gre", "echo6", "first fragment"],
)
def test_other_packets_that_are_answered(packet):
    (one,) = said(ETHER / packet)
    assert one.to_sender


SILENT = {
    "reset": NETWORKS[4] / TCP(flags="R"),
    "reset with ack": NETWORKS[6] / TCP(flags="RA"),
    "icmp error": NETWORKS[4] / ICMP(type=3, code=3) / bytes(NETWORKS[4] / UDP()),
    "icmp redirect": NETWORKS[4] / ICMP(type=5),
    "icmp unknown": NETWORKS[4] / ICMP(type=44),
    "icmp6 error": NETWORKS[6] / ICMPv6TimeExceeded() / bytes(NETWORKS[6] / UDP()),
    "neighbour discovery": NETWORKS[6] / ICMPv6ND_NS(tgt="fd00::2"),
    "later fragment": IP(src="10.0.0.1", dst="10.0.0.2", frag=4, proto=17) / Raw(b"x" * 32),
    "group": IP(src="10.0.0.1", dst="224.0.0.5") / UDP(),
    "group6": IPv6(src="fd00::1", dst="ff02::fb") / UDP(),
    "limited broadcast": IP(src="10.0.0.1", dst="255.255.255.255") / UDP(),
    "from nobody": IP(src="0.0.0.0", dst="10.0.0.2") / UDP(),  # noqa: S104
    "from a group": IP(src="224.0.0.1", dst="10.0.0.2") / UDP(),
    "from nobody 6": IPv6(src="::", dst="fd00::2") / UDP(),
    "from oneself": IP(src="127.0.0.1", dst="10.0.0.2") / UDP(),
    "arp": ARP(),
}


@pytest.mark.parametrize("name", SILENT)
def test_nothing_answers(name):
    assert said(ETHER / SILENT[name]) == []


@pytest.mark.parametrize(
    ("src", "dst"), [(A, "ff:ff:ff:ff:ff:ff"), (A, "01:00:5e:00:00:01"), ("03:00:00:00:00:01", B)]
)
def test_nothing_answers_what_was_sent_to_many(src, dst):
    assert said(Ether(src=src, dst=dst) / NETWORKS[4] / TCP(flags="PA") / b"x") == []


def test_nothing_answers_what_is_not_plain_ip_over_ethernet():
    session = bytes.fromhex("8864110000010030") + b"\x00\x21"
    body = bytes(NETWORKS[4] / UDP() / b"abcdefghijklmnop")
    assert (
        said(bytes(ETHER)[:12] + session[:6] + (len(body) + 2).to_bytes(2, "big") + session[8:] + body) == []
    )
    assert refusals(DECODER.decode(body, 101, 0, 1)) == []


@given(st.binary(max_size=120), st.sampled_from([4, 6, 0]))
def test_nothing_raises(data, version):
    kind = {4: b"\x08\x00", 6: b"\x86\xdd", 0: b""}[version]
    said(b"\x02" * 12 + kind + data)


@given(st.data())
def test_changed_packets_give_sound_answers(data):
    network = NETWORKS[data.draw(st.sampled_from([4, 6]))]
    frame = bytearray(bytes(ETHER / network / TCP(flags="PA") / b"payload"))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(12, len(frame) - 1))] = data.draw(st.integers(0, 255))
    for one in said(bytes(frame)):
        packet = DECODER.decode(one.frame, 1, 0, 1)
        assert Checksums("all").verify(packet)
