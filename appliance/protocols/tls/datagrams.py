"""DTLS records and handshake messages out of datagrams (RFC 6347 section 4, RFC 9147 sections 4 and 5).

Every datagram stands for itself; of messages in pieces a bounded amount is held, whatever they announce.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from appliance.protocols.tls import records

HEADER = 13  # type, version, epoch, sequence number, length
VERSIONS = frozenset((0xFEFF, 0xFEFD, 0xFEFC, 0x0100))  # the last is what old OpenSSL said for 1.0
ENCRYPTED = -1  # type of a record whose header hides it
_LAST_KIND = 26  # acknowledgements of 1.3
_CONNECTION_ID = 25  # RFC 9146: a header of a length that only the ends know
_FRAGMENT = 12  # type, length, sequence, offset, length of the piece
MAX_OPEN = 8
MAX_HELD = records.MAX_HANDSHAKE
MAX_PIECES = 1024


class Record(NamedTuple):
    """One record; ``body`` is empty where it is encrypted, that is in any epoch but 0."""

    kind: int
    epoch: int
    body: bytes


class Message(NamedTuple):
    """One handshake message."""

    kind: int
    sequence: int
    content: bytes


def is_dtls(datagram: bytes) -> bool:
    """Tell DTLS from what may share its ports (RFC 7983)."""
    return bool(datagram) and 20 <= datagram[0] <= 63


def cut(datagram: bytes, events: list[str]) -> list[Record]:
    """Cut a datagram into records; names what is wrong, behind which nothing is read, in ``events``."""
    found: list[Record] = []
    at = 0
    while at < len(datagram):
        used = _plain(datagram, at, found) or _unified(datagram, at, found)
        if not used:
            events.append(_complaint(datagram, at))
            break
        at += used
    if len(found) > records.MAX_RECORDS_A_CALL:
        events.append("too_many_records_in_packet")
    return found


def _plain(data: bytes, at: int, found: list[Record]) -> int:
    """Take a record with a header of 13 bytes; give its length, 0 when there is none."""
    if at + HEADER > len(data) or data[at] < 20 or ((data[at + 1] << 8) | data[at + 2]) not in VERSIONS:
        return 0
    kind, epoch = data[at], (data[at + 3] << 8) | data[at + 4]
    length = (data[at + 11] << 8) | data[at + 12]
    if kind == _CONNECTION_ID:
        found.append(Record(ENCRYPTED, 1, b""))
        return len(data) - at
    if kind > _LAST_KIND or length > min(records.MAX_RECORD, len(data) - at - HEADER):
        return 0
    start = at + HEADER
    found.append(Record(kind, epoch, b"" if epoch else data[start : start + length]))
    return HEADER + length


def _unified(data: bytes, at: int, found: list[Record]) -> int:
    """Take an encrypted record of 1.3 (RFC 9147 section 4); give its length, 0 when there is none."""
    first = data[at]
    if first & 0xE0 != 0x20:
        return 0
    start = at + (5 if first & 8 else 4)
    left = len(data) - at
    # Without a length, or behind a connection id of unknown length, it is all that is left.
    used = left
    if first & 4 and not first & 0x10:
        used = start - at + int.from_bytes(data[start - 2 : start], "big")
    if used > left or start > len(data):
        return 0
    found.append(Record(ENCRYPTED, 1, b""))
    return used


def _complaint(data: bytes, at: int) -> str:
    """Name what is wrong with what should be a record."""
    if not 20 <= data[at] <= _LAST_KIND and data[at] & 0xE0 != 0x20:
        return "invalid_record_type"
    if at + HEADER <= len(data) and int.from_bytes(data[at + 1 : at + 3], "big") not in VERSIONS:
        return "invalid_record_version"
    return "invalid_ssl_record"


class _Pieces:
    """Parts of one message that do not overlap, in order; adjoining ones become one."""

    __slots__ = ("chunks", "held", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.chunks: list[bytearray] = []
        self.held = 0

    def add(self, offset: int, piece: bytes) -> bool:
        """Keep what is new of a piece; False when it contradicts what is known, which stays."""
        sound = True
        at, end = offset, offset + len(piece)
        while at < end:
            place = bisect_right(self.starts, at)
            start = self.starts[place - 1] if place else 0
            known = start + len(self.chunks[place - 1]) if place else 0
            if at < known:
                stop = min(end, known)
                same = self.chunks[place - 1][at - start : stop - start] == piece[at - offset : stop - offset]
                sound = sound and same
            else:
                stop = min(end, self.starts[place]) if place < len(self.starts) else end
                self._put(place, at, piece[at - offset : stop - offset], joined=place > 0 and at == known)
            at = stop
        return sound

    def _put(self, place: int, at: int, fresh: bytes, *, joined: bool) -> None:
        self.held += len(fresh)
        if joined:
            self.chunks[place - 1] += fresh
        else:
            self.starts.insert(place, at)
            self.chunks.insert(place, bytearray(fresh))


class FragmentReader:
    """Puts the handshake messages of one direction together, in whatever order their pieces arrive."""

    __slots__ = ("_open", "events")

    def __init__(self) -> None:
        """Start with nothing held."""
        # Both lengths of two contradicting announcements are followed, since nobody says which counts.
        self._open: dict[tuple[int, int, int], _Pieces] = {}
        self.events: list[str] = []

    def feed(self, body: bytes) -> list[Message]:
        """Give the messages that a record's ``body`` completes."""
        found: list[Message] = []
        at = 0
        while at < len(body):
            size = self._fragment(body, at, found)
            if size < 0:
                break
            at += _FRAGMENT + size
        return found

    def _fragment(self, body: bytes, at: int, found: list[Message]) -> int:
        """Take one piece; give its length, -1 when it is none."""
        kind, length = body[at], int.from_bytes(body[at + 1 : at + 4], "big")
        sequence = int.from_bytes(body[at + 4 : at + 6], "big")
        offset, size = (int.from_bytes(body[i : i + 3], "big") for i in (at + 6, at + 9))
        start = at + _FRAGMENT
        if not records.known_handshake(kind):
            self.events.append("invalid_handshake_message")
            return -1
        if start + size > len(body) or offset + size > length or length > records.MAX_HANDSHAKE:
            self.events.append("handshake_invalid_length")
            return -1
        whole = self._whole((sequence, kind, length), offset, body[start : start + size])
        if whole is not None:
            found.append(Message(kind, sequence, whole))
        return size

    def _whole(self, key: tuple[int, int, int], offset: int, piece: bytes) -> bytes | None:
        """Keep a piece of a message; give the message when that was the last missing."""
        if len(piece) == key[2]:
            self._open.pop(key, None)
            return piece
        if not piece:
            return None
        if any(one[0] == key[0] and one != key for one in self._open):
            self.events.append("handshake_invalid_length")
        pieces = self._open.setdefault(key, _Pieces())
        if not pieces.add(offset, piece):
            self.events.append("invalid_handshake_message")
        if pieces.held == key[2]:
            del self._open[key]
            return b"".join(pieces.chunks)
        self._make_room()
        return None

    def _make_room(self) -> None:
        """Forget messages that are furthest ahead while too much is held."""
        while len(self._open) > MAX_OPEN or self._weighs_too_much():
            del self._open[max(self._open)]

    def _weighs_too_much(self) -> bool:
        kept = self._open.values()
        return sum(one.held for one in kept) > MAX_HELD or sum(len(one.starts) for one in kept) > MAX_PIECES
