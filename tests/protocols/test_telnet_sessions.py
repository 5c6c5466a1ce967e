"""Telnet: what is negotiated, where its frames are, and what is no telnet."""

from __future__ import annotations

import pytest
from hypothesis import given
from parser_tools import SIZES, cut, picture, play

from appliance.config.settings import AppSettings
from appliance.model.chunk import Chunk
from appliance.model.flow import Flow
from appliance.model.packet import PROTO_TCP
from appliance.protocols.session import AppLayer
from appliance.protocols.telnet import TelnetParser
from appliance.protocols.telnet.parser import MAX_SUBNEGOTIATION

CLIENT, SERVER = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
SESSION = [
    (1, b"\xff\xfd\x18\xff\xfb\x03"),
    (0, b"\xff\xfb\x18\xff\xfb\xc8\xff\xfa\x1f\x00P\xff\xff\x18\xff\xf0"),
    (0, b"\xff\xfa\x18\x00xterm\xff\xf0"),
    (1, b"Debian\r\nlogin: "),
    (0, b"root\r\0id\r\n"),
]


def layer() -> AppLayer:
    return AppLayer(AppSettings(frames=frozenset(("pdu", "ctl", "data"))))


def frames(turns, port=23):
    """Give the frames of a flow as (name, direction, offset, length)."""
    app, flow = layer(), Flow(PROTO_TCP, CLIENT, SERVER, 40_000, port)
    offsets = [0, 0]
    for direction, data in turns:
        app.data(flow, Chunk(direction, offsets[direction], data), 1)
        offsets[direction] += len(data)
    parser = flow.app.parser
    found = {(f.name, f.direction, f.offset, f.length) for f in parser.frames if f.name != "pdu"}
    whole = {f[1:] for f in found}
    assert {(f.direction, f.offset, f.length) for f in parser.frames if f.name == "pdu"} == whole
    return found


def test_options_and_terminal():
    told = play(TelnetParser, SESSION).tx.log()
    assert told == {
        "client": {"options": ["terminal_type", "200"]},
        "server": {"options": ["suppress_go_ahead"]},
        "terminal": "xterm",
    }


def test_frames():
    assert frames(SESSION) == {
        ("ctl", 1, 0, 3),
        ("ctl", 1, 3, 3),
        ("ctl", 0, 0, 3),
        ("ctl", 0, 3, 3),
        ("ctl", 0, 6, 10),
        ("ctl", 0, 16, 11),
        ("data", 1, 6, 8),
        ("data", 1, 14, -1),
        ("data", 0, 27, 6),
        ("data", 0, 33, 4),
    }


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    turns = cut(SESSION, sizes)
    assert picture(play(TelnetParser, turns)) == picture(play(TelnetParser, SESSION))
    assert frames(turns) == frames(SESSION)


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (b"\xff\x10", "invalid_command"),
        (b"\xff\xfa\x18" + b"x" * (MAX_SUBNEGOTIATION + 1), "subnegotiation_too_long"),
    ],
)
def test_events(said, event):
    telnet = play(TelnetParser, [(0, said)])
    assert telnet.tx.events == [event]
    assert telnet.failed == (event == "subnegotiation_too_long")


def test_goes_on_behind_a_hole():
    telnet = TelnetParser()
    telnet.data(0, b"\xff\xfa\x18\x00xt")
    telnet.gap(0, 10)
    telnet.data(0, b"\xff\xfb\x01")
    assert telnet.tx.log() == {"client": {"options": ["echo"]}}


@pytest.mark.parametrize(
    ("port", "direction", "said", "name"),
    [
        (23, 1, b"\xff\xfd\x18", "telnet"),
        (2323, 1, b"\xff\xfd\x18\xff\xfb\x03", "telnet"),
        (23, 1, b"Welcome\r\nlogin: ", "telnet"),
        (2323, 1, b"Welcome\r\nlogin: ", ""),
        (23, 0, b"\xff\xd8\xff\xe0", ""),
    ],
)
def test_recognised(port, direction, said, name):
    app, flow = layer(), Flow(PROTO_TCP, CLIENT, SERVER, 40_000, port)
    app.data(flow, Chunk(direction, 0, said), 1)
    assert flow.app_proto == name
