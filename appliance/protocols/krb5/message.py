"""Kerberos messages (RFC 4120): the names, encryption types and errors in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.protocols import ber
from appliance.protocols.krb5 import names

_APPLICATION = 0x60  # class and constructed bit of the outermost tag; the rest is the message type
_TICKET = _APPLICATION | 1
_GENERAL_STRING = 0x1B
_MAX_COMPONENTS = 64


@dataclass(slots=True)
class Message:
    """One message; what it does not have is None or empty."""

    kind: int
    cname: list[bytes] = field(default_factory=list)
    realm: bytes | None = None
    sname: list[bytes] = field(default_factory=list)
    encryption: int | None = None
    ticket_encryption: int | None = None
    error: int | None = None


def kind_of(raw: bytes) -> int:
    """Give the message type that the first byte announces, 0 when it is none."""
    kind = raw[0] & 0x1F if raw and raw[0] & 0xE0 == _APPLICATION else 0
    return kind if kind in names.MESSAGES else 0


def parse(raw: bytes) -> Message | None:
    """Read a message, None when it is malformed or of a kind that does not go to or from a server."""
    outer, end = ber.read(raw)
    if outer is None or not kind_of(raw):
        return None
    body = ber.inner(outer.body, ber.SEQUENCE)
    if body is None or end > len(raw):
        return None
    kind = kind_of(raw)
    return _READERS[kind](Message(kind), ber.fields(body))


def _request(message: Message, found: dict[int, bytes]) -> Message | None:
    """AS-REQ and TGS-REQ, section 5.4.1."""
    body = ber.inner(found.get(4), ber.SEQUENCE)
    if body is None or _number(found.get(1)) is None or _number(found.get(2)) != message.kind:
        return None
    wanted = ber.fields(body)
    return _principals(message, wanted.get(1), wanted.get(2), wanted.get(3))


def _reply(message: Message, found: dict[int, bytes]) -> Message | None:
    """AS-REP and TGS-REP, section 5.4.2."""
    ticket = ber.inner(ber.inner(found.get(5), _TICKET), ber.SEQUENCE)
    sealed = ber.inner(found.get(6), ber.SEQUENCE)
    if ticket is None or sealed is None or _number(found.get(1)) != message.kind:
        return None
    shown = ber.fields(ticket)
    message.encryption = _number(ber.fields(sealed).get(0))
    message.ticket_encryption = _encryption(shown.get(3))
    return _principals(message, found.get(4), found.get(3), shown.get(2))


def _application(message: Message, found: dict[int, bytes]) -> Message | None:
    """AP-REQ and AP-REP, section 5.5."""
    if _number(found.get(1)) != message.kind:
        return None
    ticket = ber.inner(ber.inner(found.get(3), _TICKET), ber.SEQUENCE)
    if ticket is None:
        return message
    shown = ber.fields(ticket)
    message.ticket_encryption = _encryption(shown.get(3))
    return _principals(message, None, shown.get(1), shown.get(2))


def _error(message: Message, found: dict[int, bytes]) -> Message | None:
    """KRB-ERROR, section 5.9.1."""
    message.error = _number(found.get(6))
    if message.error is None or _number(found.get(1)) != message.kind:
        return None
    return _principals(message, found.get(8), found.get(9), found.get(10))


def _number(body: bytes | None) -> int | None:
    return ber.integer(ber.inner(body, ber.INTEGER))


def _encryption(body: bytes | None) -> int | None:
    """Give the type in EncryptedData, section 5.2.9."""
    sealed = ber.inner(body, ber.SEQUENCE)
    return _number(ber.fields(sealed).get(0)) if sealed is not None else None


def _principals(message: Message, cname: bytes | None, realm: bytes | None, sname: bytes | None) -> Message:
    message.cname = _principal(cname)
    message.realm = ber.inner(realm, _GENERAL_STRING)
    message.sname = _principal(sname)
    return message


def _principal(body: bytes | None) -> list[bytes]:
    """Give the components of a PrincipalName, section 5.2.2."""
    name = ber.inner(body, ber.SEQUENCE)
    parts = ber.inner(ber.fields(name).get(1), ber.SEQUENCE) if name is not None else None
    if parts is None:
        return []
    found, _ = ber.elements(parts, _MAX_COMPONENTS)
    return [part.body for part in found if part.tag == _GENERAL_STRING]


_READERS = {
    names.AS_REQ: _request,
    names.TGS_REQ: _request,
    names.AS_REP: _reply,
    names.TGS_REP: _reply,
    names.AP_REQ: _application,
    names.AP_REP: _application,
    names.ERROR: _error,
}
