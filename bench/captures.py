"""Captures to measure with, made here: bounded, the same each time, and written fast.

Everything is between 10.1.0.0/16 (clients) and 10.2.0.0/16 (servers), Ethernet and IPv4, with right
checksums, so that the engine takes the way it takes in earnest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = 0xA1B2C3D4
_ETHERNET = 1
_SNAPLEN = 262_144
_START = 1_600_000_000
_STEP = 20  # microseconds between two packets
_FLUSH = 1 << 20
_UDP, _TCP = 17, 6
_SYN, _ACK, _PUSH, _FIN = 2, 16, 8, 1
_SEGMENT = 1448
_IP = struct.Struct("!BBHHHBBHII")
_UDP_HEADER = struct.Struct("!HHHH")
_TCP_HEADER = struct.Struct("!HHIIBBHHH")
_RECORD = struct.Struct("<IIII")


@dataclass(frozen=True)
class Ends:
    """Two ends of a connection: addresses as numbers, and ports."""

    client: int
    server: int
    cport: int
    sport: int

    def turned(self) -> Ends:
        """Give the ends as the server sees them."""
        return Ends(self.server, self.client, self.sport, self.cport)


def _mac(address: int) -> bytes:
    return b"\x02\x00" + address.to_bytes(4, "big")


def _checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071): the one's complement sum of 16-bit words is the number modulo 65535."""
    if len(data) & 1:
        data += b"\0"
    rest = int.from_bytes(data, "big") % 0xFFFF
    return 0xFFFF - rest


def _ip(ends: Ends, proto: int, body: bytes) -> bytes:
    ethernet = _mac(ends.server) + _mac(ends.client) + b"\x08\x00"
    fields = (0x45, 0, 20 + len(body), 0, 0x4000, 64, proto)
    value = _checksum(_IP.pack(*fields, 0, ends.client, ends.server))
    return ethernet + _IP.pack(*fields, value, ends.client, ends.server) + body


def _pseudo(ends: Ends, proto: int, length: int) -> bytes:
    return struct.pack("!IIHH", ends.client, ends.server, proto, length)


def udp(ends: Ends, payload: bytes) -> bytes:
    """Make a UDP frame."""
    length = 8 + len(payload)
    head = _UDP_HEADER.pack(ends.cport, ends.sport, length, 0)
    value = _checksum(_pseudo(ends, _UDP, length) + head + payload) or 0xFFFF
    return _ip(ends, _UDP, _UDP_HEADER.pack(ends.cport, ends.sport, length, value) + payload)


def tcp(ends: Ends, seq: int, ack: int, flags: int, payload: bytes = b"") -> bytes:
    """Make a TCP frame without options."""
    seq, ack = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    head = _TCP_HEADER.pack(ends.cport, ends.sport, seq, ack, 0x50, flags, 65535, 0, 0)
    value = _checksum(_pseudo(ends, _TCP, 20 + len(payload)) + head + payload)
    head = _TCP_HEADER.pack(ends.cport, ends.sport, seq, ack, 0x50, flags, 65535, value, 0)
    return _ip(ends, _TCP, head + payload)


class Connection:
    """A TCP connection that counts its own sequence numbers."""

    def __init__(self, ends: Ends) -> None:
        self._ends = (ends, ends.turned())
        self._next = [1000, 5000]

    def _send(self, side: int, flags: int, payload: bytes = b"") -> bytes:
        frame = tcp(self._ends[side], self._next[side], self._next[1 - side], flags, payload)
        self._next[side] += len(payload) + (1 if flags & (_SYN | _FIN) else 0)
        return frame

    def open(self) -> list[bytes]:
        """Shake hands."""
        first = tcp(self._ends[0], self._next[0], 0, _SYN)
        self._next[0] += 1
        return [first, self._send(1, _SYN | _ACK), self._send(0, _ACK)]

    def say(self, side: int, data: bytes) -> Iterator[bytes]:
        """Send data in segments; the other side acknowledges every second one."""
        for number, at in enumerate(range(0, len(data), _SEGMENT)):
            yield self._send(side, _ACK | _PUSH, data[at : at + _SEGMENT])
            if number & 1 or at + _SEGMENT >= len(data):
                yield self._send(1 - side, _ACK)

    def close(self) -> list[bytes]:
        """Part."""
        return [self._send(0, _FIN | _ACK), self._send(1, _FIN | _ACK), self._send(0, _ACK)]


def ends_of(number: int, sport: int) -> Ends:
    """Give ends that no other ``number`` below 2**30 has."""
    client = 0x0A010000 | (number >> 14 & 0xFFFF)
    return Ends(client, 0x0A020001 + number % 7, 1024 + (number & 0x3FFF), sport)


def write(path: Path, frames: Iterator[bytes]) -> int:
    """Write a capture and give its number of frames."""
    count = 0
    with path.open("wb") as file:
        parts = [struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAPLEN, _ETHERNET)]
        size = 0
        for frame in frames:
            at = count * _STEP
            parts += (_RECORD.pack(_START + at // 1_000_000, at % 1_000_000, len(frame), len(frame)), frame)
            size += len(frame)
            count += 1
            if size > _FLUSH:
                file.write(b"".join(parts))
                parts, size = [], 0
        file.write(b"".join(parts))
    return count


def small(packets: int) -> Iterator[bytes]:
    """UDP of 64 bytes on the wire (60 without checksum), in 10,000 flows, both ways."""
    flows = [ends_of(number, 4000 + number % 50) for number in range(10_000)]
    frames = [udp(ends, b"\x07" * 18) for one in flows for ends in (one, one.turned())]
    for number in range(packets):
        yield frames[number % len(frames)]


def distinct(packets: int) -> Iterator[bytes]:
    """Every packet a flow of its own: three of UDP for each SYN of TCP."""
    for number in range(packets):
        ends = ends_of(number, 80 if number & 3 == 0 else 4000)
        yield tcp(ends, number, 0, _SYN) if number & 3 == 0 else udp(ends, b"\x07" * 18)


def connections(count: int) -> Iterator[bytes]:
    """Whole short connections of TCP, each with a request and its answer."""
    for number in range(count):
        talk = Connection(ends_of(number, 80))
        yield from talk.open()
        yield from talk.say(0, _request(number))
        yield from talk.say(1, _response(_text(200)))
        yield from talk.close()


def _request(number: int) -> bytes:
    return (
        f"GET /items/{number}/view?page={number % 9}&order=price HTTP/1.1\r\n"
        f"Host: shop{number % 30}.example\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\nAccept: text/html,application/json\r\n"
        f"Cookie: session={number * 2654435761 & 0xFFFFFFFF:08x}\r\nConnection: keep-alive\r\n\r\n"
    ).encode()


def _response(body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _text(length: int) -> bytes:
    words = b"the quick brown fox jumps over a lazy dog and then <p>returns</p> to its den at number 42; "
    return (words * (length // len(words) + 1))[:length]


def _name(label: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in label.split(".")) + b"\0"


def _lookup(number: int) -> list[bytes]:
    """A DNS question with its answer (RFC 1035)."""
    ends = Ends(0x0A010000 | number % 200, 0x0A020035, 20000 + number % 40_000, 53)
    question = _name(f"host{number}.shop{number % 30}.example") + b"\0\1\0\1"
    asked = struct.pack("!6H", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + question
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x02\0\1"
    given = struct.pack("!6H", number & 0xFFFF, 0x8180, 1, 1, 0, 0) + question + answer
    return [udp(ends, asked), udp(ends.turned(), given)]


def mixed(packets: int) -> Iterator[bytes]:
    """HTTP keep-alive, 20 connections at a time with 25 requests each, and a DNS lookup for every third."""
    made, number = 0, 0
    body = _text(900)
    while made < packets:
        talks = [Connection(ends_of(number + i, 80)) for i in range(20)]
        frames = [frame for talk in talks for frame in talk.open()]
        for turn in range(25):
            for i, talk in enumerate(talks):
                frames += talk.say(0, _request(number * 25 + turn * 20 + i))
                frames += talk.say(1, _response(body))
                if i % 3 == 0:
                    frames += _lookup(number * 25 + turn * 20 + i)
        frames += [frame for talk in talks for frame in talk.close()]
        number += 20
        made += len(frames)
        yield from frames


def bulk(packets: int) -> Iterator[bytes]:
    """HTTP downloads of a megabyte of text, one connection each."""
    body = _text(1_000_000)
    made, number = 0, 0
    while made < packets:
        talk = Connection(ends_of(number, 80))
        for frames in (
            talk.open(),
            talk.say(0, _request(number)),
            talk.say(1, _response(body)),
            talk.close(),
        ):
            for frame in frames:
                made += 1
                yield frame
        number += 1
