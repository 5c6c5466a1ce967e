"""QUIC as far as it can be read: Initial packets of both ends, and versions (RFC 9000, 9001, 9369)."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import COMPLETE, BufferValue, Parser, Transaction
from appliance.protocols.quic import frames, log
from appliance.protocols.quic.crypto import Keys, salt_of
from appliance.protocols.quic.header import INITIAL, RETRY, Header, is_google, parse, version_bytes
from appliance.protocols.tls.hello import Hello, parse_hello

MAX_CRYPTO = 0xFFFF  # bytes of one end's handshake
MAX_PIECES = 256
MAX_FAILURES = 64  # packets that do not decrypt, after which the flow is let go
_CLIENT_HELLO, _SERVER_HELLO = 1, 2


class QuicTransaction(Transaction):
    """One packet; it exists in its own direction only."""

    __slots__ = ("cyu", "hello", "sni", "ua", "version")

    def __init__(self, tx_id: int, direction: int, version: int) -> None:
        """Start with the version, which every long header has."""
        super().__init__(tx_id)
        self.version = version
        self.sni = b""
        self.ua = b""
        self.cyu = ""
        self.hello: Hello | None = None
        self.progress = [COMPLETE, COMPLETE]
        self.skip[1 - direction] = True

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if name == "quic.version":
            return version_bytes(self.version)
        if name in {"quic.sni", "quic.ua"}:
            return (self.sni if name == "quic.sni" else self.ua) or None
        if name in {"quic.cyu.hash", "quic.cyu.string"}:
            return [log.hashed(self.cyu)[name.rpartition(".")[2]].encode()] if self.cyu else None
        return self._fingerprint(name)

    def _fingerprint(self, name: str) -> BufferValue:
        hello = self.hello
        kind, _, form = name.partition(".")
        if hello is None or kind not in {"ja3", "ja3s", "ja4"} or (kind == "ja3s") == hello.client:
            return None
        if kind == "ja4":
            return hello.ja4("q").encode()
        return log.hashed(hello.ja3())[form].encode()

    @override
    def log(self) -> dict[str, Any]:
        return log.body(self)


class _CryptoStream:
    """The handshake bytes of one end, put together from pieces in any order."""

    __slots__ = ("done", "pieces", "size")

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.size = 0
        self.done = False

    def add(self, offset: int, data: bytes) -> None:
        """Keep a piece, within bounds; of two at one place the longer counts."""
        known = len(self.pieces.get(offset, b""))
        if offset + len(data) > MAX_CRYPTO or len(data) <= known or self.size + len(data) > MAX_CRYPTO:
            return
        if known or len(self.pieces) < MAX_PIECES:
            self.pieces[offset] = data
            self.size += len(data) - known

    def message(self) -> bytes:
        """Give the first message with its header once it is complete, empty before."""
        out = bytearray()
        for offset in sorted(self.pieces):
            if offset > len(out):
                break
            out += self.pieces[offset][len(out) - offset :]
        length = 4 + int.from_bytes(out[1:4], "big")
        return bytes(out[:length]) if 4 <= length <= len(out) else b""


class QuicParser(Parser):
    """Reads datagrams until both hellos are known; what comes then is encrypted."""

    name = "quic"
    log_type = "quic"

    def __init__(self, settings: Any = None) -> None:
        """Start without keys."""
        super().__init__(settings)
        self._keys: Keys | None = None
        self._streams = (_CryptoStream(), _CryptoStream())
        self._failures = 0

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        """Take a datagram, which may hold several packets."""
        at = 0
        while at < len(chunk) and not self.bypass:
            if not chunk[at] & 0x80 and chunk[at] & 0x09 != 0x09:
                return  # short header: nothing in it can be read
            header = parse(chunk, at)
            if header is None:
                if chunk[at] & 0x80:
                    self._note(direction, 0, "error_on_header")
                return
            self.note_frame("pdu", direction, len(chunk) - at, header.end - at)
            self._packet(direction, header, chunk[at : header.end], at)
            at = header.end

    @override
    def gap(self, direction: int, length: int) -> None:
        """Datagrams have no holes."""

    def _packet(self, direction: int, header: Header, packet: bytes, base: int) -> None:
        start = header.start - base
        if is_google(header.version):
            self._google(direction, header, packet[start:])
        elif header.kind != INITIAL or salt_of(header.version) is None:
            if header.kind == RETRY:
                self._restart(None)
            self._open(direction, header.version)
        else:
            self._initial(direction, header, packet, start)

    def _open(self, direction: int, version: int) -> QuicTransaction:
        tx = QuicTransaction(self.next_tx, direction, version)
        tx.created = self.now
        self.next_tx += 1
        self.transactions.append(tx)
        return tx

    def _note(self, direction: int, version: int, event: str) -> None:
        self._open(direction, version).events.append(event)
        self._failures += 1
        self.bypass = self.bypass or self._failures >= MAX_FAILURES

    def _restart(self, keys: Keys | None) -> None:
        """Another connection attempt: with other keys, and all of the handshake again."""
        self._keys = keys
        self._streams = (_CryptoStream(), _CryptoStream())

    def _initial(self, direction: int, header: Header, packet: bytes, start: int) -> None:
        content = self._decrypt(direction, header, packet, start)
        if content is None:
            if self._keys is not None:
                self._note(direction, header.version, "failed_decrypt")
            else:
                self._open(direction, header.version)
            return
        pieces, sound = frames.crypto_pieces(content)
        if not sound:
            self._note(direction, header.version, "error_on_data")
            return
        tx = self._open(direction, header.version)
        stream = self._streams[direction]
        for offset, data in pieces:
            stream.add(offset, data)
        if not stream.done and pieces:
            self._hello(direction, stream, tx)

    def _decrypt(self, direction: int, header: Header, packet: bytes, start: int) -> bytes | None:
        """Decrypt with the connection's keys, or a client's packet with those that it begins."""
        if self._keys is not None:
            content = self._keys.open(direction, packet, start)
            if content is not None or direction or header.dcid == self._keys.dcid:
                return content
        elif direction:
            return None
        keys = Keys(header.version, header.dcid, salt_of(header.version) or b"")
        content = keys.open(direction, packet, start)
        if content is not None or self._keys is None:
            self._restart(keys)
        return content

    def _hello(self, direction: int, stream: _CryptoStream, tx: QuicTransaction) -> None:
        message = stream.message()
        if not message:
            return
        stream.done = True
        stream.pieces.clear()
        if message[0] != (_SERVER_HELLO if direction else _CLIENT_HELLO):
            return
        tx.hello = parse_hello(message[4:], client=not direction)
        tx.sni = tx.hello.sni
        self.bypass = all(one.done for one in self._streams)

    def _google(self, direction: int, header: Header, content: bytes) -> None:
        """The hello of Google's versions is in the clear."""
        tx = self._open(direction, header.version)
        tags = frames.google_hello(content) if header.kind == INITIAL and not direction else None
        if tags is None:
            return
        values = dict(tags)
        tx.sni, tx.ua = values.get(b"SNI\0", b""), values.get(b"UAID", b"")
        names = "-".join(name.rstrip(b"\0").decode("latin-1") for name, _ in tags)
        tx.cyu = f"{int(version_bytes(header.version)[1:])},{names}"
