"""WebSocket: frames, messages in pieces, compression; bounded, and the same however the bytes were cut."""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.protocols.session import AppLayer
from appliance.protocols.websocket.parser import WebSocketParser

KEY = b"\x12\x34\x56\x78"


def frame(opcode: int, payload: bytes, *, flags: int = 0x80, masked: bool = False) -> bytes:
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((flags | opcode, bit | size))
    elif size < 1 << 16:
        head = bytes((flags | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((flags | opcode, bit | 127)) + size.to_bytes(8, "big")
    if masked:
        payload = bytes(c ^ KEY[i % 4] for i, c in enumerate(payload))
    return head + (KEY if masked else b"") + payload


def parse(data: bytes, cuts: tuple[int, ...] = (), direction: int = 0) -> WebSocketParser:
    parser = WebSocketParser()
    for start, stop in itertools.pairwise([0, *sorted(c for c in cuts if c < len(data)), len(data)]):
        if stop > start:
            parser.data(direction, data[start:stop])
    return parser


def shape(parser: WebSocketParser) -> Any:
    return [(tx.log(), tx.frame.payload, tx.events) for tx in parser.transactions]


def deflated(text: bytes, state: Any = None) -> bytes:
    state = state or zlib.compressobj(wbits=-15)
    return (state.compress(text) + state.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_message_in_pieces_with_ping_between() -> None:
    data = (
        frame(1, b"hello ", flags=0, masked=True)
        + frame(9, b"ping", masked=True)
        + frame(0, b"world", masked=True)
    )
    parser = parse(data)
    assert shape(parser) == [
        ({"fin": False, "mask": 0x12345678, "opcode": "text"}, b"hello ", []),
        ({"fin": True, "mask": 0x12345678, "opcode": "ping"}, b"ping", []),
        ({"fin": True, "mask": 0x12345678, "opcode": "continuation"}, b"hello world", []),
    ]
    tx = parser.transactions[2]
    assert tx.buffer("websocket.payload", 0) == b"hello world"
    names = ("opcode", "flags", "mask")
    assert [tx.value(f"websocket.{name}") for name in names] == [0, 0x80, 0x12345678]
    assert tx.skip == [False, True]
    assert parser.transactions[0].records({"payload-printable": True})[0]["payload_printable"] == "hello "


def test_compression_with_a_window_that_lives_on() -> None:
    state = zlib.compressobj(wbits=-15)
    text = b"the same words again and again"
    first, second = deflated(text, state), deflated(text, state)
    assert len(second) < len(first)
    split = frame(1, second[:3], flags=0x40) + frame(0, second[3:])
    parser = parse(frame(1, first, flags=0xC0) + split)
    assert [parser.transactions[i].frame.payload for i in (0, 2)] == [text, text]


def test_bomb_is_bounded() -> None:
    bomb = deflated(bytes(40 << 20))
    parser = parse(frame(2, bomb, flags=0xC0) + frame(1, deflated(b"later"), flags=0xC0))
    assert len(parser.transactions[0].frame.payload) <= parser.limit
    assert "reassembly_limit_reached" in parser.transactions[0].events


def test_payload_and_message_limits() -> None:
    parser = parse(frame(2, bytes(70_000)) + frame(1, b"next"))
    assert parser.transactions[0].events == ["skip_end_of_payload"]
    assert len(parser.transactions[0].frame.payload) == parser.limit
    assert parser.transactions[1].frame.payload == b"next"
    parser = parse(frame(2, bytes(50_000), flags=0) * 5 + frame(0, b"x"))
    assert len(parser.transactions[-1].frame.payload) == parser.limit
    assert "reassembly_limit_reached" in parser.transactions[-1].events


def test_length_of_a_frame_allocates_nothing() -> None:
    parser = parse(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(1000))
    assert not parser.transactions


def test_hole() -> None:
    parser = WebSocketParser()
    parser.data(1, frame(2, bytes(80_000))[:70_000])
    parser.gap(1, 5000)
    parser.data(1, bytes(80_010 - 75_000) + frame(1, b"seen"))
    assert parser.transactions[-1].frame.payload == b"seen"
    parser.gap(1, 5)
    parser.data(1, frame(1, b"unseen"))
    assert len(parser.transactions) == 2


@given(st.lists(st.integers(1, 400), max_size=10))
@settings(max_examples=60, deadline=None)
def test_cutting_does_not_matter(cuts: list[int]) -> None:
    text = deflated(b"abc" * 50)
    data = frame(1, b"x" * 130, masked=True) + frame(1, text, flags=0xC0) + frame(8, b"\x03\xe8") * 3
    assert shape(parse(data, tuple(cuts))) == shape(parse(data))


@given(st.binary(max_size=300), st.lists(st.integers(1, 299), max_size=5))
@settings(max_examples=200, deadline=None)
def test_never_raises(noise: bytes, cuts: list[int]) -> None:
    whole, pieces = parse(noise), parse(noise, tuple(cuts))
    assert shape(whole) == shape(pieces)
    whole.gap(0, 3)
    whole.data(0, noise)
    whole.end(0)


@pytest.mark.parametrize("takeover", [True, False])
def test_follows_http1(takeover: bool) -> None:
    layer, flow = AppLayer(AppSettings()), Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 1024, 80)
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    layer.data(flow, Chunk(0, 0, b"GET /c HTTP/1.1\r\nHost: h\r\n" + upgrade + b"\r\n"), 0)
    extension = b"" if takeover else b"; server_no_context_takeover"
    answer = b"HTTP/1.1 101 Ok\r\n" + upgrade + b"Sec-WebSocket-Extensions: permessage-deflate" + extension
    text = deflated(b"hi there")
    layer.data(flow, Chunk(1, 0, answer + b"\r\n\r\n" + frame(1, text, flags=0xC0) * 2), 0)
    assert flow.app_proto == "websocket"
    payloads = [tx.frame.payload for tx in flow.app.parser.transactions]
    assert payloads[0] == b"hi there"
    assert payloads[1] == b"hi there"
