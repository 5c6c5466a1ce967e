"""TLS and SSL, and DTLS."""

from __future__ import annotations

from appliance.model.app import COMPLETE, START, BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec
from appliance.protocols.tls import dtls, rules
from appliance.protocols.tls.parser import CERT, DONE, HELLO, HELLO_DONE, TlsParser
from appliance.protocols.tls.records import valid_version
from appliance.protocols.tls.sslv2 import is_client_hello

_BOTH = (TOSERVER, TOCLIENT)
_HELLO_BUFFERS = (
    ("tls.sni", (TOSERVER,), False),
    ("tls.random", _BOTH, False),
    ("tls.random_time", _BOTH, False),
    ("tls.random_bytes", _BOTH, False),
    ("tls.alpn", _BOTH, True),
    ("ja3.hash", (TOSERVER,), False),
    ("ja3.string", (TOSERVER,), False),
    ("ja4.hash", (TOSERVER,), False),
    ("ja3s.hash", (TOCLIENT,), False),
    ("ja3s.string", (TOCLIENT,), False),
)
_CERT_BUFFERS = (
    ("tls.cert_subject", False),
    ("tls.cert_issuer", False),
    ("tls.cert_serial", False),
    ("tls.cert_fingerprint", False),
    ("tls.certs", True),
    ("tls.subjectaltname", True),
)

_STATES = {
    "client_in_progress": (TOSERVER, START),
    "client_hello_done": (TOSERVER, HELLO),
    "client_cert_done": (TOSERVER, CERT),
    "client_handshake_done": (TOSERVER, DONE),
    "client_finished": (TOSERVER, COMPLETE),
    "server_in_progress": (TOCLIENT, START),
    "server_hello": (TOCLIENT, HELLO),
    "server_cert_done": (TOCLIENT, CERT),
    "server_hello_done": (TOCLIENT, HELLO_DONE),
    "server_handshake_done": (TOCLIENT, DONE),
    "server_finished": (TOCLIENT, COMPLETE),
}

EVENTS = frozenset(
    (
        "certificate_invalid_length",
        "error_message_encountered",
        "handshake_invalid_length",
        "heartbeat_message",
        "invalid_certificate",
        "invalid_handshake_message",
        "invalid_heartbeat_message",
        "invalid_record_type",
        "invalid_record_version",
        "invalid_sni_length",
        "invalid_sni_type",
        "invalid_ssl_record",
        "invalid_sslv2_header",
        "invalid_tls_header",
        "multiple_sni_extensions",
        "overflow_heartbeat_message",
        "too_many_records_in_packet",
    )
)


def _probe(data: bytes) -> int:
    """A handshake or alert record with a version that exists, or an SSL 2.0 hello."""
    if len(data) < 6:
        return PROBE_MAYBE if data[:1] in {b"", b"\x16", b"\x15"} or data[0] & 0x80 else PROBE_NO
    if is_client_hello(data):
        return PROBE_YES
    sound = data[0] in {0x16, 0x15} and valid_version((data[1] << 8) | data[2])
    return PROBE_YES if sound and (data[0] == 0x15 or data[5] in {1, 2}) else PROBE_NO


def _buffers(protocol: str) -> tuple[BufferSpec, ...]:
    """Give the buffers, which TLS and DTLS have in common."""
    hello = [
        BufferSpec(name, (protocol,), sides, HELLO, multi=multi) for name, sides, multi in _HELLO_BUFFERS
    ]
    return (
        *hello,
        *(BufferSpec(name, (protocol,), _BOTH, CERT, multi=multi) for name, multi in _CERT_BUFFERS),
    )


def _values(protocol: str) -> tuple[ValueSpec, ...]:
    """Give what both compare; ``ssl_version`` names versions of TLS only."""
    validity = ("tls_cert_notbefore", "tls_cert_notafter")
    return (
        ValueSpec("tls.version", (protocol,), _BOTH, HELLO, rules.same_version),
        ValueSpec("tls.cert_chain_len", (protocol,), (TOCLIENT,), CERT),
        *(ValueSpec(name, (protocol,), (TOCLIENT,), CERT) for name in validity),
        ValueSpec("tls_cert_valid", (protocol,), (TOCLIENT,), CERT, rules.is_so),
        ValueSpec("tls_cert_expired", (protocol,), (TOCLIENT,), CERT, rules.is_so),
    )


_RECORD = (Pattern(b"\x16\x03", confirm=_probe),)
_PORTS = ((443, 443),)

SPECS = (
    ProtocolSpec(
        "tls",
        parser=TlsParser,
        patterns=(_RECORD, _RECORD),
        probings=tuple(Probing(_probe, direction, _PORTS) for direction in _BOTH),
        states=_STATES,
        frames=frozenset(("pdu", "hdr", "data", "alert", "heartbeat")),
        buffers=_buffers("tls"),
        values=(
            *_values("tls"),
            ValueSpec("ssl_version", ("tls",), _BOTH, HELLO, rules.named_version),
            ValueSpec("ssl_state", ("tls",), _BOTH, test=rules.in_state),
        ),
        log="tls",
        aliases=("ssl",),
        events=EVENTS,
    ),
    ProtocolSpec(
        "dtls",
        ("udp",),
        parser=dtls.DtlsParser,
        probings=tuple(Probing(dtls.probe, direction) for direction in _BOTH),
        sender=dtls.sender,
        states=_STATES,
        buffers=_buffers("dtls"),
        values=_values("dtls"),
        log="tls",
        events=EVENTS - {"invalid_sslv2_header", "invalid_tls_header"},
    ),
)
