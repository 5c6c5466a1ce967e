"""Messages about connections: what was sent is read, and no damage raises."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from appliance.kernel import ctmessage as ct


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind, *parts):
    return attribute(kind | 0x8000, b"".join(parts))


def described(size, **extra):
    """Give the body of a message about 10.x → 10.y or the like, as the kernel writes it."""
    first = 1 if size == 4 else 3
    ip = nested(1, attribute(first, b"\1" * size), attribute(first + 1, b"\2" * size))
    proto = nested(2, attribute(1, b"\6"), attribute(2, b"\x30\x39"), attribute(3, b"\0\x50"))
    counters = [
        nested(kind, attribute(1, struct.pack(">Q", p)), attribute(2, struct.pack(">Q", b)))
        for kind, (p, b) in ((9, (3, 300)), (10, (2, 2000)))
    ]
    rest = attribute(8, struct.pack(">I", 0x70001)) + attribute(12, struct.pack(">I", 99))
    zone = attribute(18, struct.pack(">H", extra["zone"])) if "zone" in extra else b""
    return bytes((2 if size == 4 else 10, 0, 0, 0)) + nested(1, ip, proto) + b"".join(counters) + rest + zone


def message(kind, body, flags=0):
    whole = struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body
    return whole + bytes(-len(whole) % 4)


def test_reading_a_connection():
    for size in (4, 16):
        one = ct.read(described(size, zone=7))
        assert one is not None
        assert one.key == (7, 6, b"\1" * size, 12345, b"\2" * size, 80)
        assert (one.mark, one.sent, one.answered, one.ident) == (0x70001, (3, 300), (2, 2000), 99)
    assert ct.read(described(4)).zone == 0


def test_several_messages_in_one_read():
    data = message(ct.DELETE, described(4)) + message(ct.NEW, described(16), 2) + message(ct.DONE, bytes(4))
    assert [(kind, flags) for kind, flags, _ in ct.messages(data)] == [
        (ct.DELETE, 0),
        (ct.NEW, 2),
        (ct.DONE, 0),
    ]


def test_a_request_to_forget_names_exactly_one():
    one = ct.read(described(4, zone=7))
    (kind, flags, body), *rest = ct.messages(ct.delete_request(one))
    assert (kind, flags, rest) == (ct.DELETE, ct.REQUEST | ct.ACK, [])
    again = ct.read(body)
    assert (again.key, again.ident) == (one.key, one.ident)


@given(st.binary(max_size=200))
def test_no_bytes_raise(data):
    for _, _, body in ct.messages(data):
        ct.read(body)
    ct.read(data)


@given(st.data(), st.sampled_from([4, 16]))
def test_no_damage_raises(data, size):
    whole = bytearray(message(ct.DELETE, described(size, zone=3)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for _, _, body in ct.messages(bytes(whole[: data.draw(st.integers(0, len(whole)))])):
        ct.read(body)


@given(st.binary(min_size=48, max_size=48))
def test_the_short_way_reads_what_the_long_one_does(noise):
    """Ends of the usual shape, with whatever in the place of their values."""
    usual = bytearray(described(4)[8:56])
    for at in (*range(8, 12), *range(16, 20), 28, *range(36, 38), *range(44, 46)):
        usual[at] = noise[at]
    raw = bytes(usual)
    assert [list(part) if part is not None else part for part in ct._ends(raw)[1:]] == [
        list(part) for part in ct._any_ends(raw)[1:]
    ]
    assert ct._ends(raw)[0] == ct._any_ends(raw)[0]
