"""SIP: start lines, headers, session descriptions, streams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_tools import SIZES, UDP, cut, exercise, hurt, picture, play

from appliance.protocols.sip import SPEC
from appliance.protocols.sip.message import probe, start_line
from appliance.protocols.sip.parser import SipParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

SDP = (
    b"v=0\r\no=ann 1 2 IN IP4 192.0.2.1\r\ns=talk\r\ni=about\r\nu=http://x.example\r\ne=a@x.example\r\n"
    b"p=+1 23\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=1 2\r\nr=604800 3600 0\r\nt=3 4\r\nz=5 -1h\r\n"
    b"k=clear:k\r\na=recvonly\r\nm=audio 49170 RTP/AVP 0\r\ni=voice\r\nc=IN IP4 192.0.2.2\r\nk=prompt\r\n"
    b"a=rtpmap:0 PCMU\r\nm=video 51372 RTP/AVP 31\r\n"
)
INVITE = (
    b"INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z\r\nv: SIP/2.0/UDP b\r\n"
    b"f: Ann <sip:ann@a.example>\r\nTo: Bob\r\n\t<sip:bob@b.example>\r\nUser-Agent: phone 1\r\n"
    b"c: application/sdp;x=y\r\nContent-Length: %d\r\n\r\n" % len(SDP)
) + SDP
OK = b"SIP/2.0 200 All is well\r\nTo: x\r\nl: 0\r\n\r\n"
TURNS = [(0, INVITE + b"\r\n\r\n" + INVITE), (1, OK), (0, b"ACK sip:bob SIP/2.0\nl: 3\n\nabc"), (1, OK)]


def test_a_request_and_its_description():
    (tx,) = play(SipParser, [(0, INVITE)], UDP).transactions
    wanted = {
        "sip.method": b"INVITE",
        "sip.uri": b"sip:bob@b.example",
        "sip.protocol": b"SIP/2.0",
        "sip.request_line": b"INVITE sip:bob@b.example SIP/2.0",
        "sip.stat_code": None,
        "sip.via": [b"SIP/2.0/TCP a;branch=z", b"SIP/2.0/UDP b"],
        "sip.from": [b"Ann <sip:ann@a.example>"],
        "sip.to": [b"Bob <sip:bob@b.example>"],
        "sip.user_agent": [b"phone 1"],
        "sip.content_type": [b"application/sdp;x=y"],
        "sdp.origin": [b"ann 1 2 IN IP4 192.0.2.1"],
        "sdp.session_name": [b"talk"],
        "sdp.session_info": [b"about"],
        "sdp.bandwidth": [b"AS:64"],
        "sdp.time": [b"1 2", b"3 4"],
        "sdp.repeat_time": [b"604800 3600 0"],
        "sdp.timezone": [b"5 -1h"],
        "sdp.encryption_key": [b"clear:k"],
        "sdp.attribute": [b"recvonly"],
        "sdp.media.media": [b"audio 49170 RTP/AVP 0", b"video 51372 RTP/AVP 31"],
        "sdp.media.media_info": [b"voice"],
        "sdp.media.connection_data": [b"IN IP4 192.0.2.2"],
    }
    assert {name: tx.buffer(name, 0) for name in wanted} == wanted
    body = tx.log()
    assert body["sdp"]["media_descriptions"][0]["attributes"] == ["rtpmap:0 PCMU"]
    assert body["sdp"]["time_descriptions"] == [
        {"time": "1 2", "repeat_time": "604800 3600 0"},
        {"time": "3 4"},
    ]
    assert tx.events == []
    assert tx.skip == [False, True]


def test_a_response():
    (tx,) = play(SipParser, [(1, OK)], UDP).transactions
    assert tx.log() == {
        "version": "SIP/2.0",
        "code": "200",
        "reason": "All is well",
        "response_line": "SIP/2.0 200 All is well",
    }
    assert tx.buffer("sip.stat_msg", 1) == b"All is well"
    assert tx.buffer("sip.method", 1) is None


def test_requests_of_the_called_side_are_inspected_but_not_logged():
    (tx,) = play(SipParser, [(1, INVITE)], UDP).transactions
    assert tx.buffer("sip.method", 1) == b"INVITE"
    assert tx.records({}) == []


@pytest.mark.parametrize(
    ("line", "good"),
    [
        (b"REGISTER sip:x SIP/2.0", True),
        (b"SIP/2.0 404 Not Found", True),
        (b"SIP/2.0 404", True),
        (b"OPTIONS * HTTP/1.1", False),
        (b"SIP/2.0 4x4 no", False),
        (b"SIP/2 404 no", False),
        (b"REGISTER SIP/2.0", False),
        (b"", False),
    ],
)
def test_start_lines(line, good):
    assert (start_line(line) is not None) == good
    assert probe(line + b"\r\n") == (PROBE_YES if good else PROBE_NO)
    assert probe(line) == PROBE_MAYBE


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"REGISTER sip:x SIP/2.0\r\nTo: a", "incomplete_data"),
        (b"REGISTER sip:x SIP/2.0\r\nl: 9\r\n\r\nabc", "incomplete_data"),
        (b"REGISTER sip:x SIP/2.0\r\nwithout a colon\r\n\r\n", "invalid_data"),
    ],
)
def test_events(data, event):
    assert play(SipParser, [(0, data)], UDP).transactions[0].events == [event]


def test_what_is_not_sip():
    assert play(SipParser, [(0, b"\r\n\r\n")], UDP).events == []
    assert play(SipParser, [(0, b"something\r\n\r\n")], UDP).events == ["invalid_data"]
    assert play(SipParser, [(0, b"something\r\n\r\n")]).failed
    assert play(SipParser, [(0, b"INVITE " + b"x" * 10_000)]).failed


def test_a_stream_goes_on_after_a_hole():
    sip = play(SipParser, [(0, INVITE[:40])])
    sip.gap(0, 100)
    sip.data(0, b"the rest of it\r\n\r\n")
    sip.data(0, INVITE)
    assert [tx.buffer("sip.method", 0) for tx in sip.transactions] == [b"INVITE"]


def test_the_end_completes_a_body():
    sip = play(SipParser, [(0, INVITE[:-5])])
    sip.end(0)
    assert sip.transactions[0].events == ["incomplete_data"]


def test_bodies_are_not_kept_beyond_the_limit():
    head = b"MESSAGE sip:x SIP/2.0\r\nl: 900000\r\n\r\n"
    sip = play(SipParser, [(0, head), *[(0, bytes(9000))] * 100, (0, INVITE)])
    assert len(sip.transactions) == 2


@given(SIZES)
def test_any_cut_gives_the_same(sizes):
    assert picture(play(SipParser, cut(TURNS, sizes))) == picture(play(SipParser, TURNS))


@given(hurt(TURNS), st.sampled_from((6, UDP)))
def test_no_bytes_raise(turns, proto):
    sip = play(SipParser, turns, proto)
    sip.gap(0, 5)
    sip.end(0)
    exercise(sip, SPEC)
