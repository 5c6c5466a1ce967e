"""TLS: handshakes as ``cryptography`` and Python's own TLS stack make them, cut and mangled."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.app import COMPLETE
from appliance.protocols.tls import rules
from appliance.protocols.tls.hello import parse_hello
from appliance.protocols.tls.parser import TlsParser

Turns = list[tuple[int, bytes]]


@pytest.fixture(scope="module")
def identity(tmp_path_factory) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(NameOID.COMMON_NAME, "web-1")]
    )
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x0A0B0C)
        .not_valid_before(dt.datetime(2026, 1, 2, 3, 4, 5))  # noqa: DTZ001
        .not_valid_after(dt.datetime(2027, 1, 2, 3, 4, 5))  # noqa: DTZ001
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("web-1.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "web.pem"
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(plain + cert.public_bytes(pem))
    return str(path)


def handshake(identity: str, version: ssl.TLSVersion) -> Turns:
    """Run a handshake between two memory buffers and give what was said, in turns."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(identity)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    for context in (server, client):
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
    pipes = [ssl.MemoryBIO() for _ in range(4)]
    ends = (
        client.wrap_bio(pipes[1], pipes[0], server_hostname="web-1.example"),
        server.wrap_bio(pipes[0 + 2], pipes[3], server_side=True),
    )
    said: Turns = []
    done = [False, False]
    for _ in range(12):
        for side, end in enumerate(ends):
            if not done[side]:
                try:
                    end.do_handshake()
                    done[side] = True
                except ssl.SSLWantReadError:
                    pass
            out, into = (pipes[0], pipes[2]) if side == 0 else (pipes[3], pipes[1])
            data = out.read()
            if data:
                said.append((side, data))
                into.write(data)
    assert all(done)
    return said


@pytest.fixture(scope="module")
def tls12(identity) -> Turns:
    """One handshake for all examples of a property, since each one differs."""
    return handshake(identity, ssl.TLSVersion.TLSv1_2)


def play(turns: Turns) -> TlsParser:
    tls = TlsParser()
    for direction, data in turns:
        tls.data(direction, data)
    return tls


def test_tls12_shows_names_and_certificate(identity):
    tls = play(handshake(identity, ssl.TLSVersion.TLSv1_2))
    tx = tls.tx
    assert tx.progress == [COMPLETE, COMPLETE]
    assert tx.buffer("tls.sni", 0) == b"web-1.example"
    assert tx.buffer("tls.cert_subject", 1) == b"C=DE, CN=web-1"
    assert tx.buffer("tls.cert_serial", 1) == b"0A:0B:0C"
    assert tx.buffer("tls.subjectaltname", 1) == [b"web-1.example"]
    assert tx.buffer("tls.alpn", 0) == [b"h2", b"http/1.1"]
    record = tx.log()
    assert record["version"] == "TLS 1.2"
    assert record["notbefore"] == "2026-01-02T03:04:05"
    assert not tx.events
    assert tls.bypass


def test_tls13_hides_the_certificate_but_not_the_name(identity):
    tx = play(handshake(identity, ssl.TLSVersion.TLSv1_3)).tx
    assert tx.log()["version"] == "TLS 1.3"
    assert tx.buffer("tls.sni", 0) == b"web-1.example"
    assert tx.certs == [None, None]
    assert tx.progress == [COMPLETE, COMPLETE]


@given(st.data())
def test_any_cut_gives_the_same(tls12, data):
    turns = tls12
    cut: Turns = []
    for direction, said in turns:
        at = 0
        while at < len(said):
            size = data.draw(st.integers(1, 200))
            cut.append((direction, said[at : at + size]))
            at += size
    whole, pieces = play(turns).tx, play(cut).tx
    assert whole.log() == pieces.log()
    assert (whole.events, whole.progress) == (pieces.events, pieces.progress)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=300)), max_size=5))
def test_no_bytes_raise(turns: Turns):
    play(turns).tx.log()


@given(st.data())
def test_no_changed_byte_raises(tls12, data):
    turns = list(tls12)
    which = data.draw(st.integers(0, len(turns) - 1))
    said = bytearray(turns[which][1])
    for _ in range(data.draw(st.integers(1, 4))):
        said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    turns[which] = (turns[which][0], bytes(said))
    tx = play(turns).tx
    tx.log()
    tx.buffer("tls.certs", 1)


def record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(body)) + body


HELLO = record(22, b"\x01\x00\x00\x2b\x03\x03" + bytes(32) + b"\x00\x00\x02\x00\x2f\x01\x00\x00\x00")


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (HELLO + record(24, b"\x01\x40\x00"), "overflow_heartbeat_message"),
        (HELLO + record(24, b"\x01\x00\x03abc" + bytes(16)), "heartbeat_message"),
        (HELLO + record(24, b"\x07"), "invalid_heartbeat_message"),
        (HELLO + b"\x99\x03\x03\x00\x01", "invalid_record_type"),
        (b"\x99\x03\x03\x00\x01", "invalid_tls_header"),
        (HELLO + b"\x16\x09\x09\x00\x01", "invalid_record_version"),
        (HELLO + b"\x16\x03\x03\xff\xff", "invalid_ssl_record"),
        (record(22, b"\x63\x00\x00\x01a"), "invalid_handshake_message"),
        (record(22, b"\x01\xff\xff\xff"), "handshake_invalid_length"),
        (b"\x80\x05\x01\x03\x01\x00\x00", "invalid_sslv2_header"),
    ],
)
def test_events(said: bytes, event: str):
    assert event in play([(0, said)]).tx.events


def test_heartbeat_of_cve_2014_0160_is_named_whatever_it_asks_for():
    assert "overflow_heartbeat_message" in play([(0, HELLO + record(24, b"\x01\xff\xff"))]).tx.events


def test_server_name_of_the_wrong_kind_is_noted():
    extension = struct.pack(">HHHBH", 0, 8, 6, 7, 3) + b"abc"
    body = (
        b"\x03\x03"
        + bytes(32)
        + b"\x00\x00\x02\x00\x2f\x01\x00"
        + struct.pack(">H", len(extension))
        + extension
    )
    assert parse_hello(body, client=True).events == ["invalid_sni_type"]


def seconds(*day: int) -> int:
    return int(dt.datetime(*day, tzinfo=dt.UTC).timestamp())


@pytest.mark.parametrize(
    ("shown", "valid", "expired"),
    [((2026, 6, 1), True, False), ((2025, 6, 1), False, False), ((2027, 6, 1), False, True)],
)
def test_validity_is_that_of_the_time_when_the_certificate_is_shown(tls12, shown, valid, expired):
    tls = TlsParser()
    for direction, data in tls12:
        tls.now = seconds(*shown) * 1_000_000_000
        tls.data(direction, data)
    tls.now = 0
    assert tls.tx.value("tls_cert_valid") is valid
    assert tls.tx.value("tls_cert_expired") is expired
    assert tls.tx.value("tls_cert_notbefore") == seconds(2026, 1, 2, 3, 4, 5)
    assert tls.tx.value("tls_cert_notafter") == seconds(2027, 1, 2, 3, 4, 5)


def test_messages_of_each_side(tls12):
    tx = play(tls12).tx
    assert tx.compared("ssl_state", 0) == {"client_hello", "client_keyx"}
    assert tx.compared("ssl_state", 1) == {"server_hello", "server_keyx"}
    assert rules.in_state(tx.compared("ssl_state", 1), "client_hello|server_hello")
    assert not rules.in_state(tx.compared("ssl_state", 1), "!server_hello")


def test_message_of_an_unknown_type():
    tls = TlsParser()
    tls.data(0, record(22, b"\xc8\0\0\1x"))
    assert tls.tx.compared("ssl_state", 0) == {"unknown"}


def test_certificates_are_in_the_record_when_a_rule_wants_them(tls12):
    tx = play(tls12).tx
    assert "chain" not in tx.log()
    tx.keep()
    (der,) = tx.log()["chain"]
    assert tx.log()["certificate"] == der
    assert x509.load_der_x509_certificate(base64.b64decode(der)).serial_number == 0x0A0B0C
    assert set(tx.records({"custom": ["sni"]})[0]) == {"sni", "certificate", "chain"}
