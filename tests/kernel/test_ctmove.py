"""Connections on their way to another host: what is written is read again, and nothing odd gets through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.kernel import ctmessage as ct
from appliance.kernel import ctmove
from appliance.kernel.ctmove import Entry

TCP = Entry(6, bytes(3) + b"\1", bytes(3) + b"\2", (40000, 80), True, True, 300, (3, 7, 7, 0x23, 0x23))
UDP = Entry(17, bytes(15) + b"\1", bytes(15) + b"\2", (5, 6), False, False, 30)
PING = Entry(1, bytes(3) + b"\1", bytes(3) + b"\2", (77, 8 << 8), True, False, 30)
GRE = Entry(47, bytes(3) + b"\1", bytes(3) + b"\2", (0, 0), True, False, 30)


@pytest.mark.parametrize("entry", [TCP, UDP, PING, GRE])
def test_packed_and_read_again(entry):
    assert ctmove.unpack(json.loads(json.dumps(entry.pack()))) == entry


@pytest.mark.parametrize("entry", [TCP, UDP, PING, GRE])
def test_a_request_says_what_the_kernel_would(entry):
    ((kind, flags, body),) = ct.messages(ctmove.create_request(entry, 7))
    assert (kind, flags & 0x600) == (ct.NEW, 0x600)
    assert ctmove.read(body) == (7, entry)


def test_no_mark_is_set_up():
    ((_, _, body),) = ct.messages(ctmove.create_request(TCP, 7))
    assert 8 not in dict(ct.attributes(body[4:]))


def test_an_icmp_type_without_an_answer_cannot_be_set_up():
    odd = Entry(1, bytes(4), bytes(4), (1, 3 << 8), False, False, 30)
    assert ctmove.create_request(odd, 1) is None


def test_a_connection_with_nat_does_not_move():
    ((_, _, body),) = ct.messages(ctmove.create_request(TCP, 7))
    assert ctmove.read(body.replace(b"\x00\x50", b"\x00\x51", 1)) is None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 256),
        (1, "zz" * 4),
        (1, "00" * 16),
        (3, -1),
        (3, True),
        (5, 4),
        (6, 1 << 40),
        (7, None),
        (7, [99, 0, 0, 0, 0]),
    ],
)
def test_what_does_not_fit_is_refused(place, value):
    data = TCP.pack()
    data[place] = value
    assert ctmove.unpack(data) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=9),
    max_leaves=20,
)


@given(JSON)
def test_nothing_that_arrives_raises(data):
    entry = ctmove.unpack(data)
    assert entry is None or isinstance(entry, Entry)


@given(st.binary(max_size=200))
def test_no_bytes_of_the_kernel_raise(data):
    ctmove.read(data)


@given(st.data())
def test_no_damage_raises(data):
    whole = bytearray(ctmove.create_request(TCP, 7))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(16, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for _, _, body in ct.messages(bytes(whole)):
        ctmove.read(body)
