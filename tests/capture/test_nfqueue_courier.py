"""Verdicts go out in order, on whichever thread, and a failure is told."""

from __future__ import annotations

import errno
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.capture.nfqueue.courier import Courier

ROOM = 16_384
# A message's size and whether it may go later: small ones, and those that are too large to hand over.
SENT = st.lists(
    st.tuples(st.sampled_from([4, 40, 2560, ROOM, ROOM + 1, 3 * ROOM]), st.booleans()), max_size=60
)


class Taker:
    """The other end of the target: takes what comes, in a thread."""

    def __init__(self) -> None:
        self.target, self._end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.taken: list[bytes] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while data := self._end.recv(1 << 20):
            self.taken.append(data)

    def end(self) -> list[bytes]:
        self.target.shutdown(socket.SHUT_WR)
        self._thread.join(10)
        self.target.close()
        self._end.close()
        return self.taken


def message(number: int, size: int) -> bytes:
    return number.to_bytes(4, "big") + bytes(size - 4)


@settings(max_examples=40, deadline=None)
@given(SENT)
def test_messages_keep_their_order(sent):
    taker = Taker()
    courier = Courier(taker.target)
    try:
        for number, (size, later) in enumerate(sent):
            courier.send(message(number, size), later)
        courier.drain()
    finally:
        courier.close()
        taken = taker.end()
    assert taken == [message(number, size) for number, (size, _) in enumerate(sent)]


def test_what_is_handed_over_is_sent_before_it_closes():
    taker = Taker()
    courier = Courier(taker.target)
    for number in range(8):
        courier.send(message(number, 40), True)
    courier.close()
    courier.close()
    assert len(taker.end()) == 8


def flood(courier: Courier, later: bool) -> None:
    """Send more than there is room for: a thread that has failed goes on taking."""
    for _ in range(1000):
        courier.send(bytes(ROOM), later)


@pytest.mark.parametrize("later", [False, True])
def test_a_failure_is_told(later):
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.close()
    courier = Courier(near)
    with pytest.raises(BrokenPipeError) as told:
        flood(courier, later)
    assert told.value.errno == errno.EPIPE
    courier.close()
    near.close()


def test_the_thread_is_there_only_when_it_is_needed():
    taker = Taker()
    courier = Courier(taker.target)
    courier.send(b"once", False)
    assert "verdicts" not in {thread.name for thread in threading.enumerate()}
    courier.close()
    assert taker.end() == [b"once"]
