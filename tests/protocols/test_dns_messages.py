"""DNS: names, records, events and the two transports."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.dns import DnsParser
from appliance.protocols.dns.message import parse
from appliance.protocols.dns.parser import probe, probe_stream
from appliance.protocols.spec import PROBE_NO, PROBE_YES


def name(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def header(
    flags: int = 0x0100, questions: int = 1, answers: int = 0, authorities: int = 0, extra: int = 0
) -> bytes:
    return struct.pack(">HHHHHH", 7, flags, questions, answers, authorities, extra)


ASK = header() + name("www.example.com") + struct.pack(">HH", 1, 1)
TELL = (
    header(0x8180, 1, 2)
    + name("www.example.com")
    + struct.pack(">HH", 1, 1)
    + b"\xc0\x0c"
    + struct.pack(">HHIH", 5, 1, 60, 6)
    + b"\x03web\xc0\x10"
    + b"\xc0\x2d"
    + struct.pack(">HHIH", 1, 1, 60, 4)
    + bytes((10, 0, 0, 1))
)


def parser(proto: int = 17) -> DnsParser:
    made = DnsParser()
    made.open(SimpleNamespace(proto=proto), None, None)
    return made


def test_a_question_and_its_answer_are_two_transactions():
    dns = parser()
    dns.data(0, ASK)
    dns.data(1, TELL)
    ask, tell = dns.transactions
    assert ask.buffer("dns.query", 0) == [b"www.example.com"]
    assert tell.buffer("dns.answers.rrname", 1) == [b"www.example.com", b"web.example.com"]
    assert tell.log()["grouped"] == {"CNAME": ["web.example.com"], "A": ["10.0.0.1"]}
    assert (ask.skip, tell.skip) == ([False, True], [True, False])


@pytest.mark.parametrize(
    ("direction", "raw", "event"),
    [
        (0, TELL, "not_a_request"),
        (1, ASK, "not_a_response"),
        (0, ASK[:-3], "malformed_data"),
        (0, b"\0" * 5, "malformed_data"),
        (0, header(0x0140) + ASK[12:], "z_flag_set"),
        (0, header(0x3900) + ASK[12:], "invalid_opcode"),
        (0, header() + b"\xc0\x0c\0\1\0\1", "infinite_loop"),
        (0, header() + b"\x01a" * 300 + b"\0\0\1\0\1", "too_many_labels"),
        (0, header() + (b"\x3f" + b"a" * 63) * 20 + b"\0\0\1\0\1", "name_too_long"),
        (0, header(authorities=1) + ASK[12:], "invalid_authorities"),
        (0, header(extra=1) + ASK[12:], "invalid_additionals"),
    ],
)
def test_events(direction: int, raw: bytes, event: str):
    dns = parser()
    dns.data(direction, raw)
    assert event in dns.transactions[0].events


def test_thousands_of_pointers_into_a_long_name_do_not_cost_thousands_of_walks():
    long = b"\x01a" * 200 + b"\0"
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 0)
    message = parse(header(0x8180, 1, 5000) + long + b"\0\1\0\1" + record * 5000)
    assert message is not None
    assert "malformed_data" in message.names.events
    assert len(message.answers) < 100


@given(st.lists(st.sampled_from([ASK, TELL, b""]), min_size=1, max_size=5), st.data())
def test_any_cut_of_a_stream_gives_the_same_messages(messages, data):
    stream = b"".join(struct.pack(">H", len(m)) + m for m in messages)
    whole, cut = parser(6), parser(6)
    whole.data(0, stream)
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream)))
        cut.data(0, stream[at : at + size])
        at += size
    assert [t.log() for t in whole.transactions] == [t.log() for t in cut.transactions]
    assert len(whole.transactions) == sum(1 for m in messages if m)


def test_a_stream_goes_on_after_a_hole():
    dns = parser(6)
    framed = struct.pack(">H", len(ASK)) + ASK
    dns.data(0, framed[:9])
    dns.gap(0, 100)
    dns.data(0, framed)
    assert [t.buffer("dns.query", 0) for t in dns.transactions] == [[b"www.example.com"]]


@given(st.binary(max_size=200), st.sampled_from([6, 17]))
def test_no_bytes_raise(raw: bytes, proto: int):
    dns = parser(proto)
    for direction in (0, 1):
        dns.data(direction, raw)
        for tx in dns.transactions:
            tx.log()
            tx.records({"version": 2})
            for kind in ("dns.query", "dns.response.rrname", "dns.answers.rrname"):
                tx.buffer(kind, direction)
    probe(raw)
    probe_stream(raw)


@given(st.integers(0, len(TELL) - 1), st.integers(0, 255))
def test_no_changed_byte_raises(place: int, value: int):
    raw = bytearray(TELL)
    raw[place] = value
    dns = parser()
    dns.data(1, bytes(raw))
    for tx in dns.transactions:
        tx.log()
        tx.buffer("dns.response.rrname", 1)


def test_probing():
    assert probe(ASK) == probe(TELL) == probe_stream(struct.pack(">H", len(ASK)) + ASK) == PROBE_YES
    assert probe(b"GET / HTTP/1.1\r\n\r\n") == PROBE_NO
