"""QUIC: vectors of RFC 9001, hellos in pieces, Google's tags, hostile datagrams."""

from __future__ import annotations

import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocols.quic import SPECS, frames, header
from appliance.protocols.quic.crypto import Keys, salt_of
from appliance.protocols.quic.parser import MAX_CRYPTO, MAX_FAILURES, QuicParser

DCID = bytes.fromhex("8394c8f03e515708")
V1, V2, DRAFT29 = header.V1, header.V2, 0xFF00001D


def varint(value: int) -> bytes:
    return (value | 0x4000).to_bytes(2, "big")


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def hello(name: bytes = b"quic.example", padding: int = 0, client: bool = True) -> bytes:
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    found = extension(0, len(entry).to_bytes(2, "big") + entry) if client else b""
    found += extension(16, b"\0\x03\x02h3") + extension(21, bytes(padding))
    found += extension(43, b"\x02\x03\x04" if client else b"\x03\x04")
    ciphers = b"\x00\x02\x13\x01\x01\0" if client else b"\x13\x01\0"
    body = b"\x03\x03" + bytes(32) + b"\0" + ciphers + len(found).to_bytes(2, "big") + found
    return (b"\x01" if client else b"\x02") + len(body).to_bytes(3, "big") + body


def crypto(offset: int, data: bytes) -> bytes:
    return b"\x06" + varint(offset) + varint(len(data)) + data


def seal(
    content: bytes, number: int = 1, version: int = V1, dcid: bytes = DCID, side: int = 0, keyed: bytes = b""
) -> bytes:
    keys = Keys(version, keyed or dcid, salt_of(version) or b"")
    key, nonce, mask_key = keys._ends[side]
    content = content.ljust(4, b"\0")
    first = 0xD0 if version == V2 else 0xC0
    head = bytes((first | 1,)) + version.to_bytes(4, "big") + bytes((len(dcid),)) + dcid + b"\0"
    head += b"\0" + varint(2 + len(content) + 16) + number.to_bytes(2, "big")
    iv = (int.from_bytes(nonce, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(iv, content, head)
    mask = Cipher(AES(mask_key), ECB()).encryptor().update(sealed[2:18])  # noqa: S305
    masked = bytearray(head)
    masked[0] ^= mask[0] & 0x0F
    masked[-2] ^= mask[1]
    masked[-1] ^= mask[2]
    return bytes(masked) + sealed


def parse(*packets: tuple[int, bytes]) -> QuicParser:
    parser = QuicParser()
    for direction, packet in packets:
        parser.data(direction, packet)
    return parser


def events(parser: QuicParser) -> list[str]:
    return [name for tx in parser.transactions for name in tx.events]


def test_keys_of_the_rfc() -> None:
    """RFC 9001 appendix A.1 and RFC 9369 appendix A.1."""
    one, two = Keys(V1, DCID, salt_of(V1) or b""), Keys(V2, DCID, salt_of(V2) or b"")
    assert [part.hex() for part in one._ends[0]] == [
        "1f369613dd76d5467730efcbe3b1a22d",
        "fa044b2f42a3fd3b46fb255c",
        "9f50449e04a0e810283a1e9933adedd2",
    ]
    assert [part.hex() for part in one._ends[1]] == [
        "cf3a5331653c364c88f0f379b6067e37",
        "0ac1493ca1905853b0bba03e",
        "c206b8d9b9f0f37644430b490eeaa314",
    ]
    assert two._ends[0][0].hex() == "8b1a0bc121284290a29e0971b5cd045d"


@pytest.mark.parametrize("version", [V1, V2, DRAFT29])
def test_both_hellos(version: int) -> None:
    server = seal(b"\x02\0\0\0\0" + crypto(0, hello(client=False)), 1, version, b"srv", 1, DCID)
    parser = parse((0, seal(crypto(0, hello()), 1, version)), (1, server))
    client_tx, server_tx = parser.transactions
    assert client_tx.buffer("quic.sni", 0) == b"quic.example"
    assert client_tx.buffer("quic.version", 0) == version.to_bytes(4, "big")
    assert client_tx.buffer("ja3.string", 0) == b"771,4865,0-16-21-43,,"
    assert (client_tx.buffer("ja4.hash", 0) or b"")[:10] == b"q13d0104h3"
    assert server_tx.buffer("ja3s.string", 1) == b"771,4865,16-21-43"
    assert client_tx.buffer("ja3s.string", 1) is None
    record = client_tx.log()
    assert record["extensions"][0] == {"name": "server_name", "type": 0, "values": ["quic.example"]}
    assert record["version"] == {V1: "1", V2: "2", DRAFT29: "ff00001d"}[version]
    assert "ja3s" in server_tx.log()
    assert parser.bypass
    assert not events(parser)


def test_hello_in_pieces_of_any_order() -> None:
    data = hello(padding=900)
    pieces = [(at, data[at : at + 100]) for at in range(0, len(data), 90)]
    random.Random(3).shuffle(pieces)
    packets = [seal(b"".join(crypto(*piece) for piece in pieces[i : i + 3]), i + 1) for i in range(0, 12, 3)]
    parser = parse(*((0, packet) for packet in packets))
    found = [tx.sni for tx in parser.transactions]
    assert found.count(b"quic.example") == 1
    assert len(found) == len(packets)


def test_retry_changes_the_keys() -> None:
    retry = b"\xf0" + V1.to_bytes(4, "big") + b"\0\x03new" + bytes(30)
    parser = parse(
        (0, seal(crypto(0, hello()))), (1, retry), (0, seal(crypto(0, hello(b"again")), 2, V1, b"newid"))
    )
    assert [tx.sni for tx in parser.transactions] == [b"quic.example", b"", b"again"]


def test_other_connection_takes_over_only_when_it_decrypts() -> None:
    spoofed = bytearray(seal(crypto(0, hello()), 1, V1, b"spoofed1"))
    spoofed[-1] ^= 1
    parser = parse((0, bytes(spoofed)), (0, seal(crypto(0, hello()))))
    assert [tx.sni for tx in parser.transactions] == [b"", b"quic.example"]
    parser = parse(
        (0, seal(crypto(0, hello()[:20]))), (0, bytes(spoofed)), (0, seal(crypto(20, hello()[20:]), 2))
    )
    assert parser.transactions[-1].sni == b"quic.example"
    assert events(parser) == ["failed_decrypt"]


def test_google_tags() -> None:
    tags = {b"PAD\0": b"---", b"SNI\0": b"g.example", b"UAID": b"Chrome/1", b"VER\0": b"Q046"}
    index, values = b"", b""
    for tag, value in tags.items():
        values += value
        index += tag + len(values).to_bytes(4, "little")
    message = b"CHLO" + len(tags).to_bytes(2, "little") + b"\0\0" + index + values
    stream = b"\xa0\x01" + len(message).to_bytes(2, "big") + message + bytes(40)
    packet = b"\xc3Q046\x50" + bytes(8) + bytes(4) + bytes(12) + stream
    old = b"\x0d" + bytes(8) + b"Q043" + b"\x01" + bytes(12) + stream
    for data, number in ((packet, 46), (old, 43)):
        tx = parse((0, data)).transactions[0]
        assert (tx.sni, tx.ua) == (b"g.example", b"Chrome/1")
        assert tx.buffer("quic.cyu.string", 0) == [f"{number},PAD-SNI-UAID-VER".encode()]
        assert tx.log()["cyu"][0]["string"] == f"{number},PAD-SNI-UAID-VER"


def test_events() -> None:
    assert events(parse((0, seal(b"\x55" * 30)))) == ["error_on_data"]
    assert events(parse((0, b"\xc0\0\0\0\x01\x08abc"))) == ["error_on_header"]
    assert SPECS[0].events == {"error_on_data", "error_on_header", "failed_decrypt"}


def test_bounds() -> None:
    parser = QuicParser()
    good = seal(crypto(0, hello()[:30]))
    parser.data(0, good)
    for _ in range(3 * MAX_FAILURES):
        parser.data(0, good[:-1] + b"x" if good[-1:] != b"x" else good[:-1] + b"y")
    assert parser.bypass
    assert len(parser.transactions) <= MAX_FAILURES + 1
    parser = QuicParser()
    for number in range(200):
        parser.data(0, seal(crypto(100 + 60 * number, bytes(1000)), number))
    assert parser._streams[0].size <= MAX_CRYPTO
    ack = b"\x02\0\0\xbf\xff\xff\xff" + bytes(1000)
    assert frames.crypto_pieces(ack) == ([], False)


@given(
    st.binary(max_size=200), st.booleans(), st.sampled_from([b"", b"\xc3Q046", b"\xc0\0\0\0\x01", b"\x09"])
)
@settings(max_examples=250, deadline=None)
def test_never_raises(noise: bytes, direction: bool, front: bytes) -> None:
    parser = parse((0, seal(b"\x01")), (int(direction), front + noise))
    for tx in parser.transactions:
        tx.records({})
        for spec in SPECS[0].buffers:
            tx.buffer(spec.name, 0)
    for probing in SPECS[0].probings:
        probing.probe(front + noise)


@given(st.binary(max_size=120))
@settings(max_examples=200, deadline=None)
def test_never_raises_inside(noise: bytes) -> None:
    parse((0, seal(noise)), (0, seal(crypto(0, b"\x01\0\0" + bytes((len(noise),)) + noise))))
    frames.google_hello(noise)
    frames.google_hello(b"\xa0\x01\x00\x40CHLO" + noise)


def shape(parser: QuicParser) -> Any:
    return [(tx.log(), tx.events) for tx in parser.transactions]


def test_packets_of_one_datagram() -> None:
    first, second = seal(crypto(0, hello()[:40])), seal(crypto(40, hello()[40:]), 2)
    assert shape(parse((0, first + second))) == shape(parse((0, first), (0, second)))
