"""TLS records and handshake messages out of a byte stream (RFC 8446 section 5, RFC 5246 section 6.2).

Incremental and bounded: of one record at most its announced length is held, of one handshake message
at most :data:`MAX_HANDSHAKE`.
"""

from __future__ import annotations

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE, CLIENT_KEY_EXCHANGE = 12, 14, 16
_KNOWN_HANDSHAKES = frozenset(
    (0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67, 254)
)

HEADER = 5
MAX_RECORD = 16_384 + 2048
MAX_HANDSHAKE = 1 << 18
MAX_RECORDS_A_CALL = 255


def valid_version(version: int) -> bool:
    """Tell whether a record may bear this version: SSL 3.0 to TLS 1.3 and its drafts."""
    return 0x0300 <= version <= 0x0304 or version >> 8 == 0x7F


def known_handshake(kind: int) -> bool:
    """Tell whether a handshake message may have this type."""
    return kind in _KNOWN_HANDSHAKES


class RecordReader:
    """Cuts one direction into records. ``dead`` is set when the bytes are no TLS any more."""

    __slots__ = ("_held", "_marked", "_skip", "dead", "events", "marks", "version")

    def __init__(self) -> None:
        self._held = bytearray()
        self._skip = 0
        self.dead = False
        self._marked = False
        # With a list in its place: records as (bytes from their start to the end of those fed, type, length).
        self.marks: list[tuple[int, int, int]] | None = None
        self.version = 0
        self.events: list[str] = []

    def feed(self, chunk: bytes, *, encrypted: bool) -> list[tuple[int, bytes]]:
        """Give the records that ``chunk`` completes as (type, body).

        Bodies of application data, and of all records once ``encrypted``, are not kept: b"".
        """
        found: list[tuple[int, bytes]] = []
        held = self._held
        held += chunk
        at = 0
        while not self.dead:
            if self._skip:
                step = min(self._skip, len(held) - at)
                at += step
                self._skip -= step
            if self._skip or at + HEADER > len(held):
                break
            step = self._record(held, at, found, encrypted=encrypted)
            if step < 0:
                break
            at += step
        del held[:at]
        if len(found) > MAX_RECORDS_A_CALL:
            self.events.append("too_many_records_in_packet")
        return found

    def _record(self, held: bytearray, at: int, found: list[tuple[int, bytes]], *, encrypted: bool) -> int:
        """Take the record at ``at``; give its length, or -1 while it is not complete."""
        kind, version, length = (
            held[at],
            (held[at + 1] << 8) | held[at + 2],
            (held[at + 3] << 8) | held[at + 4],
        )
        if not self._sound(kind, version, length):
            return -1
        if self.marks is not None and not self._marked:
            self.marks.append((len(held) - at, kind, length))
            self._marked = True
        if kind == APPLICATION_DATA or encrypted:
            found.append((kind, b""))
            self._skip = length
            self._marked = False
            return HEADER
        if at + HEADER + length > len(held):
            return -1
        self._marked = False
        found.append((kind, bytes(held[at + HEADER : at + HEADER + length])))
        return HEADER + length

    def _sound(self, kind: int, version: int, length: int) -> bool:
        if kind < CHANGE_CIPHER_SPEC or kind > HEARTBEAT:
            self._give_up("invalid_record_type" if self.version else "invalid_tls_header")
        elif not valid_version(version):
            self._give_up("invalid_record_version")
        elif length > MAX_RECORD:
            self._give_up("invalid_ssl_record")
        else:
            self.version = version
        return not self.dead

    def _give_up(self, event: str) -> None:
        self.events.append(event)
        self.dead = True
        self._held.clear()

    def lose(self, length: int) -> None:
        """A hole: inside a body that is skipped it does not matter, elsewhere it ends the reading."""
        if length <= self._skip and not self._held:
            self._skip -= length
        else:
            self.dead = True
            self._held.clear()


class HandshakeReader:
    """Puts handshake messages together out of record bodies."""

    __slots__ = ("_held", "events")

    def __init__(self) -> None:
        self._held = bytearray()
        self.events: list[str] = []

    def feed(self, body: bytes) -> list[tuple[int, bytes]]:
        """Give the messages that ``body`` completes as (type, content)."""
        found: list[tuple[int, bytes]] = []
        held = self._held
        held += body
        at = 0
        while at + 4 <= len(held):
            kind, length = held[at], int.from_bytes(held[at + 1 : at + 4], "big")
            if kind not in _KNOWN_HANDSHAKES or length > MAX_HANDSHAKE:
                known = kind in _KNOWN_HANDSHAKES
                self.events.append("handshake_invalid_length" if known else "invalid_handshake_message")
                held.clear()
                return found
            if at + 4 + length > len(held):
                break
            found.append((kind, bytes(held[at + 4 : at + 4 + length])))
            at += 4 + length
        del held[:at]
        return found
