"""VNC handshakes of all three versions, and what may go wrong in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from parser_tools import SIZES, cut, exercise, hurt, picture, play

from appliance.protocols.rfb import SPEC
from appliance.protocols.rfb.parser import RfbParser
from appliance.protocols.rfb.transaction import is_result

FORMAT = bytes([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0])
INIT = b"\x05\x00\x03\x20" + FORMAT + b"\0\0\0\4desk"
V3, V7, V8 = b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"
VNC = [(1, bytes(range(16))), (0, bytes(16))]
TURNS = [
    (1, V8),
    (0, V8),
    (1, b"\2\1\2"),
    (0, b"\2"),
    *VNC,
    (1, b"\0\0\0\0"),
    (0, b"\1"),
    (1, INIT + b"\0 screen"),
    (0, b"\3 more"),
]


def test_a_session():
    rfb = play(RfbParser, TURNS)
    tx = rfb.tx
    assert tx.done
    assert tx.buffer("rfb.name", 1) == b"desk"
    assert (tx.value("rfb.sectype"), tx.value("rfb.secresult")) == (2, 0)
    body = tx.log()
    assert body["server_protocol_version"] == {"major": "003", "minor": "008"}
    assert body["authentication"]["vnc"]["challenge"] == bytes(range(16)).hex()
    assert body["authentication"]["security_result"] == "OK"
    assert body["screen_shared"] is True
    assert (body["framebuffer"]["width"], body["framebuffer"]["height"]) == (1280, 800)
    assert body["framebuffer"]["pixel_format"]["red_shift"] == 16
    rfb.gap(0, 9)
    assert not rfb.failed


@pytest.mark.parametrize(
    ("turns", "known"),
    [
        ([(1, V3), (0, V3), (1, b"\0\0\0\1"), (0, b"\0"), (1, INIT)], {"screen_shared"}),
        ([(1, V8), (0, V3), (1, b"\0\0\0\0\0\0\0\2no")], {"server_security_failure_reason"}),
        ([(1, V8), (0, V7), (1, b"\1\1"), (0, b"\1\0"), (1, INIT)], {"framebuffer"}),
        ([(1, V8), (0, V8), (1, b"\1\1"), (0, b"\1"), (1, b"\0\0\0\1\0\0\0\2no")], {"authentication"}),
        ([(1, V8), (0, V8), (1, b"\0\0\0\0\2no")], {"server_security_failure_reason"}),
        ([(1, V7), (0, V7), (1, b"\1\2"), (0, b"\2"), *VNC, (1, b"\0\0\0\2")], {"authentication"}),
    ],
)
def test_other_ways(turns, known):
    tx = play(RfbParser, turns).tx
    assert tx.done
    assert not tx.events
    assert known <= tx.log().keys()


@pytest.mark.parametrize(
    ("turns", "event"),
    [
        ([(1, b"RFB 00x.008\n")], "malformed_message"),
        ([(1, V8), (0, V8), (1, b"\1\x1e"), (0, b"\x1e")], "unimplemented_security_type"),
        ([(1, V8), (0, V8), (1, b"\1\1"), (0, b"\1"), (1, b"\0\0\0\7")], "unknown_security_result"),
        ([(1, V8), (0, V8), (1, b"\0\xff\xff\xff\xff")], "malformed_message"),
        ([(0, bytes(150_000))], "confused_state"),
    ],
)
def test_events(turns, event):
    tx = play(RfbParser, turns).tx
    assert tx.events == [event]
    assert tx.done


@pytest.mark.parametrize(
    ("value", "argument", "held"),
    [
        (0, "ok", True),
        (1, "fail", True),
        (2, "toomany", True),
        (7, "unknown", True),
        (7, "7", True),
        (1, "ok", False),
    ],
)
def test_results_of_security(value, argument, held):
    assert is_result(value, argument) is held


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(RfbParser, cut(TURNS, sizes))) == picture(play(RfbParser, TURNS))


@given(hurt(TURNS))
def test_no_bytes_raise(turns):
    rfb = play(RfbParser, turns)
    exercise(rfb, SPEC)
    rfb.gap(0, 5)
    rfb.end(0)
    exercise(rfb, SPEC)
