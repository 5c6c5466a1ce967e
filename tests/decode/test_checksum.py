"""Checksums: right ones pass, any changed bit fails, and offload is recognised."""

from __future__ import annotations

import pytest
from crafted_frames import DECODER, SOUND_FRAMES, decode, eth, ip4, ip6, tcp, udp
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.packet import Packet as Crafted

from appliance.decode import Checksums
from appliance.decode.checksum import words
from appliance.model.packet import CSUM_BAD_IP, CSUM_BAD_L4

TRANSPORTS = [
    IP() / TCP() / b"odd",
    IP() / UDP() / b"even",
    IP() / ICMP() / b"odd",
    IPv6() / TCP() / b"even",
    IPv6() / UDP() / b"odd",
    IPv6() / ICMPv6EchoRequest(data=b"x" * 1001),
]


def verdict(datagram: bytes) -> tuple[bool, int]:
    packet = decode(datagram, 101)
    return Checksums("all").verify(packet), packet.csum


def reference(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    return total % 65535


@given(st.binary(max_size=300), st.integers(0, 20), st.integers(0, 20))
def test_words_are_summed(data: bytes, skip: int, drop: int) -> None:
    start = min(skip, len(data))
    end = max(start, len(data) - drop)
    assert words(data, start, end) == reference(data[start:end])


@pytest.mark.parametrize("crafted", TRANSPORTS)
def test_what_scapy_computes_is_right(crafted: Crafted) -> None:
    assert verdict(bytes(crafted)) == (True, 0)


@pytest.mark.parametrize("crafted", TRANSPORTS)
def test_one_changed_bit_is_seen(crafted: Crafted) -> None:
    datagram = bytearray(bytes(crafted))
    datagram[-1] ^= 4
    assert verdict(bytes(datagram)) == (False, CSUM_BAD_L4)


def test_ip_header() -> None:
    datagram = bytearray(bytes(IP() / UDP(chksum=0) / b"x"))
    datagram[8] ^= 1  # time to live
    assert verdict(bytes(datagram)) == (False, CSUM_BAD_IP)


def test_udp_may_leave_it_out_over_ipv4_only() -> None:
    assert verdict(bytes(IP() / UDP(chksum=0) / b"x")) == (True, 0)
    assert verdict(bytes(IPv6() / UDP(chksum=0) / b"x")) == (False, CSUM_BAD_L4)


@pytest.mark.parametrize("name", sorted(SOUND_FRAMES))
def test_sound_frames_and_what_they_carry(name: str) -> None:
    linktype, frame = SOUND_FRAMES[name]
    packet = decode(frame, linktype)
    while packet is not None:
        assert Checksums("all").verify(packet), packet.tunnel
        packet = packet.inner


def test_fragments_malformed_headers_and_other_protocols_pass() -> None:
    header = bytearray(ip4(50, bytes(20)))
    header[10:12] = (65535 - words(bytes(header), 0, 20)).to_bytes(2, "big")
    assert verdict(bytes(header)) == (True, 0)
    assert verdict(ip6(44, b"\x11\0\0\1" + bytes(4) + udp(b"x" * 8))) == (True, 0)
    assert verdict(ip6(6, tcp()[:19])) == (True, 0)
    assert Checksums("all").verify(decode(eth(0x806, bytes(28))))


def test_a_rebuilt_header_need_not_carry_its_sum() -> None:
    whole = DECODER.redecode(decode(SOUND_FRAMES["fragment4"][1]), ip4(17, udp(b"x")))
    assert Checksums("all").verify(whole)


def test_none_looks_at_nothing() -> None:
    packet = decode(ip4(6, tcp()), 101)
    assert Checksums("none").verify(packet)
    assert packet.csum == 0


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="sometimes"):
        Checksums("sometimes")


def test_mark_tells_rules_and_holds_nothing_against_the_packet() -> None:
    wrong = decode(bytes(IP() / TCP(chksum=1)), 101)
    assert Checksums("mark").verify(wrong)
    assert wrong.csum


@pytest.mark.parametrize(("bad", "stays"), [(0, True), (100, True), (101, False), (1000, False)])
def test_auto_gives_up_when_the_sample_shows_offload(bad: int, stays: bool) -> None:
    checksums = Checksums("auto")
    good = decode(SOUND_FRAMES["tcp4"][1])
    wrong = decode(bytes(IP() / TCP(chksum=1)), 101)
    for number in range(1000):
        usable = checksums.verify(wrong if number < bad else good)
        assert usable == (number >= bad)
    assert checksums.verify(wrong) != stays


def test_auto_judges_its_sample_only_once() -> None:
    checksums = Checksums("auto")
    good = decode(SOUND_FRAMES["tcp4"][1])
    wrong = decode(bytes(IP() / TCP(chksum=1)), 101)
    for _ in range(1000):
        checksums.verify(good)
    for _ in range(3000):
        assert not checksums.verify(wrong)


@pytest.mark.parametrize("network", [IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")])
@pytest.mark.parametrize("whole", [True, False])
def test_auto_takes_what_a_stack_leaves_to_the_card(network, whole) -> None:
    """The card adds the segment to the sum that it finds in the field, of the pseudo header or part of it."""
    made = network / TCP(chksum=0) / b"data"
    ends = bytes(made)[12:20] if network.name == "IP" else bytes(made)[8:40]
    partial = (words(ends, 0, len(ends)) + 6 + (24 if whole else 0)) % 65535
    left = decode(bytes(network / TCP(chksum=partial) / b"data"), 101)
    assert Checksums("auto").verify(left)
    assert not Checksums("all").verify(left)
    assert not Checksums("auto").verify(decode(bytes(network / TCP(chksum=partial ^ 0x0101) / b"data"), 101))
