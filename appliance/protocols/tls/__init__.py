"""TLS and SSL, and DTLS."""

from __future__ import annotations

from typing import Any

from appliance.model.app import COMPLETE, START, BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec
from appliance.protocols.tls import dtls, log
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

_VERSION_ARGUMENTS = {
    "1.0": (0x0301, 0xFEFF),
    "1.1": (0x0302,),
    "1.2": (0x0303, 0xFEFD),
    "1.3": (0x0304, 0xFEFC),
    "sslv2": (0x0002,),
    "sslv3": (0x0300,),
    "tls1.0": (0x0301,),
    "tls1.1": (0x0302,),
    "tls1.2": (0x0303,),
    "tls1.3": (0x0304,),
}


def _same_version(value: Any, argument: str) -> bool:
    """Compare a version number with what a rule writes: ``1.2``, ``0x7f16``."""
    text = argument.strip().strip('"').lower()
    if text.startswith("0x"):
        return (
            bool(value == int(text, 16)) if all(c in "0123456789abcdef" for c in text[2:] or "x") else False
        )
    wanted = _VERSION_ARGUMENTS.get(text, ())
    return value in wanted or (text.endswith("1.3") and value >> 8 == 0x7F)


def _named_version(value: Any, argument: str) -> bool:
    """Compare with a list of ``ssl_version``: ``sslv3,tls1.0``, each of them negated by ``!``."""
    names = [part.strip().lower() for part in argument.split(",")]
    refused = [name[1:].strip() for name in names if name.startswith("!")]
    present = {key for key, numbers in _VERSION_ARGUMENTS.items() if log.VERSIONS.get(numbers[0]) == value}
    if refused:
        return not present & set(refused)
    return bool(present & set(names))


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
    return (
        ValueSpec("tls.version", (protocol,), _BOTH, HELLO, _same_version),
        ValueSpec("tls.cert_chain_len", (protocol,), (TOCLIENT,), CERT),
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
            ValueSpec("ssl_version", ("tls",), _BOTH, HELLO, _named_version),
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
