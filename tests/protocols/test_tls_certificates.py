"""Certificates that strict readers refuse, and what records of TLS give when it is asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.spec import PROBE_NO, PROBE_YES
from appliance.protocols.tls import certificate, der, dtls, log
from appliance.protocols.tls.hello import Hello
from appliance.protocols.tls.parser import TlsParser, TlsTransaction


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes((len(body),)) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes((tag,)) + size + body


def name(*pairs: tuple[bytes, int, bytes]) -> bytes:
    return tlv(0x30, *(tlv(0x31, tlv(0x30, tlv(6, oid), tlv(tag, text))) for oid, tag, text in pairs))


def made(subject: bytes, *, before: bytes = b"200102030405Z") -> bytes:
    issuer = name((b"\x55\x04\x03", 0x13, b"a\0b"), (b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 0x16, b"m@x"))
    validity = tlv(0x30, tlv(0x17, before), tlv(0x18, b"20500102030405Z"))
    algorithm = tlv(0x30, tlv(6, b"\x2a"))
    return tlv(
        0x30, tlv(0x30, tlv(0xA0, tlv(2, b"\2")), tlv(2, b"\0\x81"), algorithm, issuer, validity, subject)
    )


def test_names_with_nul_are_given_as_they_are() -> None:
    found = certificate.parse(made(name((b"\x55\x04\x06", 0x13, b"US"), (b"\x55\x04\x03", 0x1E, b"\0x\0\0"))))
    assert found is not None
    assert found.subject == "C=US, CN=x\0"
    assert found.issuer == "CN=a\0b, emailAddress=m@x"
    assert found.serial == "00:81"
    assert log.stamp(found.not_before) == "2020-01-02T03:04:05"
    assert log.stamp(found.not_after) == "2050-01-02T03:04:05"


def test_odd_parts() -> None:
    odd = der.read(made(b"\x30\x02\x31\x40", before=b"209902030405Z"))
    assert odd is not None
    assert (odd.subject, odd.not_before) == ([], 0)
    assert der.read(b"\x30\x84\xff\xff\xff\xff") is None
    assert certificate.parse(b"\x30\x03\x30\x01\x00") is None
    many = der.read(made(name(*[(b"\x55\x04\x03", 12, b"x")] * 500)))
    assert many is not None
    assert len(many.subject) <= 64


@given(st.binary(max_size=200), st.integers(0, 120))
def test_never_raises(noise: bytes, at: int) -> None:
    whole = made(name((b"\x55\x04\x03", 12, b"host")))
    certificate.parse(noise)
    certificate.parse(whole[:at] + noise + whole[at:])


def client_hello() -> Hello:
    return Hello(
        client=True, version=0x0303, ciphers=[49196, 255], extensions=[0, 13], signatures=[1027], sni=b"a.b"
    )


def test_custom_fields() -> None:
    tx = TlsTransaction(0)
    tx.client = client_hello()
    tx.certs[1] = certificate.parse(made(name((b"\x55\x04\x03", 12, b"host"))))
    tx.chain = [b"der"]
    handshake = {"version": "TLS 1.2", "exts": [0, 13], "ciphers": [49196, 255], "sig_algs": [1027]}
    assert log.body(tx, {"custom": ["client_handshake"]}) == {"client_handshake": handshake}
    names = ["issuer", "not_before", "certificate", "chain", "sni"]
    record = log.body(tx, {"custom": names})
    assert sorted(record) == ["certificate", "chain", "issuerdn", "notbefore", "sni"]
    assert record["chain"] == ["ZGVy"]
    assert sorted(log.body(tx, {"extended": False})) == ["issuerdn", "subject"]
    assert "client_handshake" not in log.body(tx, {})


def test_version_before_draft_16() -> None:
    tx = TlsTransaction(0)
    tx.server = Hello(client=False, version=0x0304)
    assert log.version_name(tx) == "TLS 1.3 draft-<16"
    tx.server = Hello(client=False, version=0x0303, versions=[0x0304])
    assert log.version_name(tx) == "TLS 1.3"


def test_record_is_ready_when_the_server_has_said_all() -> None:
    parser = TlsParser()
    hello = b"\x03\x03" + bytes(32) + b"\0\0\x02\0\x2f\x01\0"
    record = b"\x01" + len(hello).to_bytes(3, "big") + hello
    parser.data(0, b"\x16\x03\x01" + len(record).to_bytes(2, "big") + record)
    assert not parser.tx.ready
    parser.data(1, b"\x16\x03\x03\0\x04\x0e\0\0\0")
    assert parser.tx.ready
    assert not parser.tx.done


def test_dtls_is_recognised() -> None:
    hello = b"\x16\xfe\xff\0\0" + bytes(6) + b"\0\x10" + b"\x01" + bytes(15)
    assert dtls.probe(hello) == PROBE_YES
    assert dtls.probe(hello[:20]) == PROBE_NO
    assert dtls.probe(b"\x17" + hello[1:]) == PROBE_NO
    assert dtls.probe(b"\x16\x03\x01" + hello[3:]) == PROBE_NO
