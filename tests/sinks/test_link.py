"""Messages over real sockets: every transport, absent and slow receivers, broken connections."""

from __future__ import annotations

import select
import socket
import ssl
import time

import pytest
from syslog_receiver import Authority, DatagramReceiver, StreamReceiver, wait_for

from appliance.sinks.buffer import OVERHEAD, RecordBuffer
from appliance.sinks.complaints import Complaints
from appliance.sinks.link import Link
from appliance.sinks.resolve import Lookup
from appliance.sinks.stream import StreamTransport
from appliance.sinks.tls import client_context
from appliance.sinks.transport import SECOND, DatagramTransport, UnixTransport


def message(number, size=100):
    return b"<134>1 %08d " % number + b"." * (size - 16)


def numbers(receiver):
    return [int(one[7:15]) for one in receiver.messages]


class Pumped:
    """A link with a clock that can be put forward, so that no test waits for a pause."""

    def __init__(self, connect, memory=1 << 20):
        self.said = []
        self.buffer = RecordBuffer(memory)
        self.link = Link(connect, self.buffer, Complaints("out", self.said.append))
        self.ahead = 0

    def now(self):
        return time.time_ns() + self.ahead

    def push(self, first, end, size=100):
        for number in range(first, end):
            self.buffer.push(message(number, size))

    def until(self, condition, within=15.0):
        deadline = time.monotonic() + within
        while not condition() and time.monotonic() < deadline:
            self.link.step(self.now())
            descriptor, writable, longest = self.link.interest(self.now())
            poll = select.poll()
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN | (select.POLLOUT if writable else 0))
            poll.poll(min(longest // 1_000_000, 20))
        assert condition()

    def forward(self, seconds):
        self.ahead += seconds * SECOND


@pytest.fixture
def pumped():
    made = []

    def make(connect, **given):
        made.append(Pumped(connect, **given))
        return made[-1]

    yield make
    for one in made:
        one.link.close()


def tcp(port):
    return lambda: StreamTransport("127.0.0.1", port)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_tcp(pumped):
    with StreamReceiver() as receiver:
        pump = pumped(tcp(receiver.port))
        pump.push(0, 5000)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 5000)
        assert numbers(receiver) == list(range(5000))
        assert (pump.link.written, pump.link.connections, pump.said) == (5000, 1, [])


def test_a_host_by_name(pumped):
    with StreamReceiver() as receiver:
        pump = pumped(lambda: StreamTransport("localhost", receiver.port))
        pump.push(0, 1)
        pump.until(lambda: pump.link.written == 1)


def test_a_host_that_does_not_exist():
    lookup = Lookup("no-such-host.invalid", 1, socket.SOCK_STREAM)

    def refused():
        try:
            return lookup.result() is not None
        except OSError:
            return True

    assert wait_for(refused)
    with pytest.raises(OSError, match=r"[Nn]ame|resol"):
        lookup.result()


def test_udp(pumped):
    with DatagramReceiver() as receiver:
        pump = pumped(lambda: DatagramTransport("127.0.0.1", receiver.port))
        pump.push(0, 50)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 50)
        assert receiver.messages[7] == message(7)


def test_udp_to_nobody_is_noticed_and_tried_again(pumped):
    port = free_port()
    pump = pumped(lambda: DatagramTransport("127.0.0.1", port))
    pump.push(0, 3)
    pump.until(lambda: pump.said)
    assert pump.said == ["out: Connection refused"]
    lost_on_the_way = pump.link.written
    with DatagramReceiver(port=port) as receiver:
        pump.forward(2)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 3 - lost_on_the_way)


def test_unix_absent_then_present_then_slow(pumped, tmp_path):
    path = str(tmp_path / "log")
    pump = pumped(lambda: UnixTransport(path))
    pump.push(0, 500)
    pump.until(lambda: pump.said)
    assert pump.said == ["out: No such file or directory"]
    with DatagramReceiver(path) as receiver:
        pump.forward(2)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 500)
        assert numbers(receiver) == list(range(500))
    assert pump.said[1:] == ["out: works again"]


def test_a_receiver_that_is_absent_and_comes(pumped):
    port = free_port()
    pump = pumped(tcp(port))
    pump.push(0, 100)
    pauses = []
    for _ in range(8):
        attempt = pump.said and pump.link.interest(pump.now())[2]
        pump.until(lambda: pump.link._transport is None and pump.link._retry_at > pump.now())
        pauses.append(round((pump.link._retry_at - pump.now()) / SECOND))
        pump.forward(pauses[-1] + 1)
        assert attempt is not None
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pump.said[0] == "out: Connection refused"
    assert len(pump.said) <= 4  # not once for each attempt within a minute
    with StreamReceiver(port) as receiver:
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 100)
        assert numbers(receiver) == list(range(100))
    assert pump.said[-1] == "out: works again"


def test_the_bound_of_the_buffer_is_exact(pumped):
    pump = pumped(tcp(free_port()), memory=200 * (100 + OVERHEAD))
    pump.push(0, 1000)
    pump.until(lambda: pump.said)
    assert (pump.buffer.held, pump.buffer.lost) == (200, 800)


def test_a_slow_receiver_gets_everything_later(pumped):
    with StreamReceiver(reading=False) as receiver:
        pump = pumped(tcp(receiver.port), memory=64 << 20)
        pump.push(0, 10_000, size=1000)
        deadline = time.monotonic() + 0.5
        pump.until(lambda: time.monotonic() > deadline)
        assert pump.link.connected
        assert pump.buffer.held > 1000
        receiver.reading.set()
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 10_000)
        assert numbers(receiver) == list(range(10_000))


def test_a_broken_connection_loses_nothing(pumped):
    with StreamReceiver(limit=500) as receiver:
        pump = pumped(tcp(receiver.port), memory=64 << 20)
        pump.push(0, 3000, size=1000)
        pump.until(
            lambda: receiver.connections == 1 and pump.link.connections == 1 and not pump.link.connected
        )
        pump.push(3000, 3100)
        pump.forward(2)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: numbers(receiver)[-1:] == [3099])
    assert receiver.connections == 2
    got = numbers(receiver)
    lost = set(range(3100)) - set(got)
    # What the receiver's kernel had acknowledged and the receiver threw away is nobody's to know.
    assert len(lost) * 1000 < 4 << 20
    assert got[500:] == sorted(got[500:])
    assert set(got[500:]) | set(range(500)) | lost == set(range(3100))


def test_what_a_receiver_says_is_ignored(pumped):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pump = pumped(tcp(listener.getsockname()[1]))
        pump.until(lambda: pump.link.connected)
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"hello" * 10_000)
            pump.push(0, 1)
            pump.until(lambda: pump.link.written == 1)
            assert pump.said == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def tls(port, ca, pair=("", ""), name=""):
    def connect():
        context = client_context(str(ca), *map(str, pair))
        return StreamTransport("127.0.0.1", port, context, name)

    return connect


def test_tls_with_a_client_certificate(pumped, authority):
    with StreamReceiver(context=authority.server("127.0.0.1", clients=True)) as receiver:
        pump = pumped(tls(receiver.port, authority.path, authority.issue("sensor-1")), memory=4 << 20)
        pump.push(0, 3000, size=300)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: len(receiver.messages) == 3000)
        assert numbers(receiver) == list(range(3000))
        certificate, version = receiver.peers[0]
        assert certificate["subject"] == ((("commonName", "sensor-1"),),)
        assert version in {"TLSv1.2", "TLSv1.3"}
        assert pump.said == []


def test_tls_receiver_that_breaks_off(pumped, authority):
    with StreamReceiver(context=authority.server("127.0.0.1"), limit=100) as receiver:
        pump = pumped(tls(receiver.port, authority.path))
        pump.push(0, 100)
        pump.until(lambda: pump.link.connections == 1 and not pump.link.connected)
        pump.push(100, 150)
        pump.forward(2)
        pump.until(lambda: not pump.buffer.held)
        assert wait_for(lambda: numbers(receiver)[-1:] == [149])
        assert set(numbers(receiver)) == set(range(150))


@pytest.mark.parametrize("wrong", ["name", "authority", "version", "no certificate", "no certificate, 1.2"])
def test_tls_with_the_wrong_peer_sends_nothing(pumped, authority, tmp_path, wrong):
    context, ca, name = authority.server("logs.example.org"), authority.path, "logs.example.org"
    if wrong == "name":
        name = "other.example.org"
    elif wrong == "authority":
        ca = Authority(tmp_path, "other").path
    elif wrong == "version":
        with pytest.deprecated_call():
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.deprecated_call():
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    else:
        context = authority.server("logs.example.org", clients=True)
        if wrong.endswith("1.2"):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
    with StreamReceiver(context=context) as receiver:
        pump = pumped(tls(receiver.port, ca, name=name))
        pump.push(0, 10)
        pump.until(lambda: pump.said)
        assert pump.link.written == 0
        assert pump.buffer.held == 10
    assert receiver.messages == []


@pytest.mark.parametrize("answer", [b"", b"220 mail.example.org ESMTP\r\n"])
def test_tls_to_one_that_does_not_speak_it(pumped, authority, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pump = pumped(tls(listener.getsockname()[1], authority.path))
        pump.push(0, 10)
        pump.until(lambda: pump.link._transport is not None and pump.link._transport._securing)
        peer, _ = listener.accept()
        with peer:
            peer.sendall(answer)
            if not answer:
                pump.forward(11)  # the handshake is not waited for without end
            pump.until(lambda: pump.said)
        assert pump.link.written == 0
        assert pump.buffer.held == 10
        assert ("takes too long" in pump.said[0]) is (not answer)


def test_tls_files_that_cannot_be_used(pumped, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    pump = pumped(tls(1, tmp_path / "ca.pem"))
    pump.until(lambda: pump.said)
    other = pumped(tls(1, tmp_path / "none.pem"))
    other.until(lambda: other.said)
    assert other.said == ["out: No such file or directory"]
