"""Streams with holes: nothing matches across one, and what stands before it is not passed over."""

from detect_world import NOW, detector, flow, sids, tcp
from test_frames import with_frames

from appliance.detect.state import PENDING_LIMIT, PIECES, StreamTail
from appliance.model.chunk import Chunk


def test_what_stands_before_a_hole_is_inspected():
    engine = detector(
        'alert tcp any any -> any 80 (content:"before";)',
        'alert tcp any any -> any 80 (content:"after";)',
        'alert tcp any any -> any 80 (content:"beforeafter";)',
    )
    stream = flow()
    engine.stream_data(stream, Chunk(0, 0, b"xbefore"))
    engine.stream_data(stream, Chunk(0, 7, b"after", 4))
    assert sids(engine.inspect(tcp(), stream, NOW)) == [1, 2]
    assert sids(engine.inspect(tcp(), stream, NOW)) == []
    assert stream.detect.tails[0].shown(100) == b"xbefore[4 bytes missing]after"


def test_a_rule_does_not_match_again_on_what_it_has_used():
    engine, stream = detector('alert tcp any any -> any 80 (content:"once";)'), flow()
    engine.stream_data(stream, Chunk(0, 0, b"once"))
    assert sids(engine.inspect(tcp(), stream, NOW)) == [1]
    engine.stream_data(stream, Chunk(0, 4, b"more"))
    engine.stream_data(stream, Chunk(0, 8, b"else", 2))
    assert sids(engine.inspect(tcp(), stream, NOW)) == []


def test_a_frame_before_a_hole_is_inspected():
    engine, _ = with_frames(
        'alert tls any any -> any any (frame:pdu; content:"abc"; startswith;)',
        'alert tls any any -> any any (frame:hdr; content:"abc"; endswith;)',
        'alert tls any any -> any any (frame:pdu; content:"z";)',
    )
    stream = flow(6, "tls", [])
    parser = stream.app.parser
    parser.wanted_frames = frozenset(("hdr", "pdu"))
    engine.stream_data(stream, Chunk(0, 0, b".abc"))
    parser.received[0] = 4
    parser.note_frame("pdu", 0, 3, 9)
    parser.note_frame("hdr", 0, 3, 3)
    engine.stream_data(stream, Chunk(0, 4, b"xyz", 3))
    parser.received[0] = 10
    assert sids(engine.inspect(tcp(), stream, NOW)) == [1, 2, 3]
    assert parser.frames == []


def test_pieces_are_bounded():
    tail = StreamTail()
    for number in range(4 * PIECES):
        tail.add(Chunk(0, 2 * number, b"x", 1))
    assert len(tail.earlier) == PIECES
    assert tail.lost == 3 * PIECES - 1
    tail.settle(8)
    assert [piece.base for piece in tail.earlier] == [tail.end - 2 * n - 1 for n in (3, 2, 1)]
    big = StreamTail()
    for number in range(8):
        big.add(Chunk(0, number * PENDING_LIMIT, bytes(PENDING_LIMIT // 2), 1))
    assert sum(len(piece.data) for piece in big.earlier) <= PENDING_LIMIT
