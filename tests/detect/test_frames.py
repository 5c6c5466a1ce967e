"""Rules on frames, and where parsers say that frames are."""

import pytest
from detect_world import (
    BUFFERS,
    NOW,
    SETTINGS,
    Detector,
    compile_rules,
    flow,
    packet,
    parse,
    rules_of,
    sids,
    tcp,
)

from appliance.config.settings import AppSettings
from appliance.model.app import FRAMES_LIMIT
from appliance.model.chunk import Chunk
from appliance.protocols import registry
from appliance.protocols.session import AppLayer


def frames_of(protocol):
    return frozenset(("hdr", "pdu", "stream")) if protocol == "tls" else frozenset()


def with_frames(*bodies):
    ruleset, errors = compile_rules(parse(rules_of(*bodies)), SETTINGS, BUFFERS, {}, frames=frames_of)
    return Detector(ruleset, SETTINGS), [error.keyword for error in errors]


def feed(engine, stream, data):
    """Hand on bytes that the test has announced frames for, and inspect."""
    engine.stream_data(stream, Chunk(0, stream.app.parser.received[0], data))
    stream.app.parser.received[0] += len(data)
    return sids(engine.inspect(tcp(), stream, NOW))


def test_a_frame_is_found_in_pieces_and_matches_once():
    engine, errors = with_frames(
        'alert tls any any -> any any (frame:hdr; content:"abc"; startswith;)',
        'alert tls any any -> any any (frame:pdu; content:"abc"; startswith; bsize:6;)',
        'alert tls any any -> any any (frame:pdu; content:"x"; startswith;)',
    )
    assert errors == []
    stream = flow(6, "tls", [])
    parser = stream.app.parser
    parser.wanted_frames = engine.ruleset.needs and frozenset(("hdr", "pdu"))
    assert feed(engine, stream, b"..a") == []
    parser.note_frame("hdr", 0, 1, 3)
    parser.note_frame("pdu", 0, 1)
    assert feed(engine, stream, b"b") == []
    assert feed(engine, stream, b"cd") == [1]
    feed(engine, stream, b"efz")
    parser.end_frame(parser.frames[0], 1)
    assert feed(engine, stream, b"x") == [2]
    assert parser.frames == []


def test_frames_that_are_done_are_told_when_a_record_wants_them():
    engine, _ = with_frames()
    engine.log_frames()
    stream = flow(6, "tls", [])
    parser = stream.app.parser
    parser.wanted_frames = frozenset(("hdr", "pdu"))
    feed(engine, stream, b"..a")
    parser.note_frame("hdr", 0, 1, 3, 4)
    assert engine.frames == []
    feed(engine, stream, b"bcd")
    told = {"type": "hdr", "direction": "toserver", "stream_offset": 2, "length": 3, "tx_id": 4}
    assert engine.frames == [("tls", {"id": 2, "complete": True, "payload": b"abc", **told})]
    feed(engine, stream, b"e")
    assert engine.frames == []


def test_the_bytes_of_open_frames_are_kept_within_bounds():
    engine, _ = with_frames(
        'alert tls any any -> any any (frame:pdu; content:"start"; content:"end"; distance:0;)'
    )
    stream = flow(6, "tls", [])
    stream.app.parser.wanted_frames = frozenset(("pdu",))
    feed(engine, stream, b"start")
    stream.app.parser.note_frame("pdu", 0, 5)
    feed(engine, stream, bytes(100_000))
    assert feed(engine, stream, b"end") == [1]
    for _ in range(20):
        feed(engine, stream, bytes(100_000))
    assert len(stream.detect.tails[0].data) <= 300_000


def test_frames_of_datagrams():
    engine, _ = with_frames('alert tls any any -> any any (frame:pdu; content:"abc"; startswith; endswith;)')
    stream = flow(17, "tls", [])
    parser = stream.app.parser
    parser.wanted_frames = frozenset(("pdu",))
    for payload, expected in ((b"xabc", [1]), (b"abcx", [])):
        stream.app.position[0] += 4
        parser.received[0] = stream.app.position[0]
        parser.note_frame("pdu", 0, 3, 3)
        (match,) = found.matches if (found := engine.inspect(packet(payload), stream, NOW)) else (None,)
        assert ([match.rule.sid] if match else []) == expected
        if match:
            assert match.context["frame"]["payload"] == b"abc"


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        ('alert tls any any -> any any (frame:data; content:"a";)', "frame"),
        ('alert tls any any -> any any (frame:pdu; content:"a"; frame:hdr; content:"b";)', "frame"),
        ('alert ssh any any -> any any (frame:pdu; content:"a";)', "frame"),
    ],
)
def test_refused(body, keyword):
    assert with_frames(body)[1] == [keyword]


def test_the_number_of_waiting_frames_is_bounded():
    parser = flow(6, "tls", []).app.parser
    parser.wanted_frames = frozenset(("pdu",))
    for _ in range(FRAMES_LIMIT * 2):
        parser.note_frame("pdu", 0, 0)
    assert len(parser.frames) == FRAMES_LIMIT


HELLO = b"\x16\x03\x01\x00\x02\x01\x00"
REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
KEX = b"\x00\x00\x00\x06\x01\x14abcd"
CASES = [
    ("tls", 443, HELLO * 2, [("hdr", 0, 5), ("pdu", 0, 7), ("hdr", 7, 5), ("pdu", 7, 7)]),
    ("http", 80, REQUEST * 2, [("request", 0, len(REQUEST)), ("request", len(REQUEST), len(REQUEST))]),
    ("ssh", 22, b"SSH-2.0-x\r\n" + KEX, [("record.hdr", 11, 6), ("record.pdu", 11, 10)]),
]


@pytest.mark.parametrize(("protocol", "port", "data", "expected"), CASES)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_parsers_find_their_frames_however_the_bytes_are_cut(protocol, port, data, expected, size):
    wanted = frozenset(name for name, _, _ in expected)
    assert wanted <= registry.frames(protocol)
    layer, stream = AppLayer(AppSettings(frames=wanted)), flow(6)
    stream.app, stream.sport = None, port
    for at in range(0, len(data), size):
        layer.data(stream, Chunk(0, at, data[at : at + size]), NOW)
    layer.end(stream, 0, NOW)
    found = [(frame.name, frame.offset, frame.length) for frame in stream.app.parser.frames]
    assert found == expected
