"""BitTorrent's hash table: bencoding within limits, and the messages in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import bittorrent_dht
from appliance.protocols.bittorrent_dht.bencode import decode
from appliance.protocols.detection import match_pattern
from appliance.protocols.spec import PROBE_YES

A = b"a" * 20
B = b"b" * 20


def encode(value: Any) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    return b"d" + b"".join(encode(part) for pair in sorted(value.items()) for part in pair) + b"e"


values = st.recursive(
    st.integers(-(10**9), 10**9) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_is_decoded_or_too_deep(value: Any) -> None:
    assert decode(encode(value)) in (value, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i12",
        b"ie",
        b"i1_0e",
        b"5:abc",
        b"99999999:a",
        b"d1:a",
        b"di1ei2ee",
        b"d1:ae",
        b"e",
        b"lee",
        b"l" * 9 + b"e" * 9,
        b"l" + b"0:" * 4096 + b"e",
        b"i1ei2e",
    ],
)
def test_malformed_bencoding(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize(
    ("message", "record"),
    [
        (
            {b"t": b"aa", b"y": b"q", b"q": b"get_peers", b"a": {b"id": A, b"info_hash": B}, b"v": b"UT"},
            {
                "transaction_id": "6161",
                "client_version": "5554",
                "request_type": "get_peers",
                "request": {"id": A.hex(), "info_hash": B.hex()},
            },
        ),
        (
            {
                b"t": b"aa",
                b"y": b"r",
                b"r": {
                    b"id": A,
                    b"nodes": B + b"\x01\x02\x03\x04\x00\x50",
                    b"values": [b"\0" * 15 + b"\x01\0\x51"],
                },
            },
            {
                "transaction_id": "6161",
                "response": {
                    "id": A.hex(),
                    "nodes": [{"id": B.hex(), "ip": "1.2.3.4", "port": 80}],
                    "values": [{"ip": "0000:0000:0000:0000:0000:0000:0000:0001", "port": 81}],
                },
            },
        ),
        (
            {b"t": b"aa", b"y": b"e", b"e": [201, b"no"]},
            {"transaction_id": "6161", "error": {"num": 201, "msg": "no"}},
        ),
    ],
)
def test_records(message: dict[bytes, Any], record: dict[str, Any]) -> None:
    parser = bittorrent_dht.DhtParser()
    parser.data(1, encode(message))
    (tx,) = parser.transactions
    assert tx.log() == record
    assert tx.events == []


@pytest.mark.parametrize(
    "message",
    [
        b"junk",
        encode({b"y": b"q", b"q": b"ping", b"a": {b"id": A}}),
        encode({b"t": b"aa", b"y": b"z"}),
        encode({b"t": b"aa", b"y": b"q", b"q": b"find_node", b"a": {b"id": A}}),
        encode({b"t": b"aa", b"y": b"r", b"r": {}}),
        encode({b"t": b"aa", b"y": b"e", b"e": [b"no", 201]}),
    ],
)
def test_malformed(message: bytes) -> None:
    parser = bittorrent_dht.DhtParser()
    parser.data(0, message)
    assert parser.transactions[0].events == ["malformed_packet"]
    assert "transaction_id" in parser.transactions[0].log()


def test_recognised_by_its_beginning() -> None:
    raw = encode({b"t": b"aa", b"y": b"q", b"q": b"ping", b"a": {b"id": A}})
    patterns = bittorrent_dht.SPECS[0].patterns[0]
    assert PROBE_YES in [match_pattern(pattern, raw) for pattern in patterns]


@given(st.binary(max_size=60))
def test_never_raises(data: bytes) -> None:
    decode(data)
    parser = bittorrent_dht.DhtParser()
    parser.data(0, b"d1:ad2:id20:" + data)
    parser.transactions[0].log()
