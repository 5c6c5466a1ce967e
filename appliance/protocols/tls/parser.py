"""TLS and SSL: the handshake of one connection is one transaction (RFC 8446, RFC 5246, RFC 6101)."""

from __future__ import annotations

import hashlib
from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.tls import certificate, heartbeat, log, records, sslv2
from appliance.protocols.tls.certificate import Certificate
from appliance.protocols.tls.hello import Hello, parse_hello
from appliance.protocols.tls.records import HandshakeReader, RecordReader

# Steps of one direction.
IN_PROGRESS, HELLO, CERT, HELLO_DONE, DONE = 1, 20, 40, 50, 60


_SECOND = 1_000_000_000
# Messages that ``ssl_state`` names, by their type; of the others it says only that they are unknown.
_MESSAGES = {
    records.CLIENT_HELLO: "client_hello",
    records.SERVER_HELLO: "server_hello",
    records.SERVER_KEY_EXCHANGE: "server_keyx",
    records.CLIENT_KEY_EXCHANGE: "client_keyx",
}
# Frames of the content of some records.
_FRAMES = {records.ALERT: "alert", records.HEARTBEAT: "heartbeat"}


class TlsTransaction(Transaction):
    """One handshake: both hellos, the server's certificates, the events."""

    __slots__ = ("certs", "certified", "chain", "client", "greeted", "messages", "origin", "server", "store")

    def __init__(self, tx_id: int) -> None:
        """Start before the first message."""
        super().__init__(tx_id)
        self.client: Hello | None = None
        self.server: Hello | None = None
        self.chain: list[bytes] = []
        self.certs: list[Certificate | None] = [None, None]
        self.certified = 0  # when the server's certificate came, in nanoseconds since the epoch
        self.messages: tuple[set[str], set[str]] = (set(), set())  # what each side has sent, for rules
        self.store = False  # a rule wants the server's certificates in the record
        self.greeted = False  # the server has said all that it says in the clear
        self.origin = ""  # protocol that the connection spoke before

    def hello(self, direction: int) -> Hello | None:
        """Give the hello that travelled in ``direction``."""
        return self.client if direction == TOSERVER else self.server

    def advance(self, direction: int, step: int) -> None:
        """Move a direction on; it never goes back."""
        self.progress[direction] = max(self.progress[direction], step)
        self.updated = True

    @override
    def early(self) -> bool:
        """Tell whether a record would not change any more."""
        return self.greeted

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        reader = _BUFFERS.get(name)
        return reader(self, direction) if reader is not None else None

    @override
    def value(self, name: str) -> Any:
        cert = self.certs[TOCLIENT]
        if name == "tls.version":
            return log.version_number(self)
        if name == "tls.cert_chain_len":
            return len(self.chain) if self.chain else None
        if name == "ssl_version":
            return log.version_name(self)
        return _validity(cert, name, self.certified // _SECOND) if cert is not None else None

    @override
    def compared(self, name: str, direction: int) -> Any:
        if name == "ssl_state":
            return frozenset(self.messages[direction])
        return self.value(name)

    @override
    def keep(self) -> None:
        self.store = True

    @override
    def log(self) -> dict[str, Any]:
        return log.body(self, {})

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        return [log.body(self, options)] if self.client is not None or self.server is not None else []


def _validity(cert: Certificate, name: str, seconds: int) -> Any:
    """Give what rules ask of a certificate's validity at the time when it was shown."""
    if name == "tls_cert_notbefore":
        return cert.not_before
    if name == "tls_cert_notafter":
        return cert.not_after
    if name == "tls_cert_expired":
        return seconds > cert.not_after
    return cert.not_before <= seconds <= cert.not_after if name == "tls_cert_valid" else None


def _certificate_text(pick: str) -> Any:
    def read(tx: TlsTransaction, direction: int) -> BufferValue:
        cert = tx.certs[direction]
        text = getattr(cert, pick) if cert is not None else ""
        return text.encode("utf-8", "replace") if text else None

    return read


def _hello_text(make: Any, side: int) -> Any:
    def read(tx: TlsTransaction, direction: int) -> BufferValue:
        del direction
        hello = tx.hello(side)
        return make(hello) if hello is not None else None

    return read


def _md5(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().encode()


def _random(start: int, stop: int) -> Any:
    def read(tx: TlsTransaction, direction: int) -> BufferValue:
        hello = tx.hello(direction)
        return hello.random[start:stop] if hello is not None else None

    return read


def _alpn(tx: TlsTransaction, direction: int) -> BufferValue:
    hello = tx.hello(direction)
    return list(hello.alpn) or None if hello is not None else None


def _names(tx: TlsTransaction, direction: int) -> BufferValue:
    cert = tx.certs[direction]
    return [name.encode("utf-8", "replace") for name in cert.names] or None if cert is not None else None


def _chain(tx: TlsTransaction, direction: int) -> BufferValue:
    del direction
    return list(tx.chain) or None


_BUFFERS: dict[str, Any] = {
    "tls.sni": _hello_text(lambda hello: hello.sni or None, TOSERVER),
    "tls.cert_subject": _certificate_text("subject"),
    "tls.cert_issuer": _certificate_text("issuer"),
    "tls.cert_serial": _certificate_text("serial"),
    "tls.cert_fingerprint": _certificate_text("fingerprint"),
    "tls.certs": _chain,
    "tls.random": _random(0, 32),
    "tls.random_time": _random(0, 4),
    "tls.random_bytes": _random(4, 32),
    "tls.alpn": _alpn,
    "tls.subjectaltname": _names,
    "ja3.hash": _hello_text(lambda hello: _md5(hello.ja3()), TOSERVER),
    "ja3.string": _hello_text(lambda hello: hello.ja3().encode(), TOSERVER),
    "ja3s.hash": _hello_text(lambda hello: _md5(hello.ja3()), TOCLIENT),
    "ja3s.string": _hello_text(lambda hello: hello.ja3().encode(), TOCLIENT),
    "ja4.hash": _hello_text(lambda hello: hello.ja4().encode(), TOSERVER),
}


class _Side:
    """Reading state of one direction."""

    __slots__ = ("encrypted", "handshakes", "reader", "started")

    def __init__(self) -> None:
        self.reader = RecordReader()
        self.handshakes = HandshakeReader()
        self.encrypted = False
        self.started = False


class TlsParser(Parser):
    """Reads the handshake of one connection; what is encrypted is only counted."""

    name = "tls"
    log_type = "tls"

    def __init__(self, settings: Any = None) -> None:
        """Open the connection's one transaction."""
        super().__init__(settings)
        self.tx = TlsTransaction(0)
        self.transactions.append(self.tx)
        self.next_tx = 1
        self._sides = (_Side(), _Side())
        self._first = bytearray()

    @override
    def open(self, flow: Any, app: Any, carried: Any) -> None:
        """Learn which protocol went over to TLS, if one did."""
        del app, carried
        if flow.app is not None:
            self.tx.origin = flow.app.orig

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        side, tx = self._sides[direction], self.tx
        if side.reader.dead:
            return
        if not side.started:
            chunk = self._begin(direction, chunk)
            if not chunk:
                return
        tx.advance(direction, IN_PROGRESS)
        if self.wanted_frames:
            side.reader.marks = []
        for kind, body in side.reader.feed(chunk, encrypted=side.encrypted):
            self._record(direction, side, kind, body)
        if "invalid_handshake_message" in side.handshakes.events:
            tx.messages[direction].add("unknown")
        self._collect(side.reader.events, side.handshakes.events)
        self._note_frames(direction, side.reader)
        self._finish()

    @override
    def gap(self, direction: int, length: int) -> None:
        side = self._sides[direction]
        side.reader.lose(length)
        if side.reader.dead and all(one.reader.dead for one in self._sides):
            self.failed = True

    def _note_frames(self, direction: int, reader: RecordReader) -> None:
        """Note each record: as a whole, its header, what is in it."""
        for behind, kind, length in reader.marks or ():
            header = records.HEADER
            self.note_frame("hdr", direction, behind, header, 0)
            self.note_frame("data", direction, behind - header, length, 0)
            self.note_frame("pdu", direction, behind, header + length, 0)
            name = _FRAMES.get(kind)
            if name is not None:
                self.note_frame(name, direction, behind - header, length, 0)
        reader.marks = None

    def _begin(self, direction: int, chunk: bytes) -> bytes:
        """See whether an SSLv2 hello opens the stream; give what remains for the record reader."""
        side = self._sides[direction]
        if direction == TOSERVER:
            self._first += chunk
            if sslv2.wants_more(self._first):
                return b""
            chunk = bytes(self._first)
            self._first.clear()
        side.started = True
        if direction != TOSERVER or not sslv2.is_client_hello(chunk):
            return chunk
        hello, used, event = sslv2.parse(chunk)
        if event:
            self._collect([event])
            side.reader.dead = True  # no TLS follows what was to be its first message
        if hello is not None:
            self.tx.client = hello
            self.tx.messages[direction].add("client_hello")
            self.tx.advance(direction, HELLO)
        return chunk[used:]

    def _record(self, direction: int, side: _Side, kind: int, body: bytes) -> None:
        if kind == records.APPLICATION_DATA:
            self._encrypted(direction)
        elif kind == records.CHANGE_CIPHER_SPEC:
            side.encrypted = True
            self.tx.advance(direction, DONE)
        elif kind == records.HEARTBEAT:
            self._collect(heartbeat.check(body, encrypted=side.encrypted))
        elif kind == records.HANDSHAKE and not side.encrypted:
            for message, content in side.handshakes.feed(body):
                self._handshake(direction, message, content)
        elif kind == records.ALERT and not side.encrypted and len(body) < 2:
            self._collect(["error_message_encountered"])

    def _encrypted(self, direction: int) -> None:
        """Application data: nothing more can be learnt from this direction."""
        self.tx.advance(direction, DONE)
        self.tx.advance(1 - direction, DONE if self._sides[1 - direction].started else IN_PROGRESS)

    def _handshake(self, direction: int, kind: int, content: bytes) -> None:
        tx = self.tx
        if kind in _MESSAGES:
            tx.messages[direction].add(_MESSAGES[kind])
        if kind == records.CLIENT_HELLO and direction == TOSERVER:
            if tx.client is None:
                tx.client = parse_hello(content, client=True)
                self._collect(tx.client.events)
            tx.advance(direction, HELLO)
        elif kind == records.SERVER_HELLO and direction == TOCLIENT:
            if tx.server is None:
                tx.server = parse_hello(content, client=False)
                self._collect(tx.server.events)
            tx.advance(direction, HELLO)
            if tx.server.negotiated() == 0x0304 or tx.server.negotiated() >> 8 == 0x7F:
                self._sides[TOCLIENT].encrypted = self._sides[TOSERVER].encrypted = True
        elif kind == records.CERTIFICATE:
            self._certificates(direction, content)
        elif kind == records.SERVER_HELLO_DONE and direction == TOCLIENT:
            tx.greeted = tx.client is not None or tx.certs[TOCLIENT] is not None
            tx.advance(direction, HELLO_DONE)

    def _certificates(self, direction: int, content: bytes) -> None:
        chain, sound = certificate.split_chain(content, tls13=False)
        tx = self.tx
        if not sound:
            self._collect(["certificate_invalid_length"])
        if chain and tx.certs[direction] is None:
            tx.certs[direction] = certificate.parse(chain[0])
            if tx.certs[direction] is None:
                self._collect(["invalid_certificate"])
            if direction == TOCLIENT:
                tx.chain = chain
                tx.certified = self.now
        tx.advance(direction, CERT)

    def _collect(self, *groups: list[str]) -> None:
        for group in groups:
            for event in group:
                if event not in self.tx.events:
                    self.tx.events.append(event)
            group.clear()

    def _finish(self) -> None:
        """The handshake is over when both directions have gone over to encryption."""
        tx = self.tx
        if tx.progress[0] >= DONE and tx.progress[1] >= DONE:
            tx.progress[:] = [COMPLETE, COMPLETE]
            if all(side.encrypted for side in self._sides) and not self.wanted_frames:
                self.bypass = True
