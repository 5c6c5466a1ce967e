"""What a session setup says of its user: NTLMSSP (MS-NLMP) and Kerberos tickets, usually inside SPNEGO.

Only the few fields that name somebody are read. DER is walked with a bound on depth and elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from appliance.protocols.smb.text import number, oem, utf16

_SIGNATURE = b"NTLMSSP\0"
_AUTHENTICATE = 3
_UNICODE, _VERSION = 0x00000001, 0x02000000
_KERBEROS_OIDS = (
    b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
    b"\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02",
)
_AP_REQ, _TICKET = 0x6E, 0x61
_GENERAL_STRING = 0x1B
_MAX_ELEMENTS = 256
_MAX_NAMES = 16


@dataclass(slots=True)
class Ntlm:
    """Who logs on; ``warning`` tells that the fields lie in an order that no client uses."""

    domain: str
    user: str
    host: str
    version: str = ""
    warning: bool = False

    def log(self) -> dict[str, Any]:
        """Give the ``ntlmssp`` object of the record."""
        body: dict[str, Any] = {"domain": self.domain, "user": self.user, "host": self.host}
        if self.version:
            body["version"] = self.version
        if self.warning:
            body["warning"] = True
        return body


@dataclass(slots=True)
class Kerberos:
    """The service that a ticket is for."""

    realm: str
    snames: list[str] = field(default_factory=list)

    def log(self) -> dict[str, Any]:
        """Give the ``kerberos`` object of the record."""
        return {"realm": self.realm, "snames": self.snames}


def read(blob: bytes) -> tuple[Ntlm | None, Kerberos | None, bool]:
    """Read a security blob: (NTLM log-on, Kerberos ticket, whether NTLMSSP in it is sound)."""
    at = blob.find(_SIGNATURE)
    if at >= 0:
        message = blob[at:]
        if len(message) < 12:
            return None, None, False
        if number(message, 8, 4) != _AUTHENTICATE:
            return None, None, number(message, 8, 4) in {1, 2}
        found = _authenticate(message)
        return found, None, found is not None
    for oid in _KERBEROS_OIDS:
        at = blob.find(oid + b"\x01\x00")
        if at >= 0:
            return None, _ap_req(blob[at + len(oid) + 2 :]), True
    return None, None, True


def _authenticate(message: bytes) -> Ntlm | None:
    """Read AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3); None when a field points outside."""
    if len(message) < 64:
        return None
    flags = number(message, 60, 4)
    decode = utf16 if flags & _UNICODE else oem
    texts, places = [], []
    for at in (28, 36, 44):
        length, offset = number(message, at, 2), number(message, at + 4, 4)
        if offset + length > len(message):
            return None
        texts.append(decode(message[offset : offset + length]))
        places.append(offset)
    found = Ntlm(texts[0], texts[1], texts[2], warning=places != sorted(places))
    if flags & _VERSION and len(message) >= 72:
        build = number(message, 66, 2)
        found.version = f"{message[64]}.{message[65]} build {build} rev {message[71]}"
    return found


def element(raw: bytes, at: int, end: int) -> tuple[int, int, int] | None:
    """Read the head of a DER element: (tag, start, end of its content); None when it does not fit."""
    if at + 2 > end:
        return None
    tag, length = raw[at], raw[at + 1]
    start = at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 4 or start + size > end:
            return None
        length = int.from_bytes(raw[start : start + size], "big")
        start += size
    return (tag, start, start + length) if start + length <= end else None


def _children(raw: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    while len(found) < _MAX_ELEMENTS:
        item = element(raw, start, end)
        if item is None:
            break
        found.append(item)
        start = item[2]
    return found


def _field(raw: bytes, span: tuple[int, int], tag: int) -> tuple[int, int] | None:
    """Find the child with ``tag`` in a span."""
    return next(((item[1], item[2]) for item in _children(raw, *span) if item[0] == tag), None)


def _path(raw: bytes, *tags: int) -> tuple[int, int] | None:
    """Go down from the start of ``raw`` by tags."""
    span: tuple[int, int] | None = (0, len(raw))
    for tag in tags:
        span = _field(raw, span, tag) if span is not None else None
    return span


def _ap_req(raw: bytes) -> Kerberos | None:
    """Read realm and service of the ticket in an AP-REQ (RFC 4120 sections 5.5.1 and 5.3)."""
    ticket = _path(raw, _AP_REQ, 0x30, 0xA3, _TICKET, 0x30)
    if ticket is None:
        return None
    realm = _field(raw, ticket, 0xA1)
    name = _field(raw, ticket, 0xA2)
    found = Kerberos("")
    if realm is not None:
        found.realm = "".join(_strings(raw, realm))
    sequence = _field(raw, name, 0x30) if name is not None else None
    strings = _field(raw, sequence, 0xA1) if sequence is not None else None
    inner = _field(raw, strings, 0x30) if strings is not None else None
    if inner is not None:
        found.snames = _strings(raw, inner)
    return found


def _strings(raw: bytes, span: tuple[int, int]) -> list[str]:
    items = _children(raw, *span)[:_MAX_NAMES]
    return [oem(raw[start:end]) for tag, start, end in items if tag == _GENERAL_STRING]
