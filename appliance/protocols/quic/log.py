"""The ``quic`` record."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from appliance.protocols.quic.header import version_name
from appliance.protocols.tls.hello import EXT_ALPN, EXT_SIGNATURES, EXT_SNI, EXT_VERSIONS, Hello

if TYPE_CHECKING:
    from appliance.protocols.quic.parser import QuicTransaction

# Names in the registry of TLS extensions, from number 0 on; "-" is one without.
_WORDS = (
    "server_name max_fragment_length client_certificate_url trusted_ca_keys truncated_hmac status_request"
    " user_mapping client_authz server_authz cert_type supported_groups ec_point_formats srp"
    " signature_algorithms use_srtp heartbeat alpn status_request_v2 signed_certificate_timestamp"
    " client_certificate_type server_certificate_type padding encrypt_then_mac extended_master_secret"
    " token_binding cached_info tls_lts compress_certificate record_size_limit pwd_protect pwd_clear"
    " password_salt ticket_pinning tls_cert_with_extern_psk delegated_credentials session_ticket tlmsp"
    " tlmsp_proxying tlmsp_delegate supported_ekt_ciphers - pre_shared_key early_data supported_versions"
    " cookie psk_key_exchange_modes - certificate_authorities oid_filters post_handshake_auth"
    " signature_algorithms_cert key_share transparency_info connection_id_deprecated connection_id"
    " external_id_hash external_session_id quic_transport_parameters ticket_request dnssec_chain"
)
_NAMES = tuple(_WORDS.split())
_FURTHER = {17513: "application_settings", 65281: "renegotiation_info"}
_VERSIONS = {0x0301: "Tls10", 0x0302: "Tls11", 0x0303: "Tls12", 0x0304: "Tls13"}


def extension_name(number: int) -> str:
    """Name an extension, "" when it has none."""
    name = _NAMES[number] if number < len(_NAMES) else _FURTHER.get(number, "")
    return "" if name == "-" else name


def _values(hello: Hello, number: int) -> list[str]:
    if number == EXT_SNI:
        return [hello.sni.decode("utf-8", "replace")] if hello.sni else []
    if number == EXT_ALPN:
        return [name.decode("utf-8", "replace") for name in hello.alpn]
    if number == EXT_VERSIONS:
        return [_VERSIONS.get(version, f"0x{version:04x}") for version in hello.versions]
    if number == EXT_SIGNATURES:
        return [str(scheme) for scheme in hello.signatures]
    return []


def _extension(hello: Hello, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    name = extension_name(number)
    if name:
        row["name"] = name
    row["type"] = number
    values = _values(hello, number)
    if values:
        row["values"] = values
    return row


def hashed(text: str) -> dict[str, str]:
    """Give a fingerprint's text with its hash."""
    return {"hash": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), "string": text}


def body(tx: QuicTransaction) -> dict[str, Any]:
    """Give the record's body."""
    record: dict[str, Any] = {"version": version_name(tx.version)}
    for key, value in (("sni", tx.sni), ("ua", tx.ua)):
        if value:
            record[key] = value.decode("utf-8", "replace")
    if tx.cyu:
        record["cyu"] = [hashed(tx.cyu)]
    if tx.hello is not None:
        record["ja3" if tx.hello.client else "ja3s"] = hashed(tx.hello.ja3())
        if tx.hello.client:
            record["ja4"] = tx.hello.ja4("q")
        if tx.hello.extensions:
            record["extensions"] = [_extension(tx.hello, number) for number in tx.hello.extensions]
    return record
