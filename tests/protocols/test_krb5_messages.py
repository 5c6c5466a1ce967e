"""Kerberos: messages of our own making, any chunking, any bytes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocols import krb5
from appliance.protocols.krb5.parser import MAX_MESSAGE, KrbParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    return bytes((tag, 0x82)) + len(body).to_bytes(2, "big") + body


def number(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(2, "big", signed=True))


def name(*parts: bytes) -> bytes:
    strings = b"".join(tlv(0x1B, part) for part in parts)
    return tlv(0x30, tlv(0xA0, number(1)), tlv(0xA1, tlv(0x30, strings)))


def realm(text: bytes) -> bytes:
    return tlv(0x1B, text)


def sealed(kind: int) -> bytes:
    return tlv(0x30, tlv(0xA0, number(kind)), tlv(0xA2, tlv(0x04, b"secret")))


def request(kind: int = 10) -> bytes:
    body = tlv(
        0x30,
        tlv(0xA1, name(b"alice")),
        tlv(0xA2, realm(b"EXAMPLE.ORG")),
        tlv(0xA3, name(b"krbtgt", b"EXAMPLE.ORG")),
    )
    return tlv(0x60 | kind, tlv(0x30, tlv(0xA1, number(5)), tlv(0xA2, number(kind)), tlv(0xA4, body)))


def reply(kind: int = 13, encryption: int = 18, ticket: int = 23) -> bytes:
    shown = tlv(
        0x30, tlv(0xA1, realm(b"EXAMPLE.ORG")), tlv(0xA2, name(b"http", b"web")), tlv(0xA3, sealed(ticket))
    )
    fields = (
        tlv(0xA0, number(5)),
        tlv(0xA1, number(kind)),
        tlv(0xA3, realm(b"EXAMPLE.ORG")),
        tlv(0xA4, name(b"alice")),
        tlv(0xA5, tlv(0x61, shown)),
        tlv(0xA6, sealed(encryption)),
    )
    return tlv(0x60 | kind, tlv(0x30, *fields))


def error(code: int = 25) -> bytes:
    fields = (
        tlv(0xA0, number(5)),
        tlv(0xA1, number(30)),
        tlv(0xA6, number(code)),
        tlv(0xA9, realm(b"EXAMPLE.ORG")),
        tlv(0xAA, name(b"krbtgt", b"EXAMPLE.ORG")),
    )
    return tlv(0x7E, tlv(0x30, *fields))


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def opened(proto: int = 6) -> KrbParser:
    parser = KrbParser()
    parser.open(SimpleNamespace(proto=proto), None, None)
    return parser


def logs(parser: KrbParser) -> list[dict[str, Any]]:
    return [body for tx in parser.transactions for body in tx.records({})]


def test_request_and_reply() -> None:
    parser = opened(17)
    parser.data(0, request(12))
    parser.data(1, reply())
    first, second = parser.transactions
    assert first.log()["msg_type"] == "KRB_TGS_REQ"
    assert first.log()["encryption"] == "<none>"
    assert first.buffer("krb5.sname", 0) == [b"krbtgt", b"EXAMPLE.ORG"]
    assert first.skip == [False, True]
    assert second.log() == {
        "msg_type": "KRB_TGS_REP",
        "cname": "alice",
        "realm": "EXAMPLE.ORG",
        "sname": "http/web",
        "encryption": "aes256-cts-hmac-sha1-96",
        "weak_encryption": False,
        "ticket_encryption": "rc4-hmac",
        "ticket_weak_encryption": True,
    }
    assert second.value("krb5.ticket_encryption") == 23
    assert second.events == []


def test_error_names_the_request_that_failed() -> None:
    parser = opened()
    parser.data(0, framed(request()))
    parser.data(1, framed(error()))
    body = parser.transactions[1].log()
    assert (body["msg_type"], body["failed_request"]) == ("KRB_ERROR", "KRB_AS_REQ")
    assert body["error_code"] == "KDC_ERR_PREAUTH_REQUIRED"
    assert body["cname"] == "<empty>"
    assert parser.transactions[1].value("krb5_err_code") == 25


def test_weak_session_key_is_an_event() -> None:
    parser = opened(17)
    parser.data(1, reply(11, encryption=23))
    assert parser.transactions[0].events == ["weak_encryption"]


@pytest.mark.parametrize(
    "raw",
    [
        b"x",
        request()[:-3],
        b"\x6a\x02\x30\x00",
        request(10).replace(b"\x00\x0a", b"\x00\x0c"),
        b"\x6a\x80\x30",
    ],
)
def test_malformed_messages_are_events_and_no_records(raw: bytes) -> None:
    parser = opened(17)
    parser.data(0, raw)
    assert parser.transactions[0].events == ["malformed_data"]
    assert logs(parser) == []


def test_messages_in_one_segment_and_after_one_too_long() -> None:
    long = (MAX_MESSAGE + 1).to_bytes(4, "big") + bytes(MAX_MESSAGE + 1)
    parser = opened()
    parser.data(0, framed(request()) + long + framed(request(12)))
    assert [body["msg_type"] for body in logs(parser)] == ["KRB_AS_REQ", "KRB_TGS_REQ"]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (framed(request()), PROBE_YES),
        (framed(error()), PROBE_YES),
        (framed(request())[:6], PROBE_MAYBE),
        (b"\0\0\0\xff" + request(), PROBE_NO),
        (b"GET / HTTP/1.1\r\n\r\n", PROBE_NO),
    ],
)
def test_probe(data: bytes, answer: int) -> None:
    assert krb5.probe_stream(data) == answer


_STREAM = framed(request()) + framed(reply()) + framed(b"junk") + framed(error())


@settings(max_examples=50)
@given(st.lists(st.integers(0, len(_STREAM)), max_size=8))
def test_any_chunking_is_the_same(cuts: list[int]) -> None:
    whole, cut = opened(), opened()
    whole.data(1, _STREAM)
    places = [0, *sorted(cuts), len(_STREAM)]
    for start, stop in itertools.pairwise(places):
        cut.data(1, _STREAM[start:stop])
    assert logs(whole) == logs(cut)
    assert [tx.events for tx in whole.transactions] == [tx.events for tx in cut.transactions]


@given(st.sampled_from((request(), reply(), error())), st.data())
def test_never_raises_on_mutated_messages(message: bytes, data: st.DataObject) -> None:
    raw = bytearray(message)
    for _ in range(3):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for proto in (6, 17):
        parser = opened(proto)
        parser.data(1, framed(bytes(raw)) if proto == 6 else bytes(raw))
        for tx in parser.transactions:
            tx.log()
            tx.buffer("krb5.cname", 1)
            tx.value("krb5.weak_encryption")
