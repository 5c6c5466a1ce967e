"""What rules and logs ask of a server's certificate. X.509 itself is read by ``cryptography``."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field

from cryptography import x509

from appliance.protocols.tls import der as plain

MAX_CHAIN = 32

# Names of attributes as they are usually written (RFC 4514 section 3 and common use), by OID.
_ATTRIBUTES = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.17": "postalCode",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}


@dataclass(slots=True)
class Certificate:
    """Fields of one certificate in the forms that logs use; times are seconds since the epoch."""

    der: bytes
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    fingerprint: str = ""
    not_before: int = 0
    not_after: int = 0
    names: list[str] = field(default_factory=list)


def split_chain(body: bytes, *, tls13: bool) -> tuple[list[bytes], bool]:
    """Cut a Certificate message into DER certificates; the flag tells that lengths made sense."""
    at = 1 + body[0] if tls13 and body else 0
    total = int.from_bytes(body[at : at + 3], "big")
    at += 3
    end = at + total
    sound = end <= len(body)
    chain: list[bytes] = []
    while at + 3 <= min(end, len(body)) and len(chain) < MAX_CHAIN:
        length = int.from_bytes(body[at : at + 3], "big")
        der = body[at + 3 : at + 3 + length]
        if not length or len(der) < length:
            return chain, False
        chain.append(der)
        at += 3 + length
        if tls13:
            at += 2 + int.from_bytes(body[at : at + 2], "big")
    return chain, sound


def parse(der: bytes) -> Certificate | None:
    """Read a certificate, None when it is none."""
    fingerprint = ":".join(f"{byte:02x}" for byte in hashlib.sha1(der, usedforsecurity=False).digest())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd certificates are what we are here for
            found = x509.load_der_x509_certificate(der)
            return Certificate(
                der,
                _name(found.subject),
                _name(found.issuer),
                _serial(found.serial_number),
                fingerprint,
                int(found.not_valid_before_utc.timestamp()),
                int(found.not_valid_after_utc.timestamp()),
                _alternative_names(found),
            )
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion):
        return _lenient(der, fingerprint)


def _lenient(der: bytes, fingerprint: str) -> Certificate | None:
    """Read what a strict reader refuses, since clients may not be as strict."""
    found = plain.read(der)
    if found is None:
        return None
    return Certificate(
        der,
        _joined(found.subject),
        _joined(found.issuer),
        _serial(found.serial),
        fingerprint,
        found.not_before,
        found.not_after,
    )


def _joined(name: list[tuple[str, str]]) -> str:
    return ", ".join(f"{_ATTRIBUTES.get(oid, oid)}={text}" for oid, text in name)


def _name(name: x509.Name) -> str:
    parts = []
    for attribute in name:
        oid = attribute.oid.dotted_string
        value = attribute.value
        text = value if isinstance(value, str) else value.decode("latin-1")
        parts.append(f"{_ATTRIBUTES.get(oid, oid)}={text}")
    return ", ".join(parts)


def _serial(number: int) -> str:
    """Write the octets of the serial number as they are encoded, a zero before a high bit included."""
    if number < 0:
        return "-" + _serial(-number)
    length = number.bit_length() // 8 + 1
    return ":".join(f"{byte:02X}" for byte in number.to_bytes(length, "big"))


def _alternative_names(found: x509.Certificate) -> list[str]:
    """Names of the subjectAltName extension; an extension that cannot be read has none."""
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (
        ValueError,
        TypeError,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        return []
    names = []
    for item in extension.value:
        value = item.value
        if isinstance(value, x509.Name):
            names.append(_name(value))
        elif isinstance(value, bytes):
            names.append(value.hex())
        else:
            names.append(str(value))
    return names
