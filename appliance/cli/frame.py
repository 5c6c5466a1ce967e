"""A frame out of a description: headers with right lengths and checksums."""

from __future__ import annotations

import struct
from dataclasses import replace

from appliance.cli.describe import Description

_SEQ = 1000


def _checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(what: Description, length: int) -> bytes:
    ends = what.source.address + what.destination.address
    if len(what.source.address) == 4:
        return ends + struct.pack(">BBH", 0, what.protocol, length)
    return ends + struct.pack(">IHBB", length, 0, 0, what.protocol)


def _tcp(what: Description, seq: int, ack: int) -> bytes:
    return struct.pack(
        ">HHIIBBHHH", what.source.port, what.destination.port, seq, ack, 0x50, what.flags, 65_535, 0, 0
    )


def _udp(what: Description) -> bytes:
    return struct.pack(">HHHH", what.source.port, what.destination.port, 8 + len(what.payload), 0)


def _icmp(what: Description) -> bytes:
    return struct.pack(">BBHHH", what.icmp_type, what.icmp_code, 0, 1, 1)


def _transport(what: Description, seq: int, ack: int) -> bytes:
    """Header and payload above IP, with the checksum at its place."""
    if what.protocol == 6:
        head, place = _tcp(what, seq, ack), 16
    elif what.protocol == 17:
        head, place = _udp(what), 6
    elif what.protocol in {1, 58}:
        head, place = _icmp(what), 2
    else:
        return what.payload
    whole = head + what.payload
    covered = whole if what.protocol == 1 else _pseudo(what, len(whole)) + whole
    return whole[:place] + struct.pack(">H", _checksum(covered)) + whole[place + 2 :]


def _network(what: Description, body: bytes) -> tuple[int, bytes]:
    source, destination = what.source.address, what.destination.address
    if len(source) == 16:
        return 0x86DD, struct.pack(
            ">IHBB", 6 << 28, len(body), what.protocol, what.ttl
        ) + source + destination + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0x4000, what.ttl, what.protocol, 0)
    head += source + destination
    return 0x0800, head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + body


def build_frame(what: Description, seq: int = _SEQ, ack: int = 0) -> bytes:
    """Build the Ethernet frame of a described packet."""
    ethertype, packet = _network(what, _transport(what, seq, ack))
    tag = struct.pack(">HH", 0x8100, what.vlan) if what.vlan else b""
    return what.destination.mac + what.source.mac + tag + struct.pack(">H", ethertype) + packet


def handshake(what: Description) -> list[bytes]:
    """Build the three packets that open the connection a described packet belongs to."""
    opening = replace(what, flags=2, payload=b"")
    answer = replace(what.reversed(), flags=18)
    finish = replace(what, flags=16, payload=b"")
    return [
        build_frame(opening, _SEQ - 1, 0),
        build_frame(answer, 2 * _SEQ - 1, _SEQ),
        build_frame(finish, _SEQ, 2 * _SEQ),
    ]
