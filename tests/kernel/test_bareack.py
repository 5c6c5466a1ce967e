"""The program that tells bare acknowledgements, run here, against the plain meaning of the words."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from appliance.kernel.bareack import bytecode4, bytecode6


def run(code: str, packet: bytes) -> int:
    """Run a classic BPF program as the kernel does: a load past the end gives 0."""
    _, *lines = code.split(",")
    steps = [tuple(map(int, line.split())) for line in lines]
    a = x = at = 0
    memory = [0] * 16

    def load(size: int, where: int) -> int | None:
        return int.from_bytes(packet[where : where + size], "big") if where + size <= len(packet) else None

    while True:
        kind, yes, no, k = steps[at]
        at += 1
        if kind in {0x28, 0x30, 0x50}:
            loaded = load(2 if kind == 0x28 else 1, k + (x if kind == 0x50 else 0))
            if loaded is None:
                return 0
            a = loaded
        elif kind == 0xB1:
            loaded = load(1, k)
            if loaded is None:
                return 0
            x = 4 * (loaded & 15)
        elif kind in {0x15, 0x45}:
            at += yes if (a == k if kind == 0x15 else a & k) else no
        elif kind == 0x06:
            return k
        elif kind == 0x02:
            memory[k] = a
        else:
            a, x = calculated(kind, a, x, k, memory)


def calculated(kind: int, a: int, x: int, k: int, memory: list[int]) -> tuple[int, int]:
    return {
        0x01: (a, k),
        0x07: (a, a),
        0x0C: ((a + x) & 0xFFFFFFFF, x),
        0x1C: ((a - x) & 0xFFFFFFFF, x),
        0x60: (memory[k & 15], x),
        0x74: (a >> (k & 31), x),
    }[kind]


def segment(draw_words: int, reserved: int, flags: int, payload: bytes) -> bytes:
    options = bytes((draw_words - 5) * 4) if draw_words > 5 else b""
    return (
        struct.pack("!HHIIBBHHH", 1, 2, 3, 4, draw_words << 4 | reserved, flags, 5, 6, 7) + options + payload
    )


flags = st.sampled_from([0x10, 0x10, 0x10, 0x18, 0x11, 0x12, 0x14, 0x50, 0x00])
words = st.sampled_from([5, 5, 8, 15, 4, 0])
payloads = st.sampled_from([b"", b"", b"x", b"abcd", bytes(40)])
reserved = st.sampled_from([0, 0, 0, 1, 8])


@given(
    words,
    reserved,
    flags,
    payloads,
    st.integers(5, 15),
    st.sampled_from([0, 0, 0x2000, 5, 0x4000]),
    st.data(),
)
def test_ipv4(doff, spare, flag, payload, header, fragment, data):
    body = segment(doff, spare, flag, payload)
    proto = data.draw(st.sampled_from([6, 6, 17]))
    padding = data.draw(st.sampled_from([b"", bytes(6)]))  # of Ethernet, behind the datagram
    length = header * 4 + len(body)
    head = struct.pack("!BBHHHBBH8x", 0x40 | header, 0, length, 1, fragment, 64, proto, 0)
    packet = head + bytes(header * 4 - 20) + body + padding
    bare = proto == 6 and not fragment & 0x3FFF and flag == 0x10 and not spare and len(body) == 4 * doff
    assert bool(run(bytecode4(), packet)) == bare
    if bare:
        assert not payload


@given(words, reserved, flags, payloads, st.sampled_from([6, 6, 17, 0, 60]))
def test_ipv6(doff, spare, flag, payload, following):
    body = segment(doff, spare, flag, payload)
    packet = struct.pack("!IHBB32x", 6 << 28, len(body), following, 64) + body
    bare = following == 6 and flag == 0x10 and not spare and len(body) == 4 * doff
    assert bool(run(bytecode6(), packet)) == bare


@given(st.binary(max_size=80))
def test_no_packet_is_read_past_its_end(packet):
    run(bytecode4(), packet)
    run(bytecode6(), packet)


def test_a_length_of_zero_is_none():
    """So large a packet that its length does not fit (BIG TCP) is no bare acknowledgement."""
    body = segment(5, 0, 0x10, b"")
    assert not run(bytecode4(), struct.pack("!BBHHHBBH8x", 0x45, 0, 0, 1, 0, 64, 6, 0) + body)
    assert not run(bytecode6(), struct.pack("!IHBB32x", 6 << 28, 0, 6, 64) + body)
