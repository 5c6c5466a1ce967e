"""Where the parsers say that frames are, however the bytes are cut."""

from __future__ import annotations

import pytest

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.protocols import registry
from appliance.protocols.session import AppLayer

NOW = 1_700_000_000_000_000_000
TCP, UDP = 6, 17
Place = tuple[str, int, int, int]
Turns = list[tuple[int, bytes]]

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test"
PING = b"\xc0\x00"

RFB: Turns = [
    (1, b"RFB 003.008\n"),
    (0, b"RFB 003.008\n"),
    (1, b"\x01\x02"),
    (0, b"\x02"),
    (1, bytes(range(16))),
]

INVITE = (
    b"INVITE sip:b@b.example SIP/2.0\r\n",
    b"Via: SIP/2.0/UDP a.example\r\nCall-ID: 1\r\nContent-Length: 3\r\n",
    b"\r\n",
    b"v=0",
)
OK = (b"SIP/2.0 200 OK\r\n", b"Via: SIP/2.0/UDP a.example\r\nCall-ID: 1\r\nContent-Length: 0\r\n", b"\r\n")


def sip(parts: tuple[bytes, ...], direction: int, kind: str, base: int = 0) -> list[Place]:
    """Give the places of the frames of one SIP message."""
    line, headers = len(parts[0]), len(parts[1])
    found = [
        ("pdu", direction, base, len(b"".join(parts))),
        (f"{kind}.line", direction, base, line),
        (f"{kind}.headers", direction, base + line, headers),
    ]
    if len(parts) > 3:
        found.append((f"{kind}.body", direction, base + line + headers + 2, len(parts[3])))
    return found


CALL: Turns = [(0, b"".join(INVITE)), (1, b"".join(OK)), (0, b"".join(INVITE))]
CALL_FRAMES = (
    sip(INVITE, 0, "request") + sip(OK, 1, "response") + sip(INVITE, 0, "request", len(b"".join(INVITE)))
)


def parts(name: str, direction: int, base: int, header: int, length: int) -> list[Place]:
    """Give the places of a message, its header and what is in it."""
    return [
        (f"{name}pdu", direction, base, length),
        (f"{name}hdr", direction, base, header),
        (f"{name}data", direction, base + header, length - header),
    ]


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\6\4\0\0\0\0\0" + b"\0\4\0\0\xff\xff"
DATA = b"\0\0\5\0\1\0\0\0\1hello"

SMB1 = b"\xffSMB\x72" + bytes(27) + b"\0\5\0\2abc\0"
SMB2_FIRST = (
    b"\xfeSMB\x40\0" + bytes(6) + b"\x0d\0" + bytes(6) + b"\x48\0\0\0" + bytes(40) + b"\4\0\0\0" + bytes(4)
)
SMB2_LAST = b"\xfeSMB\x40\0" + bytes(6) + b"\x0d\0" + bytes(50) + b"\4\0\0\0"
SMB3 = b"\xfdSMB" + bytes(48) + bytes(70)
SMB = b"".join(len(m).to_bytes(4, "big") + m for m in (SMB1, SMB2_FIRST + SMB2_LAST, SMB3))
SMB_FRAMES = [
    *parts("nbss.", 0, 0, 4, 44),
    *parts("smb1.", 0, 4, 32, 40),
    *parts("nbss.", 0, 44, 4, 144),
    *parts("smb2.", 0, 48, 64, 72),
    *parts("smb2.", 0, 120, 64, 68),
    *parts("nbss.", 0, 188, 4, 126),
    *parts("smb3.", 0, 192, 52, 122),
]

MAIL: Turns = [
    (1, b"220 mx.example ESMTP\r\n"),
    (0, b"EHLO a\r\n"),
    (1, b"250 mx.example\r\n"),
    (0, b"DATA\n"),
    (1, b"354 go\r\n"),
    (0, b"A: b\r\n\r\n..c\r\n.\r\nQUIT\r\n"),
]
MAIL_FRAMES = [
    ("response_line", 1, 0, 22),
    ("command_line", 0, 0, 8),
    ("response_line", 1, 22, 16),
    ("command_line", 0, 8, 5),
    ("response_line", 1, 38, 8),
    ("data", 0, 13, 13),
    ("command_line", 0, 29, 6),
]
CHUNKS: Turns = [(1, b"220 mx.example ESMTP\r\n"), (0, b"EHLO a\r\nBDAT 5 LAST\r\na: b\nQUIT\r\n")]

CALL_PDU = b"\5\0\x0b\3\x10\0\0\0" + (28).to_bytes(2, "little") + bytes(18)
ENIP = b"\x65\0\4\0" + bytes(20) + b"\1\0\0\0"
LDAP = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"

MODBUS = b"\0\1\0\0\0\6\1\3\0\0\0\1"
QUIC = b"\xc3\0\0\0\1\x08abcdefgh\0\0\x28" + bytes(40)
STARTUP = b"\0\0\0\x11\0\3\0\0user\0me\0\0"
READY = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"
QUERY = b"Q\0\0\0\x0dselect 1\0"

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)

# protocol, transport, server's port, what is said, frames as (name, direction, offset, length)
CASES: list[tuple[str, int, int, Turns, list[Place]]] = [
    (
        "mqtt",
        TCP,
        1883,
        [(0, CONNECT + PING)],
        [("pdu", 0, 0, 18), ("header", 0, 0, 2), ("data", 0, 2, 16), ("pdu", 0, 18, 2), ("header", 0, 18, 2)],
    ),
    (
        "rfb",
        TCP,
        5900,
        RFB,
        [("pdu", 1, 0, 12), ("pdu", 0, 0, 12), ("pdu", 1, 12, 2), ("pdu", 0, 12, 1), ("pdu", 1, 14, 16)],
    ),
    ("sip", TCP, 5060, CALL, CALL_FRAMES),
    ("sip", UDP, 5060, CALL, CALL_FRAMES),
    (
        "http2",
        TCP,
        80,
        [(0, PREFACE + SETTINGS + DATA)],
        [*parts("", 0, 24, 9, 15), *parts("", 0, 39, 9, 14)],
    ),
    ("smb", TCP, 445, [(0, SMB)], SMB_FRAMES),
    ("smtp", TCP, 25, MAIL, MAIL_FRAMES),
    ("smtp", TCP, 25, CHUNKS, [("data", 0, 21, 5)]),
    (
        "ftp",
        TCP,
        21,
        [(1, b"220 hello FTP\r\n"), (0, b"USER a\r\nPASS b\n"), (1, b"331-x\r\n331 y\r\n")],
        [
            ("response_line", 1, 0, 15),
            ("command_line", 0, 0, 8),
            ("command_line", 0, 8, 7),
            ("response_line", 1, 15, 7),
            ("response_line", 1, 22, 7),
        ],
    ),
    ("dcerpc", TCP, 135, [(0, CALL_PDU * 2)], [*parts("", 0, 0, 16, 28), *parts("", 0, 28, 16, 28)]),
    ("enip", TCP, 44818, [(0, ENIP * 2)], [*parts("", 0, 0, 24, 28), *parts("", 0, 28, 24, 28)]),
    (
        "pgsql",
        TCP,
        5432,
        [(0, STARTUP), (1, READY), (0, QUERY * 2)],
        [("pdu", 0, 0, 17), ("pdu", 1, 0, 9), ("pdu", 1, 9, 6), ("pdu", 0, 17, 14), ("pdu", 0, 31, 14)],
    ),
    ("modbus", TCP, 502, [(0, MODBUS * 2)], [("pdu", 0, 0, 12), ("pdu", 0, 12, 12)]),
    ("quic", UDP, 443, [(0, QUIC * 2)], [("pdu", 0, 0, 57), ("pdu", 0, 57, 57)]),
    ("ldap", TCP, 389, [(0, LDAP * 2)], [("pdu", 0, 0, 14), ("pdu", 0, 14, 14)]),
    (
        "websocket",
        TCP,
        80,
        [
            (0, UPGRADE[0]),
            (1, UPGRADE[1]),
            (0, b"\x81\x82abcdxy"),
            (1, b"\x82\x7e\0\x80" + bytes(128)),
        ],
        [
            ("header", 0, len(UPGRADE[0]), 6),
            ("pdu", 0, len(UPGRADE[0]), 8),
            ("data", 0, len(UPGRADE[0]) + 6, 2),
            ("header", 1, len(UPGRADE[1]), 4),
            ("pdu", 1, len(UPGRADE[1]), 132),
            ("data", 1, len(UPGRADE[1]) + 4, 128),
        ],
    ),
]


def datagram(direction: int, data: bytes) -> Packet:
    """Give a packet with nothing but a payload."""
    packet = Packet(data, 1, NOW, 1)
    packet.payload_off, packet.payload_len, packet.direction = 0, len(data), direction
    return packet


def frames(proto: int, port: int, turns: Turns, size: int, wanted: frozenset[str]) -> tuple[str, list[Place]]:
    """Let the protocol be recognised and read; give it, and the frames found."""
    layer = AppLayer(AppSettings(enabled=frozenset(("enip", "modbus", "pgsql")), frames=wanted))
    flow = Flow(proto, b"\x0a\0\0\1", b"\x0a\0\0\2", 40_000, port)
    places = [0, 0]
    for direction, data in turns:
        if proto == UDP:
            layer.datagram(datagram(direction, data), flow, NOW)
            continue
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            layer.data(flow, Chunk(direction, places[direction], piece), NOW)
            places[direction] += len(piece)
    parser = flow.app.parser
    assert parser is not None
    return flow.app.proto, [(one.name, one.direction, one.offset, one.length) for one in parser.frames]


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
@pytest.mark.parametrize(("protocol", "proto", "port", "turns", "expected"), CASES)
def test_places_of_frames(protocol, proto, port, turns, expected, size):
    wanted = frozenset(name for name, _, _, _ in expected)
    assert wanted <= registry.frames(protocol)
    proto_found, found = frames(proto, port, turns, size, wanted)
    assert proto_found == protocol
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(("protocol", "proto", "port", "turns", "expected"), CASES)
def test_frames_that_nobody_asks_for_are_not_kept(protocol, proto, port, turns, expected):
    assert frames(proto, port, turns, 10_000, frozenset())[1] == []
