"""Where the parsers say that frames are, however the bytes are cut."""

from __future__ import annotations

import pytest

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
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
]


def frames(proto: int, port: int, turns: Turns, size: int, wanted: frozenset[str]) -> tuple[str, list[Place]]:
    """Let the protocol be recognised and read; give it, and the frames found."""
    layer = AppLayer(AppSettings(frames=wanted))
    flow = Flow(proto, b"\x0a\0\0\1", b"\x0a\0\0\2", 40_000, port)
    places = [0, 0]
    for direction, data in turns:
        step = size if proto == TCP else len(data)
        for at in range(0, len(data), step):
            piece = data[at : at + step]
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
