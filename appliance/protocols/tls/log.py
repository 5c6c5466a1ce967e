"""The ``tls`` record."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.tls.hello import Hello

if TYPE_CHECKING:
    from appliance.protocols.tls.certificate import Certificate
    from appliance.protocols.tls.parser import TlsTransaction

TLS13, DTLS13 = 0x0304, 0xFEFC
# What ``custom`` calls a field, where the record has another name.
_CUSTOM = {"issuer": "issuerdn", "not_before": "notbefore", "not_after": "notafter"}
_BASIC = ("subject", "issuerdn", "session_resumed")
VERSIONS = {
    0x0002: "SSLv2",
    0x0300: "SSLv3",
    0x0301: "TLSv1",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
    0x0100: "DTLSv0.9",
    0xFEFF: "DTLSv1.0",
    0xFEFD: "DTLSv1.2",
    0xFEFC: "DTLSv1.3",
}


def version_number(tx: TlsTransaction) -> int:
    """Give the version on the wire that both ends settled on, as far as known; 0 before."""
    hello = tx.server or tx.client
    return hello.negotiated() if hello is not None else 0


def version_name(tx: TlsTransaction) -> str:
    """Name the version as records do."""
    return _named(version_number(tx), tx.server or tx.client)


def _named(number: int, hello: Hello | None) -> str:
    if number >> 8 == 0x7F:
        return f"TLS 1.3 draft-{number & 0xFF:02d}"
    if number == TLS13 and hello is not None and hello.version == TLS13:
        return "TLS 1.3 draft-<16"  # later ones, and the standard, name it in an extension only
    return VERSIONS.get(number, "UNDETERMINED")


def stamp(seconds: int) -> str:
    """Write a moment of a certificate's validity, without zone."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _ja3(hello: Hello) -> dict[str, str]:
    text = hello.ja3()
    return {"hash": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), "string": text}


def body(tx: TlsTransaction, options: dict[str, Any]) -> dict[str, Any]:
    """Give the record's body; the output's ``custom`` list, if any, picks its fields."""
    fields: dict[str, Any] = {}
    cert = tx.certs[TOCLIENT]
    if cert is not None:
        fields |= {
            "subject": cert.subject,
            "issuerdn": cert.issuer,
            "serial": cert.serial,
            "fingerprint": cert.fingerprint,
        }
    if tx.client is not None and tx.client.sni:
        fields["sni"] = tx.client.sni.decode("utf-8", "backslashreplace")
    fields["version"] = version_name(tx)
    if cert is not None:
        fields |= {"notbefore": stamp(cert.not_before), "notafter": stamp(cert.not_after)}
        if cert.names:
            fields["subjectaltname"] = list(cert.names)
    if tx.origin:
        fields["from_proto"] = tx.origin
    fields |= _fingerprints(tx)
    kept = _certificates(tx, {"certificate", "chain"}) if tx.store else {}
    custom = options.get("custom")
    if isinstance(custom, list):
        wanted = {_CUSTOM.get(str(key), str(key)) for key in custom}
        fields |= _on_request(tx, wanted)
        return {key: value for key, value in fields.items() if key in wanted} | kept
    if options.get("extended", True) in {False, "no", "false", "off"}:
        return {key: value for key, value in fields.items() if key in _BASIC} | kept
    return fields | kept


def _on_request(tx: TlsTransaction, wanted: set[str]) -> dict[str, Any]:
    """Give the fields that only a ``custom`` list asks for."""
    found: dict[str, Any] = _certificates(tx, wanted)
    if "client" in wanted and tx.certs[TOSERVER] is not None:
        found["client"] = _client(tx.certs[TOSERVER])
    if tx.client is not None:
        found["client_handshake"] = _handshake(tx.client) | {"ciphers": list(tx.client.ciphers)}
        if tx.client.signatures:
            found["client_handshake"]["sig_algs"] = list(tx.client.signatures)
    if tx.server is not None:
        found["server_handshake"] = _handshake(tx.server)
        if tx.server.ciphers:
            found["server_handshake"]["cipher"] = tx.server.ciphers[0]
    return found


def _certificates(tx: TlsTransaction, wanted: set[str]) -> dict[str, Any]:
    """Give the server's certificates as DER in base64: its own, and the whole chain."""
    found: dict[str, Any] = {}
    if tx.chain and "certificate" in wanted:
        found["certificate"] = base64.b64encode(tx.chain[0]).decode("ascii")
    if tx.chain and "chain" in wanted:
        found["chain"] = [base64.b64encode(der).decode("ascii") for der in tx.chain]
    return found


def _handshake(hello: Hello) -> dict[str, Any]:
    """Give what both hellos have: version and extensions, as numbers in their order."""
    return {"version": _named(hello.negotiated(), hello), "exts": list(hello.extensions)}


def _client(cert: Certificate | None) -> dict[str, Any]:
    """Describe the client's certificate."""
    if cert is None:
        return {}
    return {
        "subject": cert.subject,
        "issuerdn": cert.issuer,
        "fingerprint": cert.fingerprint,
        "serial": cert.serial,
        "notbefore": stamp(cert.not_before),
        "notafter": stamp(cert.not_after),
    }


def _fingerprints(tx: TlsTransaction) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if tx.client is not None and tx.client.ciphers:
        fields["ja3"] = _ja3(tx.client)
        fields["ja4"] = tx.client.ja4()
    if tx.server is not None:
        fields["ja3s"] = _ja3(tx.server)
    for side, key in ((TOSERVER, "client_alpns"), (TOCLIENT, "server_alpns")):
        hello = tx.hello(side)
        if hello is not None and hello.alpn:
            fields[key] = [name.decode("utf-8", "backslashreplace") for name in hello.alpn]
    if _resumed(tx):
        fields["session_resumed"] = True
    return fields


def _resumed(tx: TlsTransaction) -> bool:
    """Before 1.3 a server that repeats the client's session id and sends no certificate resumes it."""
    if tx.client is None or tx.server is None or tx.chain:
        return False
    version = tx.server.negotiated()
    if version == DTLS13 if tx.server.datagram else version >= TLS13:
        return False
    return bool(tx.client.session_id) and tx.client.session_id == tx.server.session_id
