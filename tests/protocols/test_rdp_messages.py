"""Remote desktop: the opening packets, TLS inside, any chunking, any bytes."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.protocols import rdp
from appliance.protocols.rdp.parser import RdpParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES


def tpkt(body: bytes) -> bytes:
    return b"\x03\x00" + (len(body) + 4).to_bytes(2, "big") + body


def x224(code: int, variable: bytes = b"") -> bytes:
    return tpkt(bytes((6 + len(variable), code, 0, 0, 0, 0, 0)) + variable)


def tlv(tag: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return tag + b"\x82" + len(body).to_bytes(2, "big") + body


def wide(text: str, size: int) -> bytes:
    return text.encode("utf-16-le").ljust(size, b"\0")


def block(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "little") + (len(body) + 4).to_bytes(2, "little") + body


def little(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


CORE = b"".join(
    (
        little(0x0008_0004, 4),
        little(1920, 2),
        little(1080, 2),
        little(0xCA01, 2),
        little(0xAA03, 2),
        little(0x409, 4),
        little(19041, 4),
        wide("PC", 32),
        little(4, 4),
        little(0, 4),
        little(12, 4),
        wide("", 64),
    )
)
MORE = b"".join(
    (
        little(0xCA01, 2),
        little(1, 2),
        little(0, 4),
        little(24, 2),
        little(7, 2),
        little(0x23, 2),
        wide("serial-1", 64),
        little(6, 1),
        b"\0",
        little(0, 4),
        little(500, 4),
    )
)
NET = little(2, 4) + b"rdpdr\0\0\0" + bytes(4) + b"cliprdr\0" + bytes(4)


def connect(*blocks: bytes) -> bytes:
    data = b"".join(blocks)
    conference = b"\x00\x08\x00\x10\x00\x01\xc0\x00Duca" + (0x8000 | len(data)).to_bytes(2, "big") + data
    user = b"\x00\x05\x00\x14\x7c\x00\x01" + (0x8000 | len(conference)).to_bytes(2, "big") + conference
    fields = [tlv(b"\x04", b"\1"), tlv(b"\x04", b"\1"), tlv(b"\x01", b"\xff")]
    fields += [tlv(b"\x30")] * 3 + [tlv(b"\x04", user)]
    return tpkt(b"\x02\xf0\x80" + tlv(b"\x7f\x65", *fields))


RESPONSE = tpkt(b"\x02\xf0\x80\x7f\x66\x00")
REQUEST = x224(0xE0, b"Cookie: mstshash=bob\r\n\x01\0\x08\0\x03\0\0\0")
CONFIRM = x224(0xD0, b"\x02\x09\x08\0\x01\0\0\0")


def logs(parser: RdpParser) -> list[dict[str, Any]]:
    return [tx.log() for tx in parser.transactions]


def test_standard_security() -> None:
    parser = RdpParser()
    parser.data(0, REQUEST)
    parser.data(1, x224(0xD0))
    parser.data(0, connect(block(0xC001, CORE + MORE), block(0xC003, NET)))
    parser.data(1, RESPONSE)
    assert parser.bypass
    assert logs(parser) == [
        {"event_type": "initial_request", "cookie": "bob"},
        {"event_type": "initial_response"},
        {
            "event_type": "connect_request",
            "client": {
                "version": "v5",
                "desktop_width": 1920,
                "desktop_height": 1080,
                "color_depth": 32,
                "keyboard_layout": "en-US",
                "build": "Windows 10 2004",
                "client_name": "PC",
                "keyboard_type": "enhanced",
                "function_keys": 12,
                "product_id": 1,
                "capabilities": ["support_errinfo_pdf", "want_32bpp_session"],
                "id": "serial-1",
                "connection_hint": "lan",
                "physical_width": 500,
            },
            "channels": ["rdpdr", "cliprdr"],
        },
        {"event_type": "connect_response"},
    ]
    assert [tx.skip for tx in parser.transactions] == [[False, True], [True, False]] * 2


def test_core_without_its_optional_part() -> None:
    parser = RdpParser()
    parser.data(0, connect(block(0xC001, CORE)))
    client = logs(parser)[0]["client"]
    assert client["color_depth"] == 8
    assert "capabilities" not in client


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        (b"\x02\x09\x08\0\x02\0\0\0", {"server_supports": ["extended_client_data", "restricted_admin"]}),
        (b"\x03\x00\x08\0\x05\0\0\0", {"error_code": 5, "reason": "hybrid required by server"}),
        (b"\x03\x00\x08\0\x63\0\0\0", {"error_code": 99, "reason": "unknown"}),
        (b"\x02\x00\x08", {}),
    ],
)
def test_answers(answer: bytes, record: dict[str, Any]) -> None:
    parser = RdpParser()
    parser.data(1, x224(0xD0, answer))
    (found,) = logs(parser)
    found.pop("protocol", None)
    assert found == {"event_type": "initial_response", **record}


def test_tls_inside(certificate_der: bytes) -> None:
    chain = len(certificate_der).to_bytes(3, "big") + certificate_der
    body = len(chain).to_bytes(3, "big") + chain
    message = b"\x0b" + len(body).to_bytes(3, "big") + body
    parser = RdpParser()
    parser.data(0, REQUEST)
    parser.data(1, CONFIRM)
    parser.data(0, b"\x16\x03\x01\x00\x02ab")
    for byte in b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message:
        parser.data(1, bytes((byte,)))
    assert parser.bypass
    assert logs(parser)[2] == {"event_type": "tls_handshake", "x509_serials": ["8a07"]}


def test_tls_that_shows_no_certificate_is_let_go() -> None:
    parser = RdpParser()
    parser.data(0, REQUEST)
    parser.data(1, CONFIRM + b"\x16\x03\x03\x00\x04\x02\0\0\0" + b"\x14\x03\x03\x00\x01\x01")
    assert parser.bypass
    assert len(parser.transactions) == 2


def test_what_is_no_packet_ends_the_reading() -> None:
    parser = RdpParser()
    parser.data(0, REQUEST + b"\x44\x04\x00\x00")
    assert parser.bypass
    assert len(parser.transactions) == 1


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (REQUEST, PROBE_YES),
        (CONFIRM, PROBE_NO),
        (b"\x03\x00\x00", PROBE_MAYBE),
        (REQUEST[:4] + b"\x05" + REQUEST[5:], PROBE_NO),
        (b"\x16\x03\x01\x00", PROBE_NO),
    ],
)
def test_probe(data: bytes, answer: int) -> None:
    assert rdp.probe_request(data) == answer


_STREAM = REQUEST + connect(block(0xC001, CORE), block(0xC003, NET)) + tpkt(b"\x02\xf0\x80\x28") + b"\x99"


@settings(max_examples=50)
@given(st.lists(st.integers(0, len(_STREAM)), max_size=8))
def test_any_chunking_is_the_same(cuts: list[int]) -> None:
    whole, cut = RdpParser(), RdpParser()
    whole.data(0, _STREAM)
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(_STREAM)]):
        cut.data(0, _STREAM[start:stop])
    assert logs(whole) == logs(cut)
    assert whole.bypass == cut.bypass


@given(st.data())
def test_never_raises_on_mutated_messages(data: st.DataObject) -> None:
    raw = bytearray(connect(block(0xC001, CORE + MORE), block(0xC003, NET)))
    for _ in range(4):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    parser = RdpParser()
    parser.data(0, bytes(raw))
    logs(parser)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_never_raises_on_any_bytes(one: bytes, other: bytes) -> None:
    rdp.probe_request(one)
    rdp.probe_confirm(one)
    parser = RdpParser()
    parser.data(0, REQUEST + one)
    parser.data(1, CONFIRM + b"\x16" + other)
    logs(parser)


@pytest.fixture(scope="module")
def certificate_der() -> bytes:
    """Make a certificate with serial number 0x8a07."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rdp")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x8A07)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)
