"""IKE: proposals of both versions, keys, weak algorithms, chains that are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols import ike
from appliance.protocols.spec import PROBE_NO, PROBE_YES

CLIENT, SERVER = b"\x11" * 8, b"\x22" * 8


def payload(following: int, body: bytes) -> bytes:
    return bytes((following, 0)) + (len(body) + 4).to_bytes(2, "big") + body


def chained(*parts: tuple[int, bytes]) -> tuple[int, bytes]:
    """Give the type of the first payload and all of them."""
    kinds = [kind for kind, _ in parts] + [0]
    return kinds[0], b"".join(payload(kinds[i + 1], body) for i, (_, body) in enumerate(parts))


def message(
    *parts: tuple[int, bytes], version: int = 1, exchange: int = 2, flags: int = 0, server: bytes = bytes(8)
) -> bytes:
    first, body = chained(*parts)
    head = CLIENT + server + bytes((first, version << 4, exchange, flags)) + bytes(4)
    return head + (28 + len(body)).to_bytes(4, "big") + body


def attribute(kind: int, value: int) -> bytes:
    if value < 1 << 16:
        return (kind | 0x8000).to_bytes(2, "big") + value.to_bytes(2, "big")
    return kind.to_bytes(2, "big") + b"\0\x04" + value.to_bytes(4, "big")


def proposal(*transforms: bytes) -> bytes:
    chain = b""
    for place, transform in enumerate(transforms):
        last = place == len(transforms) - 1
        chain += payload(0 if last else 3, bytes((place + 1, 1, 0, 0)) + transform)
    return b"\0\0\0\1\0\0\0\1" + payload(0, bytes((1, 1, 0, len(transforms))) + chain)


WEAK_SET = attribute(1, 5) + attribute(2, 1) + attribute(4, 2)
GOOD_SET = attribute(1, 7) + attribute(14, 128) + attribute(12, 86400)


def logged(parser: ike.IkeParser) -> list[dict[str, Any]]:
    return [body for tx in parser.transactions for body in tx.records({})]


def test_main_mode() -> None:
    parser = ike.IkeParser()
    parser.data(0, message((1, proposal(WEAK_SET, GOOD_SET)), (13, b"\xaa\xbb")))
    parser.data(1, message((1, proposal(GOOD_SET)), server=SERVER))
    parser.data(0, message((4, b"key"), (10, b"nonce"), server=SERVER))
    parser.data(1, message((5, b"ciphertext"), flags=1, server=SERVER))
    first, second, third, sealed = logged(parser)
    assert first["ikev1"]["vendor_ids"] == ["aabb"]
    assert [p["alg_enc"] for p in first["ikev1"]["client"]["proposals"]] == ["EncTripleDesCbc", "EncAesCbc"]
    assert "alg_enc" not in first
    assert (second["alg_enc"], second["sa_key_length_raw"]) == ("EncAesCbc", 128)
    assert (second["sa_life_duration"], second["sa_life_duration_raw"]) == ("Unknown", 86400)
    client = third["ikev1"]["client"]
    assert (client["key_exchange_payload"], client["nonce_payload_length"]) == (b"key".hex(), 5)
    assert sealed["ikev1"] == {"encrypted_payloads": True, "doi": 1}
    one, two, three, _ = parser.transactions
    assert one.buffer("ike.init_spi", 0) == b"11" * 8
    assert two.buffer("ike.resp_spi", 1) == b"22" * 8
    assert one.buffer("ike.vendor", 0) == [b"aabb"]
    assert three.buffer("ike.nonce_payload", 0) == b"nonce"
    assert three.value("ike.key_exchange_payload_length") == 3
    assert one.value("ike.chosen_sa_attribute") is None
    assert two.value("ike.chosen_sa_attribute")["alg_enc"] == 7


@pytest.mark.parametrize(
    ("argument", "holds"),
    [
        ("sa_key_length=128", True),
        ("sa_key_length>=128", True),
        ("sa_key_length<128", False),
        ("alg_enc!7", False),
        ("alg_hash=1", False),
        ("alg_enc=", False),
        ("alg_enc", False),
        ("alg_enc=seven", False),
    ],
)
def test_chosen_attribute(argument: str, holds: bool) -> None:
    assert ike.same_attribute({"alg_enc": 7, "sa_key_length": 128}, argument) == holds


def transform(kind: int, number: int) -> bytes:
    return b"\0\0\0\x08" + bytes((kind, 0)) + number.to_bytes(2, "big")


def second(*transforms: bytes, protocol: int = 1) -> bytes:
    body = bytes((1, protocol, 0, len(transforms))) + b"".join(transforms)
    return b"\0\0" + (len(body) + 4).to_bytes(2, "big") + body


STRONG = (transform(1, 12), transform(2, 5), transform(3, 12), transform(4, 14))


@pytest.mark.parametrize(
    ("association", "events"),
    [
        (second(*STRONG), []),
        (second(transform(1, 20), transform(2, 5), transform(4, 19)), []),
        (second(transform(1, 3), *STRONG[1:]), ["weak_crypto_enc"]),
        (second(STRONG[0], transform(2, 2), *STRONG[2:]), ["weak_crypto_prf"]),
        (second(*STRONG[:2], transform(3, 2), STRONG[3]), ["weak_crypto_auth"]),
        (second(*STRONG[:3], transform(4, 2)), ["weak_crypto_dh"]),
        (second(*STRONG[:3]), ["weak_crypto_no_dh"]),
        (second(STRONG[0], STRONG[3]), ["weak_crypto_no_auth"]),
        (second(*STRONG, protocol=2), ["no_encryption"]),
        (second(*STRONG, transform(9, 1)), ["unknown_proposal"]),
        (second(*STRONG)[:-1], ["invalid_proposal"]),
    ],
)
def test_judged_proposals(association: bytes, events: list[str]) -> None:
    parser = ike.IkeParser()
    parser.data(0, message((33, association), version=2, exchange=34, flags=8))
    assert parser.transactions[0].events == events


def test_responder_of_version_2() -> None:
    parser = ike.IkeParser()
    parts = ((33, second(*STRONG)), (34, b"\0\x0e\0\0KEY"), (40, b"NONCE"), (41, b"\0\0\0\x0e"))
    parser.data(1, message(*parts, version=2, exchange=34, flags=0x20, server=SERVER))
    (body,) = logged(parser)
    assert body["role"] == "responder"
    assert (body["alg_enc"], body["alg_dh"]) == ("ENCR_AES_CBC", "Modp2048")
    assert body["payload"] == ["SecurityAssociation", "KeyExchange", "Nonce", "Notify", "NoNextPayload"]
    assert body["ikev2"] == {"errors": 1, "notify": ["NO_PROPOSAL_CHOSEN"]}
    assert parser.transactions[0].buffer("ike.key_exchange_payload", 1) == b"KEY"


def test_more_than_one_answer() -> None:
    parser = ike.IkeParser()
    parser.data(1, message((33, second(*STRONG) * 2), version=2, exchange=34, server=SERVER))
    assert parser.transactions[0].events == ["multiple_server_proposal"]


@pytest.mark.parametrize(
    ("raw", "event", "records"),
    [
        (b"short", "malformed_data", 0),
        (message((1, b"x"))[:-1], "malformed_data", 0),
        (message((1, b"x"), version=3), "malformed_data", 0),
        (message((1, b"x"))[:-3] + b"\xff\xffx", "malformed_data", 1),
    ],
)
def test_malformed(raw: bytes, event: str, records: int) -> None:
    parser = ike.IkeParser()
    parser.data(0, raw)
    assert parser.transactions[0].events == [event]
    assert len(logged(parser)) == records


def test_bytes_behind_the_last_payload() -> None:
    raw = message((13, b"x")) + b"more"
    raw = raw[:24] + len(raw).to_bytes(4, "big") + raw[28:]
    parser = ike.IkeParser()
    parser.data(0, raw)
    assert parser.transactions[0].events == ["payload_extra_data"]


def test_probe() -> None:
    assert ike.probe(message((1, b"x"))) == PROBE_YES
    assert ike.probe(message((1, b"x"), version=2, exchange=34)) == PROBE_YES
    assert ike.probe(message((1, b"x"), version=2, exchange=2)) == PROBE_NO
    assert ike.probe(message((1, b"x")) + b"x") == PROBE_NO


@given(st.sampled_from((1, 2)), st.data())
def test_never_raises_on_mutated_messages(version: int, data: st.DataObject) -> None:
    association = proposal(WEAK_SET, GOOD_SET) if version == 1 else second(*STRONG)
    kind = 1 if version == 1 else 33
    raw = bytearray(message((kind, association), (13, b"v"), version=version, exchange=34))
    for _ in range(3):
        raw[data.draw(st.integers(16, len(raw) - 1))] = data.draw(st.integers(0, 255))
    ike.probe(bytes(raw))
    parser = ike.IkeParser()
    for direction in (0, 1):
        parser.data(direction, bytes(raw))
    for tx in parser.transactions:
        tx.records({"extended": True})
        tx.buffer("ike.vendor", 0)
        tx.value("ike.chosen_sa_attribute")
