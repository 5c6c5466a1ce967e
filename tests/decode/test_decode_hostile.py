"""Whatever the bytes: no exception, and nothing points outside the frame."""

from __future__ import annotations

import os
from pathlib import Path

import dpkt
import pytest
from crafted_frames import DECODER, SOUND_FRAMES, decode, eth, ip4, ip6, udp
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.decode import SUPPORTED_LINKTYPES, TABLE, Checksums, embedded, is_invalid
from appliance.model.packet import Packet

LINKTYPES = [*sorted(SUPPORTED_LINKTYPES), 105, 9999, -1]
VERIFY = Checksums("all")


def check(packet: Packet | None) -> None:
    """Look at one packet and all it carries."""
    depth = 0
    while packet is not None:
        size = len(packet.frame)
        assert packet.depth == depth <= 8
        for offset in (packet.ip_off, packet.l4_off, packet.start, packet.frag_hdr, packet.frag_prev):
            assert 0 <= offset <= size
        assert 0 <= packet.payload_off <= packet.payload_off + packet.payload_len <= size
        if packet.ip_version:
            end = packet.ip_off + packet.ip_len
            assert end <= size
            assert packet.payload_off + packet.payload_len <= end
            assert packet.ip_off + packet.ip_hlen == packet.l4_off <= packet.payload_off
            assert len(packet.src) == len(packet.dst) == (4 if packet.ip_version == 4 else 16)
        assert len(packet.vlans) <= 3
        assert set(packet.anomalies or ()) <= set(TABLE)
        is_invalid(packet)
        embedded(packet)
        VERIFY.verify(packet)
        if packet.inner is not None:
            assert packet.inner.outer is packet
        packet = packet.inner
        depth += 1


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(LINKTYPES))
def test_any_bytes_on_any_link(frame: bytes, linktype: int) -> None:
    check(decode(frame, linktype))


@pytest.mark.parametrize("name", sorted(SOUND_FRAMES))
def test_a_frame_cut_anywhere(name: str) -> None:
    linktype, frame = SOUND_FRAMES[name]
    for length in range(len(frame)):
        check(decode(frame[:length], linktype))


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(sorted(SOUND_FRAMES)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_a_frame_with_bytes_changed(name: str, changes: list[tuple[int, int]]) -> None:
    linktype, sound = SOUND_FRAMES[name]
    frame = bytearray(sound)
    for place, value in changes:
        frame[place % len(frame)] = value
    check(decode(bytes(frame), linktype))


KINDS = [0x800, 0x806, 0x86DD, 0x8100, 0x88E7, 0x8847, 0x8863, 0x8864, 0x8903, 0x8926, 0x893F, 0x894F, 40]
PROTOCOLS = [0, 1, 2, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 135, 139, 140]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.binary(max_size=120))
def test_any_bytes_behind_an_ethertype(kind: int, body: bytes) -> None:
    check(decode(eth(kind, body)))


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(PROTOCOLS), st.binary(max_size=120), st.binary(max_size=40))
def test_any_bytes_behind_ip(proto: int, body: bytes, options: bytes) -> None:
    padded = options + bytes(-len(options) % 4)
    check(decode(eth(0x800, ip4(proto, body, padded[:40]))))
    check(decode(eth(0x86DD, ip6(proto, body))))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([4789, 6081, 3544]), st.binary(max_size=120))
def test_any_bytes_on_tunnel_ports(port: int, body: bytes) -> None:
    check(decode(eth(0x800, ip4(17, udp(body, dport=port)))))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["fragment4", "fragment6"]))
def test_any_bytes_from_reassembly(datagram: bytes, name: str) -> None:
    whole = DECODER.redecode(decode(SOUND_FRAMES[name][1]), datagram)
    assert whole.rebuilt
    check(whole)


def test_a_great_many_extension_headers() -> None:
    headers = b"\x87\0" + bytes(6)
    packet = decode(eth(0x86DD, ip6(135, headers * 8000)))
    check(packet)
    assert packet.anomalies == ["ipv6.trunc_exthdr"]


def test_state_does_not_leak_between_frames() -> None:
    decode(eth(0x8847, bytes.fromhex("00014040") * 40))
    for linktype, frame in SOUND_FRAMES.values():
        assert decode(frame, linktype).anomalies is None


def captures(shared: Path) -> list[Path]:
    found = {Path(os.path.realpath(path)) for path in (shared / "suricata-verify").rglob("*.pcap")}
    return sorted(found)


@pytest.mark.shared
def test_captures_decode(shared: Path) -> None:
    number = 0
    for path in captures(shared):
        with path.open("rb") as file:
            try:
                reader = dpkt.pcap.Reader(file)
            except ValueError:  # another file format under the same name
                continue
            for count, (_, frame) in enumerate(reader):
                if count >= 60:
                    break
                number += 1
                check(decode(bytes(frame), reader.datalink()))
    assert number > 1000
