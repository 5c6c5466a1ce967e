"""HTTP/2: frames, field compression, streams, DNS inside; hostile bytes and any way of cutting them."""

from __future__ import annotations

import gzip
import itertools
import time
from typing import Any

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import AppSettings
from appliance.model.app import COMPLETE
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.protocols.http2 import SPECS, frames, hpack
from appliance.protocols.http2.parser import MAX_FILES_KEPT, MAX_GLOBAL, MAX_STREAMS, Http2Parser
from appliance.protocols.http2.rules import test_setting as setting_holds
from appliance.protocols.session import AppLayer

REQUEST = [
    (":method", "GET"),
    (":path", "/a/b.bin?x=1"),
    (":scheme", "https"),
    (":authority", "U@Ex.Org:8443"),
]
QUERY = bytes.fromhex("123401000001000000000000") + b"\x03www\x07example\x00\x00\x01\x00\x01"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def client(*frames_: bytes) -> bytes:
    return frames.MAGIC + frame(4, 0, 0, b"\0\3\0\0\0\x64") + b"".join(frames_)


def headers(encoder: Encoder, fields: Any, stream: int = 1, flags: int = 4) -> bytes:
    return frame(1, flags, stream, encoder.encode(fields))


def parse(up: bytes, down: bytes = b"", cuts: tuple[int, ...] = ()) -> Http2Parser:
    parser = Http2Parser()
    for direction, data in ((0, up), (1, down)):
        marks = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for start, stop in itertools.pairwise(marks):
            if stop > start:
                parser.data(direction, data[start:stop])
    return parser


def shape(parser: Http2Parser) -> Any:
    return parser.events, [
        (
            tx.stream,
            tx.progress,
            tx.log(),
            tx.events,
            [(f.name, f.size, bytes(f.data), f.state) for f in tx.files],
        )
        for tx in parser.transactions
    ]


def exchange() -> tuple[bytes, bytes]:
    up, down = Encoder(), Encoder()
    body = gzip.compress(b"hello world " * 50)
    block = up.encode([*REQUEST, ("cookie", "a=1"), ("cookie", "b=2"), ("user-agent", "T/1")])
    split = frame(1, 1, 1, block[:7]) + frame(9, 0, 1, block[7:11]) + frame(9, 4, 1, block[11:])
    answer = headers(down, [(":status", "200"), ("content-encoding", "gzip"), ("content-type", "x/y")])
    padded = frame(0, 8, 1, b"\x03" + body[:20] + b"PAD") + frame(0, 1, 1, body[20:])
    server = frame(4, 0, 0, b"\0\1\0\0\x20\0") + answer + frame(8, 0, 0, b"\0\0\x87\x4a") + padded
    return client(split, frame(2, 0, 1, b"\0\0\0\0\x0f")), server + frame(7, 0, 0, bytes(7) + b"\2")


def test_exchange() -> None:
    parser = parse(*exchange())
    tx = next(t for t in parser.transactions if t.stream == 1)
    expected = {
        "http.uri": b"/a/b.bin?x=1",
        "http.method": b"GET",
        "http.host": b"ex.org",
        "http.host.raw": b"U@Ex.Org:8443",
        "http.cookie": b"a=1; b=2",
        "http.user_agent": b"T/1",
        "http.request_line": b"GET /a/b.bin?x=1 HTTP/2\r\n",
    }
    assert {name: tx.buffer(name, 0) for name in expected} == expected
    assert tx.buffer("http.stat_code", 1) == b"200"
    assert tx.buffer("http.response_body", 1) == b"hello world " * 50
    assert tx.buffer("http.header_names", 1) == b"\r\n:status\r\ncontent-encoding\r\ncontent-type\r\n\r\n"
    assert (tx.files[0].name, tx.files[0].state, tx.files[0].size) == (b"b.bin", "CLOSED", 600)
    assert tx.events == ["userinfo_in_uri"]
    assert tx.done
    record = tx.log()
    assert (record["version"], record["url"], record["status"]) == ("2", "/a/b.bin?x=1", 200)
    assert record["http2"] == {"stream_id": 1, "request": {"priority": 15}, "response": {}}
    kinds = [tx.compared("http2.frametype", 1) for tx in parser.transactions if not tx.stream]
    assert kinds == [None, [4], [8], [7]]
    assert [tx.compared("http2.window", 1) for tx in parser.transactions][3] == [34634]
    assert parser.transactions[-1].log()["http2"]["response"]["error_code"] == "INTERNALERROR"


@given(st.lists(st.integers(1, 600), max_size=12))
@settings(max_examples=60, deadline=None)
def test_cutting_does_not_matter(cuts: list[int]) -> None:
    assert shape(parse(*exchange(), tuple(cuts))) == shape(parse(*exchange()))


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=200, deadline=None)
def test_never_raises(noise: bytes, direction: bool) -> None:
    parser = Http2Parser()
    parser.data(0, frames.MAGIC)
    parser.data(int(direction), noise)
    parser.gap(int(direction), 10)
    parser.data(int(direction), noise)
    parser.end(0)
    parser.end(1)
    for tx in parser.transactions:
        tx.records({})


@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 255), st.integers(0, 5), st.binary(max_size=60)))
)
@settings(max_examples=150, deadline=None)
def test_never_raises_on_frames(found: list[tuple[int, int, int, bytes]]) -> None:
    data = b"".join(frame(*one) for one in found)
    whole = parse(client(data), data)
    for tx in whole.transactions:
        for direction in (0, 1):
            for spec in SPECS[0].buffers:
                tx.buffer(spec.name, direction)
        tx.records({})
    pieces = parse(client(data), data, tuple(range(1, 400, 7)))
    assert [tx.progress for tx in pieces.transactions] == [tx.progress for tx in whole.transactions]


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        (frame(0, 0, 0, b"x"), "data_stream_zero"),
        (frame(3, 0, 1, b"\0\0"), "invalid_frame_length"),
        (frame(4, 0, 0, b"\0\0\0"), "invalid_frame_length"),
        (frame(1, 4, 0, b""), "invalid_frame_header"),
        (frame(1, 12, 1, b"\x09x"), "invalid_frame_data"),
        (frame(1, 4, 1, b"\xff\x80"), "invalid_header"),
        (frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff\x01"), "header_integer_overflow"),
        (frame(1, 4, 1, b"\xfe"), "invalid_header"),
        (frame(3, 0, 1, bytes(4)) + frame(0, 0, 1, b"x"), "stream_id_reuse"),
        (frame(1, 0, 1, b"") + frame(9, 0, 1, bytes(65_000)) * 2, "reassembly_limit_reached"),
        (frame(0, 0, 1, bytes(65_537)), "long_frame_data"),
        (frame(1, 4, 1, bytes(65_537)), "long_frame_data"),
        (headers(Encoder(), [(":authority", "a"), ("host", "b")]), "authority_host_mismatch"),
    ],
)
def test_events(sent: bytes, event: str) -> None:
    parser = parse(client(sent))
    assert event in [name for tx in parser.transactions for name in tx.events]
    assert event in SPECS[0].events


def test_wrong_magic() -> None:
    assert parse(b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n").events == ["invalid_client_magic"]


def test_field_bomb_is_bounded() -> None:
    """One field of 4 KB, then four bytes short of 64 KB of references to it: 256 MB if they were copied."""
    block = b"\x40\x01x" + b"\x7f\xc1\x1e" + b"v" * 4032 + b"\xbe" * 16_000
    fields, events = hpack.Decoder(65_536).decode(block)
    assert events == ["reassembly_limit_reached"]
    assert sum(len(field.value) for field in fields) <= hpack.MAX_LIST
    fields, _ = hpack.Decoder(65_536).decode(b"\x82" * 60_000)
    assert len(fields) == hpack.MAX_FIELDS


def test_body_bomb_is_bounded() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    answer = headers(Encoder(), [(":status", "200"), ("content-encoding", "gzip")])
    parser = parse(
        b"", answer + b"".join(frame(0, 0, 1, bomb[i : i + 9000]) for i in range(0, len(bomb), 9000))
    )
    file = parser.transactions[0].files[0]
    assert file.size <= 9 << 20
    assert len(file.data) <= 100 << 10


def test_many_streams_and_pings_are_bounded() -> None:
    parser = parse(client(frame(6, 0, 0, bytes(8)) * 5000))
    assert len(parser.transactions) <= MAX_GLOBAL
    parser = parse(client(*(frame(0, 0, n, bytes(12_000)) for n in range(1, 4 * MAX_STREAMS, 2))))
    assert len(parser.transactions) <= MAX_STREAMS + 1
    assert sum(len(f.data) for tx in parser.transactions for f in tx.files) <= MAX_FILES_KEPT + 100_000
    assert "too_many_streams" in parser.transactions[1].events
    for tx in parser.transactions:
        tx.logged = 1
    parser.drop_done(inspected=False)
    parser.data(0, headers(Encoder(), REQUEST, 9999))
    assert [tx.stream for tx in parser.transactions] == [9999]


def test_hole_in_data() -> None:
    parser = Http2Parser()
    parser.data(1, headers(Encoder(), [(":status", "200")]) + frame(0, 1, 1, b"x" * 50)[:29])
    parser.gap(1, 10)
    parser.data(1, b"x" * 20)
    tx = parser.transactions[0]
    assert (tx.files[0].size, tx.files[0].state) == (50, "TRUNCATED")
    assert tx.progress[1] == COMPLETE


@pytest.mark.parametrize("post", [True, False])
def test_dns_inside(post: bool) -> None:
    encoder = Encoder()
    if post:
        fields = [(":method", "POST"), (":path", "/dns-query"), ("content-type", "application/dns-message")]
        sent = headers(encoder, fields) + frame(0, 1, 1, QUERY)
    else:
        path = "/dns-query?dns=EjQBAAABAAAAAAAAA3d3dwdleGFtcGxlAAABAAE"
        fields = [(":method", "GET"), (":path", path), ("accept", "application/dns-message")]
        sent = headers(encoder, fields, flags=5)
    parser = parse(client(sent))
    tx = parser.transactions[-1]
    assert tx.buffer("dns.query", 0) == [b"www.example"]
    assert tx.compared("dns.rrtype", 0) == [1]
    assert parser.known_as == "doh2"
    assert tx.record_kind == "doh2"
    assert tx.log()["dns"]["queries"][0]["rrname"] == "www.example"
    assert tx.log()["http"]["http2"]["stream_id"] == 1


def test_dns_too_long() -> None:
    fields = [(":method", "POST"), (":path", "/q"), ("content-type", "application/dns-message")]
    parser = parse(client(headers(Encoder(), fields), frame(0, 0, 1, bytes(40_000)) * 2))
    assert "dns_request_too_long" in parser.transactions[-1].events


def session_flow() -> tuple[AppLayer, Flow]:
    return AppLayer(AppSettings()), Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 1024, 80)


def test_upgrade_from_http1() -> None:
    layer, flow = session_flow()
    ask = (
        b"GET /up HTTP/1.1\r\nHost: h.org\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABk\r\n\r\n"
    )
    layer.data(flow, Chunk(0, 0, ask), 0)
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    layer.data(flow, Chunk(1, 0, answer + frame(4, 0, 0, b"")), 0)
    layer.data(flow, Chunk(0, 0, client()), 0)
    assert flow.app_proto == "http2"
    parser = flow.app.parser
    first = next(tx for tx in parser.transactions if tx.stream == 1)
    assert first.buffer("http.uri", 0) == b"/up"
    assert first.buffer("http.host", 0) == b"h.org"
    assert (3, 100) in (parser.transactions[0].compared("http2.settings", 0))


@pytest.mark.parametrize(
    ("argument", "holds"),
    [
        ("SETTINGS_HEADER_TABLE_SIZE>1000", True),
        ("SETTINGS_HEADER_TABLE_SIZE", True),
        ("SETTINGS_HEADER_TABLE_SIZE 4000-5000", True),
        ("SETTINGS_HEADER_TABLE_SIZE 4000<>4096", False),
        ("SETTINGS_HEADER_TABLE_SIZE<=4095", False),
        ("SETTINGS_HEADER_TABLE_SIZE!4095", True),
        ("SETTINGS_ENABLE_PUSH=4096", False),
    ],
)
def test_settings_of_rules(argument: str, holds: bool) -> None:
    assert setting_holds((1, 4096), argument) is holds


def test_many_blocks_on_one_stream_take_no_more_than_their_bytes() -> None:
    """Each block is looked at by itself: with all fields looked at each time, this takes a minute."""
    sent = frame(1, 4, 1, b"\x82" * 4000) + frame(1, 4, 1, b"\x82") * 6000
    started = time.process_time()
    parse(client(sent))
    assert time.process_time() - started < 3
