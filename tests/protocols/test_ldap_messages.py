"""LDAP: messages of our own making, STARTTLS, limits, any chunking, any bytes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.app import COMPLETE
from appliance.protocols import ldap
from appliance.protocols.ldap.parser import MAX_FLOW, MAX_MESSAGE, LdapParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    return bytes((tag, 0x84)) + len(body).to_bytes(4, "big") + body


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def number(value: int, tag: int = 0x02) -> bytes:
    return tlv(tag, value.to_bytes(2, "big"))


def message(ident: int, operation: bytes) -> bytes:
    return tlv(0x30, number(ident), operation)


def attribute(kind: bytes, *values: bytes) -> bytes:
    return tlv(0x30, octets(kind), tlv(0x31, *(octets(value) for value in values)))


def result(tag: int, code: int = 0, *more: bytes) -> bytes:
    return tlv(tag, number(code, 0x0A), octets(b"dc=x"), octets(b"told"), *more)


SEARCH = tlv(
    0x63,
    octets(b"dc=example"),
    number(2, 0x0A),
    number(0, 0x0A),
    number(10),
    number(5),
    tlv(0x01, b"\0"),
    tlv(0x87, b"objectClass"),
    tlv(0x30, octets(b"cn"), octets(b"mail")),
)
ENTRY = tlv(0x64, octets(b"cn=a,dc=example"), tlv(0x30, attribute(b"cn", b"a", b"b")))
START_TLS = tlv(0x77, tlv(0x80, b"1.3.6.1.4.1.1466.20037"))


def opened(proto: int = 6, **options: Any) -> LdapParser:
    parser = LdapParser(options)
    parser.open(SimpleNamespace(proto=proto), None, None)
    return parser


def logs(parser: LdapParser) -> list[dict[str, Any]]:
    return [body for tx in parser.transactions for body in tx.records({})]


def test_search_with_its_responses() -> None:
    parser = opened()
    parser.data(0, message(7, SEARCH))
    parser.data(1, message(7, ENTRY) + message(7, ENTRY))
    (tx,) = parser.transactions
    assert not tx.done
    assert tx.value("ldap.responses.count") is None
    parser.data(1, message(7, result(0x65, 4)))
    assert tx.done
    assert tx.log()["request"] == {
        "operation": "search_request",
        "message_id": 7,
        "search_request": {
            "base_object": "dc=example",
            "scope": "whole_subtree",
            "deref_alias": "never_deref_aliases",
            "size_limit": 10,
            "time_limit": 5,
            "types_only": False,
            "attributes": ["cn", "mail"],
        },
    }
    assert tx.log()["responses"][2] == {
        "operation": "search_result_done",
        "message_id": 7,
        "search_result_done": {
            "result_code": "size_limit_exceeded",
            "matched_dn": "dc=x",
            "message": "told",
        },
    }
    assert tx.value("ldap.responses.count") == 3
    assert tx.value("ldap.responses.operation") == [4, 4, 5]
    assert tx.value("ldap.responses.result_code") == [None, None, 4]
    assert tx.buffer("ldap.responses.dn", 1) == [b"cn=a,dc=example", b"cn=a,dc=example", b"dc=x"]
    assert tx.buffer("ldap.request.attribute_type", 0) == [b"cn", b"mail"]


_CHANGE = tlv(0x30, number(2, 0x0A), attribute(b"mail", b"x@y"))
_ASSERTION = tlv(0x30, octets(b"cn"), octets(b"a"))


@pytest.mark.parametrize(
    ("operation", "name", "body"),
    [
        (
            tlv(0x60, number(3), octets(b"cn=me"), tlv(0x80, b"pw")),
            "bind_request",
            {"version": 3, "name": "cn=me"},
        ),
        (
            tlv(0x60, number(3), octets(b""), tlv(0xA3, octets(b"PLAIN"), octets(b"tok"))),
            "bind_request",
            {"version": 3, "name": "", "sasl": {"mechanism": "PLAIN", "credentials": "tok"}},
        ),
        (
            tlv(0x66, octets(b"cn=a"), tlv(0x30, _CHANGE)),
            "modify_request",
            {
                "object": "cn=a",
                "changes": [
                    {
                        "operation": "replace",
                        "modification": {"attribute_type": "mail", "attribute_values": ["x@y"]},
                    }
                ],
            },
        ),
        (
            tlv(0x68, octets(b"cn=a"), tlv(0x30, attribute(b"sn", b"v"))),
            "add_request",
            {"entry": "cn=a", "attributes": [{"name": "sn", "values": ["v"]}]},
        ),
        (tlv(0x4A, b"cn=a"), "del_request", {"dn": "cn=a"}),
        (
            tlv(0x6C, octets(b"cn=a"), octets(b"cn=b"), tlv(0x01, b"\xff"), tlv(0x80, b"dc=z")),
            "mod_dn_request",
            {"entry": "cn=a", "new_rdn": "cn=b", "delete_old_rdn": True, "new_superior": "dc=z"},
        ),
        (
            tlv(0x6E, octets(b"cn=a"), _ASSERTION),
            "compare_request",
            {"entry": "cn=a", "attribute_value_assertion": {"description": "cn", "value": "a"}},
        ),
        (tlv(0x50, b"\x05"), "abandon_request", {"message_id": 5}),
        (tlv(0x42), "unbind_request", None),
    ],
)
def test_requests(operation: bytes, name: str, body: dict[str, Any] | None) -> None:
    parser = opened()
    parser.data(0, message(1, operation))
    request = parser.transactions[0].log()["request"]
    assert request["operation"] == name
    assert request.get(name) == body
    assert parser.transactions[0].done == (name in {"abandon_request", "unbind_request"})


def test_start_tls_hands_over_what_follows() -> None:
    parser = opened()
    parser.data(0, message(1, START_TLS))
    parser.data(0, b"\x16\x03\x01")
    assert not parser.upgrade
    parser.data(1, message(1, result(0x78)) + b"\x16\x03\x03")
    assert parser.upgrade == "tls"
    assert parser.upgrade_data == (b"\x16\x03\x01", b"\x16\x03\x03")


def test_refused_start_tls_goes_on_with_ldap() -> None:
    parser = opened()
    parser.data(0, message(1, START_TLS) + message(2, SEARCH))
    parser.data(1, message(1, result(0x78, 2)))
    assert not parser.upgrade
    assert [tx.value("ldap.request.operation") for tx in parser.transactions] == [23, 3]


def test_responses_that_nobody_asked_for() -> None:
    parser = opened()
    parser.data(1, message(0, result(0x78, 52, tlv(0x8A, b"1.3.6.1.4.1.1466.20036"))))
    parser.data(1, message(9, result(0x65)))
    assert [tx.events for tx in parser.transactions] == [[], ["request_not_found"]]
    assert all(tx.skip[0] and tx.done for tx in parser.transactions)


def test_waiting_requests_are_bounded() -> None:
    parser = opened(6, **{"max-tx": 2})
    for ident in range(4):
        parser.data(0, message(ident + 1, SEARCH))
    assert [tx.events for tx in parser.transactions] == [["too_many_transactions"]] * 2 + [[], []]


def test_bytes_kept_are_bounded() -> None:
    parser = opened()
    big = tlv(0x64, octets(b"cn=a"), tlv(0x30, attribute(b"photo", bytes(200_000))))
    for ident in range(1, 20):
        parser.data(0, message(ident, SEARCH))
        for _ in range(4):
            parser.data(1, message(ident, big))
    kept = [sum(one.size for one in tx.responses) for tx in parser.transactions]
    assert [tx.count for tx in parser.transactions] == [4] * 19
    assert max(kept) < 1 << 19
    assert sum(kept) <= MAX_FLOW


@pytest.mark.parametrize(
    ("proto", "raw", "event"),
    [
        (6, b"\x16\x03\x01\x00", "invalid_data"),
        (6, message(1, tlv(0x7E, b"")), "invalid_data"),
        (6, message(1, tlv(0x63, octets(b"only"))), "invalid_data"),
        (6, b"\x30\x84\x7f\xff\xff\xff", "invalid_data"),
        (17, message(1, SEARCH)[:-1], "incomplete_data"),
    ],
)
def test_malformed(proto: int, raw: bytes, event: str) -> None:
    parser = opened(proto)
    parser.data(0, raw)
    assert [tx.events for tx in parser.transactions] == [[event]]
    assert logs(parser) == []
    assert parser.transactions[0].progress == [COMPLETE, COMPLETE]


def test_sealed_stream_after_sasl_is_let_go() -> None:
    parser = opened()
    parser.data(0, message(1, tlv(0x60, number(3), octets(b""), tlv(0xA3, octets(b"GSSAPI")))))
    parser.data(1, message(1, result(0x61)))
    parser.data(0, b"\x00\x00\x00\x40" + bytes(64))
    assert parser.bypass
    assert len(parser.transactions) == 1


def test_message_too_long_is_skipped() -> None:
    parser = opened()
    parser.data(0, tlv(0x30, bytes(MAX_MESSAGE + 1)) + message(2, SEARCH))
    assert [tx.events for tx in parser.transactions] == [["invalid_data"], []]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (message(1, SEARCH), PROBE_YES),
        (message(1, tlv(0x42)), PROBE_YES),
        (message(1, SEARCH)[:4], PROBE_MAYBE),
        (message(1, ENTRY), PROBE_NO),
        (b"\x30\x80\x02\x01\x01\x63", PROBE_NO),
        (b"GET /", PROBE_NO),
    ],
)
def test_probe(data: bytes, answer: int) -> None:
    assert ldap.probe_request(data) == answer


_STREAM = (
    message(1, ENTRY)
    + message(2, tlv(0x64, b"x"))
    + message(1, result(0x65))
    + message(0, result(0x78))
    + b"\0"
)


@settings(max_examples=50)
@given(st.lists(st.integers(0, len(_STREAM)), max_size=8))
def test_any_chunking_is_the_same(cuts: list[int]) -> None:
    whole, cut = opened(), opened()
    for parser in (whole, cut):
        parser.data(0, message(1, SEARCH))
    whole.data(1, _STREAM)
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(_STREAM)]):
        cut.data(1, _STREAM[start:stop])
    assert logs(whole) == logs(cut)
    assert [tx.events for tx in whole.transactions] == [tx.events for tx in cut.transactions]


@given(st.sampled_from((SEARCH, ENTRY, START_TLS, result(0x65))), st.data())
def test_never_raises_on_mutated_messages(operation: bytes, data: st.DataObject) -> None:
    raw = bytearray(message(1, operation))
    for _ in range(3):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for proto, direction in ((6, 0), (6, 1), (17, 0)):
        parser = opened(proto)
        parser.data(direction, bytes(raw))
        for tx in parser.transactions:
            tx.log()
            for name in ("ldap.request.dn", "ldap.responses.dn", "ldap.responses.attribute_type"):
                tx.buffer(name, direction)


@given(st.binary(max_size=80))
def test_never_raises_on_any_bytes(data: bytes) -> None:
    ldap.probe_request(data)
    ldap.probe_response(data)
    opened().data(1, data)
