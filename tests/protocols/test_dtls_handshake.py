"""DTLS: handshakes in pieces, out of order, twice, and with a cookie in between."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_tools import UDP, Turn, exercise, hurt, picture, play

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE
from appliance.model.flow import Flow
from appliance.model.packet import Packet
from appliance.protocols import registry
from appliance.protocols.session import AppLayer
from appliance.protocols.tls import datagrams
from appliance.protocols.tls.datagrams import FragmentReader
from appliance.protocols.tls.dtls import DtlsParser, sender

SPEC = registry.ALL["dtls"]
DTLS12 = 0xFEFD


def record(kind: int, body: bytes, epoch: int = 0, version: int = DTLS12) -> bytes:
    return struct.pack(">BHHHIH", kind, version, epoch, 0, 7, len(body)) + body


def pieces(kind: int, sequence: int, content: bytes, size: int = 1 << 14) -> list[bytes]:
    """Give one record for each ``size`` bytes of a message."""
    total = len(content).to_bytes(3, "big")
    out = []
    for at in range(0, max(len(content), 1), size):
        part = content[at : at + size]
        head = bytes((kind,)) + total + struct.pack(">H", sequence) + at.to_bytes(3, "big")
        out.append(record(22, head + len(part).to_bytes(3, "big") + part))
    return out


def message(kind: int, sequence: int, content: bytes) -> bytes:
    return pieces(kind, sequence, content)[0]


def extension(kind: int, body: bytes) -> bytes:
    return struct.pack(">HH", kind, len(body)) + body


def client_hello(name: bytes = b"vpn.example", cookie: bytes = b"", random: bytes = b"r" * 32) -> bytes:
    listed = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    extensions = extension(0, listed) + extension(16, b"\0\x07\x06webrtc") + extension(10, b"\0\x02\0\x17")
    head = struct.pack(">H", DTLS12) + random + b"\0" + bytes((len(cookie),)) + cookie
    return head + b"\0\x04\xc0\x2b\xc0\x2f\x01\0" + struct.pack(">H", len(extensions)) + extensions


SERVER_HELLO = struct.pack(">H", DTLS12) + b"s" * 32 + b"\0\xc0\x2b\0\0\0"
DER = b"\x30\x03\x30\x01\x00"
CERTIFICATE = b"\0\0\x08\0\0\x05" + DER
FINISHED = record(20, b"\1") + record(22, b"?" * 48, epoch=1)
OPENING: list[Turn] = [
    *((0, one) for one in pieces(1, 0, client_hello(), 30)),
    (1, message(3, 0, struct.pack(">H", DTLS12) + b"\x04cook")),
    *((0, one) for one in pieces(1, 1, client_hello(cookie=b"cook"), 50)),
    *((1, one) for one in pieces(2, 1, SERVER_HELLO, 20)),
    (1, message(11, 2, CERTIFICATE) + message(14, 3, b"")),
]
WHOLE: list[Turn] = [*OPENING, (0, message(16, 2, b"\x04keys") + FINISHED), (1, FINISHED)]


def talk(turns: list[Turn]) -> DtlsParser:
    parser = play(DtlsParser, turns, UDP)
    assert isinstance(parser, DtlsParser)
    return parser


def test_one_handshake_is_one_transaction() -> None:
    parser = talk(WHOLE)
    (tx,) = parser.transactions
    assert tx.progress == [COMPLETE, COMPLETE]
    assert tx.buffer("tls.sni", 0) == b"vpn.example"
    assert tx.buffer("tls.alpn", 0) == [b"webrtc"]
    assert tx.buffer("tls.certs", 1) == [DER]
    assert tx.buffer("ja3.string", 0) == b"65277,49195-49199,0-16-10,23,"
    assert tx.buffer("ja3s.string", 1) == b"65277,49195,"
    assert str(tx.log()["ja4"]).startswith("dd2d0203wc_")
    assert tx.log()["version"] == "DTLSv1.2"
    assert tx.value("tls.cert_chain_len") == 1
    assert tx.events == ["invalid_certificate"]
    exercise(parser, SPEC)


def test_record_is_ready_when_the_server_has_said_all() -> None:
    assert not any(tx.ready for tx in talk(OPENING[:-1]).transactions)
    assert all(tx.ready and not tx.done for tx in talk(OPENING).transactions)
    early = [(1, message(14, 3, b"")), *OPENING[:-1]]
    assert not any(tx.ready for tx in talk(early).transactions)
    assert all(tx.ready for tx in talk([*early, (1, message(11, 2, CERTIFICATE))]).transactions)


@given(st.permutations(WHOLE), st.lists(st.sampled_from(OPENING), max_size=5))
def test_any_order_of_datagrams_tells_the_same(turns, again) -> None:
    assert picture(talk([*turns, *again]))[0][1:] == picture(talk(WHOLE))[0][1:]


@given(st.permutations(range(len(client_hello()))))
def test_single_bytes_in_any_order(order) -> None:
    body = client_hello()
    parts = pieces(1, 0, body, 1)
    assert talk([(0, parts[place]) for place in order]).tx.buffer("tls.sni", 0) == b"vpn.example"


def test_encryption_alone_does_not_pass_for_a_hello() -> None:
    tx = talk([(0, record(23, b"??", epoch=1)), (1, record(23, b"??", epoch=1))]).tx
    assert tx.progress == [1, 1]
    assert talk([(0, record(23, b"?", epoch=1)), (0, message(1, 0, client_hello()))]).tx.progress == [20, 0]


def test_another_hello_is_another_handshake() -> None:
    turns = [*WHOLE, (0, message(1, 0, client_hello(b"other.example", random=b"n" * 32)))]
    names = [tx.buffer("tls.sni", 0) for tx in talk(turns).transactions]
    assert names == [b"vpn.example", b"other.example"]
    changed = [(0, message(1, 0, client_hello())), (0, message(1, 1, client_hello(b"evil.example", b"cook")))]
    assert [tx.buffer("tls.sni", 0) for tx in talk(changed).transactions][1:] == [b"evil.example"]


def test_version_13() -> None:
    versions = extension(43, b"\xfe\xfc")
    tail = b"\0\x13\x01\0" + struct.pack(">H", len(versions)) + versions
    retry = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    turns = [
        (0, message(1, 0, client_hello())),
        (1, message(2, 0, b"\xfe\xfd" + retry + tail)),
        (1, message(2, 1, b"\xfe\xfd" + b"s" * 32 + tail) + b"\x2e\1\2\0\x03abc\x2e\1\2\0\x03abc"),
        (0, b"\x2a\1\2rest of the datagram"),
    ]
    tx = talk(turns).tx
    assert tx.buffer("tls.random", 1) == b"s" * 32
    assert (tx.log()["version"], tx.progress, tx.events) == ("DTLSv1.3", [COMPLETE, COMPLETE], [])


HELLO = message(1, 0, client_hello())
HALF = pieces(1, 0, client_hello(), 40)


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ([HELLO + record(24, b"\x01\x40\x00")], "overflow_heartbeat_message"),
        ([HELLO + b"\x99" * 20], "invalid_record_type"),
        ([record(22, b"", version=0x0303)], "invalid_record_version"),
        ([HELLO[:-1]], "invalid_ssl_record"),
        ([b"\x2c\1\2\xff\xff"], "invalid_ssl_record"),
        ([record(22, b"\x63" + bytes(11))], "invalid_handshake_message"),
        ([record(22, b"\x01\0\0\x09\0\0\0\0\x09\0\0\x01x")], "handshake_invalid_length"),
        ([HALF[0], pieces(1, 0, client_hello() + b"x", 40)[1]], "handshake_invalid_length"),
        ([HALF[0], HALF[0][:-1] + b"\xee"], "invalid_handshake_message"),
        ([record(26, b"") * 256], "too_many_records_in_packet"),
        ([record(21, b"\x02")], "error_message_encountered"),
    ],
)
def test_events(said: list[bytes], event: str) -> None:
    parser = talk([(0, one) for one in said])
    assert parser.tx.events == [event] or event in parser.tx.events[-2:]
    exercise(parser, SPEC)


def test_other_protocols_on_the_same_ports_are_passed_over() -> None:
    assert talk([(0, b"\x00\x01\x00\x00"), (0, b"\x80\x60"), (0, HELLO)]).tx.events == []


def test_little_is_held_whatever_is_announced() -> None:
    reader = FragmentReader()
    for number in range(20):
        for place in range(0, 60000, 3):
            body = pieces(1, number, bytes(60000), 60000)[0][13:17] + struct.pack(">H", number)
            reader.feed(body + place.to_bytes(3, "big") + b"\0\0\x01x")
            if place > 6000:
                break
    kept = reader._open.values()
    assert len(kept) <= datagrams.MAX_OPEN
    assert sum(len(one.starts) for one in kept) <= datagrams.MAX_PIECES


@given(hurt(WHOLE))
def test_damage_never_raises(turns: list[Turn]) -> None:
    exercise(talk(turns), SPEC)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80)), max_size=6))
def test_no_bytes_raise(turns: list[Turn]) -> None:
    exercise(talk([(d, bytes((20 + len(b) % 44,)) + b) for d, b in turns]), SPEC)


def test_flow_is_recognised_and_turned() -> None:
    layer = AppLayer(AppSettings())
    flow = Flow(17, b"\x0a\0\0\1", b"\x0a\0\0\2", 50000, 4433)
    for direction, data in WHOLE:
        packet = Packet(data, 101, 1, 1)
        packet.payload_len, packet.direction = len(data), direction
        layer.datagram(packet, flow, 1)
    assert flow.app_proto == "dtls"
    assert flow.app.parser.tx.buffer("tls.sni", 0) == b"vpn.example"
    assert [sender(data) for data in (HELLO, message(3, 0, b""), record(21, b"\2\2"))] == [0, 1, -1]
