"""DTLS: handshakes over datagrams, which get lost, repeated and out of order (RFC 6347, RFC 9147)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.spec import PROBE_NO, PROBE_YES
from appliance.protocols.tls import datagrams, heartbeat, records
from appliance.protocols.tls.datagrams import FragmentReader, Message, Record
from appliance.protocols.tls.hello import Hello, parse_hello
from appliance.protocols.tls.parser import DONE, HELLO, IN_PROGRESS, TlsParser, TlsTransaction

_VERIFY = 3  # asks the client to say hello again, with a cookie
_SENDERS = {records.CLIENT_HELLO: 0, records.SERVER_HELLO: 1, _VERIFY: 1}
# Random of a server's hello that asks for another one of the client (RFC 8446 section 4.1.3).
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_FLIGHT = 32  # messages between a server's hello and its end, at most


def probe(data: bytes) -> int:
    """A first record: handshake with a hello, or an alert, in epoch 0 and of a length that fits."""
    if len(data) < datagrams.HEADER + 1 or int.from_bytes(data[1:3], "big") not in datagrams.VERSIONS:
        return PROBE_NO
    length = int.from_bytes(data[11:13], "big")
    if data[3:5] != b"\0\0" or not 0 < length <= len(data) - datagrams.HEADER:
        return PROBE_NO
    hello = data[0] == records.HANDSHAKE and data[datagrams.HEADER] in _SENDERS
    return PROBE_YES if hello or (data[0] == records.ALERT and length == 2) else PROBE_NO


def sender(data: bytes) -> int:
    """Tell which end says such a hello: 0 the client, 1 the server, -1 either."""
    if len(data) <= datagrams.HEADER or data[0] != records.HANDSHAKE:
        return -1
    return _SENDERS.get(data[datagrams.HEADER], -1)


class DtlsTransaction(TlsTransaction):
    """One handshake, none of whose directions gets past its hello before the hello is there."""

    __slots__ = ("_ahead",)

    def __init__(self, tx_id: int) -> None:
        """Start before the first message."""
        super().__init__(tx_id)
        self._ahead = [0, 0]

    @override
    def advance(self, direction: int, step: int) -> None:
        """Move a direction on, or take note of how far once what is missing has come."""
        self._ahead[direction] = max(self._ahead[direction], step)
        there = self.hello(direction) is not None
        super().advance(direction, self._ahead[direction] if there else min(step, IN_PROGRESS))


class DtlsParser(TlsParser):
    """Reads the handshakes of one flow; epochs tell what is encrypted.

    It is never done with a flow, since a client may begin anew from the same port (RFC 6347 section 4.2.8).
    """

    name = "dtls"
    log_type = "tls"

    def __init__(self, settings: Any = None) -> None:
        """Open the transaction of the first handshake."""
        super().__init__(settings)
        self._noted: list[str] = []
        self.transactions.clear()
        self.next_tx = 0
        self._begin_anew()

    @override
    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Nothing goes over to DTLS on the way."""

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        if not datagrams.is_dtls(chunk):
            return
        self.tx.advance(direction, IN_PROGRESS)
        for record in datagrams.cut(chunk, self._noted):
            self._take(direction, record)
        self._collect(self._noted, self._fragments[direction].events)
        self._settle()

    @override
    def gap(self, direction: int, length: int) -> None:
        """Datagrams that are lost leave no hole."""

    def _begin_anew(self) -> None:
        """Open a transaction, with nothing known of the handshake."""
        self.tx = DtlsTransaction(self.next_tx)
        self.transactions.append(self.tx)
        self.next_tx += 1
        self._fragments = (FragmentReader(), FragmentReader())
        self._flight: set[int] = set()
        self._greeting = self._farewell = -1  # numbers of the messages that begin and end the flight
        for side in self._sides:
            side.encrypted = False

    def _take(self, direction: int, record: Record) -> None:
        if record.epoch or record.kind == records.CHANGE_CIPHER_SPEC:
            self._sides[direction].encrypted = True
        elif record.kind == records.HANDSHAKE:
            for message in self._fragments[direction].feed(record.body):
                self._message(direction, message)
        elif record.kind == records.HEARTBEAT:
            self._collect(heartbeat.check(record.body, encrypted=False))
        elif record.kind == records.ALERT and len(record.body) < 2:
            self._collect(["error_message_encountered"])

    def _message(self, direction: int, message: Message) -> None:
        if direction == TOSERVER and message.kind == records.CLIENT_HELLO:
            self._client_hello(message.content)
        elif direction == TOCLIENT:
            self._of_server(message)
        elif message.kind == records.CERTIFICATE:
            self._certificates(direction, message.content)

    def _client_hello(self, content: bytes) -> None:
        """Take a hello: the first, the same once more (with a cookie), or that of another handshake."""
        hello = parse_hello(content, client=True, datagram=True)
        if self.tx.client is not None and _same(self.tx.client, hello):
            return
        if self.tx.client is not None or self.tx.done:
            self._collect(self._noted)
            self.tx.progress[:] = [COMPLETE, COMPLETE]
            self.tx.updated = True
            self._begin_anew()
        self.tx.client = hello
        self._collect(hello.events)
        self.tx.advance(TOSERVER, HELLO)

    def _of_server(self, message: Message) -> None:
        """Take a message of the server's flight, whose end counts when all before it is there."""
        if len(self._flight) < _FLIGHT:
            self._flight.add(message.sequence)
        if message.kind == records.SERVER_HELLO:
            self._server_hello(message)
        elif message.kind == records.CERTIFICATE:
            self._certificates(TOCLIENT, message.content)
        elif message.kind == records.SERVER_HELLO_DONE:
            self._farewell = message.sequence
        if self._farewell >= 0 and self._flight_is_whole():
            self._farewell = -1
            self._handshake(TOCLIENT, records.SERVER_HELLO_DONE, b"")

    def _server_hello(self, message: Message) -> None:
        hello = parse_hello(message.content, client=False, datagram=True)
        if self.tx.server is not None or hello.random == _RETRY:
            return
        self.tx.server = hello
        self._greeting = message.sequence
        self._collect(hello.events)
        self.tx.advance(TOCLIENT, HELLO)

    def _flight_is_whole(self) -> bool:
        """Tell whether nothing is missing between the server's hello and the end of its flight."""
        if self.tx.server is None or self._farewell - self._greeting > _FLIGHT:
            return False
        return all(number in self._flight for number in range(self._greeting, self._farewell))

    def _settle(self) -> None:
        """The handshake is over when both directions are encrypted; one alone can be made to look so."""
        tx = self.tx
        if tx.done or not all(side.encrypted for side in self._sides):
            return
        if tx.client is not None and tx.server is not None:
            for direction in (TOSERVER, TOCLIENT):
                tx.advance(direction, DONE)
            tx.progress[:] = [COMPLETE, COMPLETE]


def _same(one: Hello, other: Hello) -> bool:
    """Tell whether two hellos are of one handshake, in which only cookie and keys may change."""
    first = (one.random, one.sni, one.ciphers, one.alpn, one.versions)
    return first == (other.random, other.sni, other.ciphers, other.alpn, other.versions)
