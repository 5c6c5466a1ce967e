"""Messages over a socket pair."""

from __future__ import annotations

import os
import select
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.daemon.live.channel import MAX_MESSAGE, Channel, ChannelClosedError


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    one, other = Channel(left), Channel(right)
    yield one, other
    one.close()
    other.close()


def _all(channel, count):
    found = []
    while len(found) < count:
        select.select([channel.fileno()], [], [], 5)
        found += channel.receive()
    return found


def test_messages_arrive_whole_and_in_order(ends):
    one, other = ends
    messages = [{"n": n, "text": "x" * (n * 300)} for n in range(11)]
    for message in messages[:10]:
        one.send(message)
    assert _all(other, 10) == messages[:10]
    one.send(messages[10])
    assert _all(other, 1) == messages[10:]


def test_nothing_there_is_no_message(ends):
    assert ends[0].receive() == []


def test_descriptors_come_along(ends):
    one, other = ends
    read, write = os.pipe()
    one.send({"do": "take"}, (write,))
    os.close(write)
    assert _all(other, 1) == [{"do": "take"}]
    (got,) = other.take_fds()
    os.write(got, b"through")
    os.close(got)
    assert os.read(read, 100) == b"through"
    os.close(read)
    assert other.take_fds() == []


def test_what_was_sent_before_the_end_is_still_read(ends):
    one, other = ends
    one.send({"last": True})
    one.close()
    assert other.receive() == [{"last": True}]
    with pytest.raises(ChannelClosedError):
        other.receive()


@pytest.mark.parametrize(
    "data",
    [
        (MAX_MESSAGE + 1).to_bytes(4, "big"),
        b"\0\0\0\4none",
        b"\0\0\0\2[]",
        b"\0\0\0\2\xff\xff",
    ],
)
def test_what_is_no_message_ends_the_channel(data):
    left, right = socket.socketpair()
    other = Channel(right)
    left.sendall(data)
    with pytest.raises(ChannelClosedError):
        other.receive()
    left.close()
    other.close()


def test_a_peer_that_does_not_read_is_given_up():
    left, right = socket.socketpair()
    one = Channel(left, timeout=0.05)
    with pytest.raises(ChannelClosedError):
        one.send({"big": "x" * (8 << 20)})
    one.close()
    right.close()


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20), max_size=4), max_size=8
    )
)
def test_any_cut_of_the_bytes_gives_the_same_messages(messages):
    left, right = socket.socketpair()
    one, (far, near) = Channel(left), socket.socketpair()
    other = Channel(near)
    for message in messages:
        one.send(message)
    found = []
    right.setblocking(False)
    while True:
        try:
            piece = right.recv(7)
        except BlockingIOError:
            break
        far.sendall(piece)
        found += other.receive()
    assert found == messages
    for end in (one, other, far, right):
        end.close()
