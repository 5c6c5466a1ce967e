"""LDAP version 3."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols import ber
from appliance.protocols.ldap import names
from appliance.protocols.ldap.parser import MAX_MESSAGE, LdapParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

_PORTS = ((389, 389), (3268, 3268))  # the second is the global catalogue of Active Directory
_LDAP = ("ldap",)


def _probe(data: bytes, *, request: bool) -> int:
    """Tell whether the bytes begin with a message: a sequence of a number and a known operation."""
    if data[:1] != b"\x30":
        return PROBE_NO if data else PROBE_MAYBE
    size = ber.size(data)
    if size in {ber.BAD, ber.MORE} or size > MAX_MESSAGE:
        return PROBE_MAYBE if size == ber.MORE else PROBE_NO
    at = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    if len(data) < at + 2:
        return PROBE_MAYBE
    length = data[at + 1]
    if data[at] != ber.INTEGER or not 0 < length <= 5:
        return PROBE_NO
    if len(data) <= at + 2 + length:
        return PROBE_MAYBE
    return PROBE_YES if _operation(data[at + 2 + length], request=request) else PROBE_NO


def _operation(tag: int, *, request: bool) -> bool:
    """Tell whether a tag is that of a request, or of a response."""
    number = tag & 0x1F
    primitive = number in names.PRIMITIVE
    known = tag & 0xC0 == 0x40 and number in names.OPERATIONS and bool(tag & 0x20) != primitive
    return known and (number in names.REQUESTS) == request


def probe_request(data: bytes) -> int:
    """Tell whether a client speaks LDAP."""
    return _probe(data, request=True)


def probe_response(data: bytes) -> int:
    """Tell whether a server speaks LDAP."""
    return _probe(data, request=False)


# On any port: the first message that nearly every client sends, a bind with number 1.
_BINDS = tuple(Pattern(b"\x02\x01\x01\x60", offset, confirm=probe_request) for offset in (2, 3, 4, 6))

SPECS = (
    ProtocolSpec(
        "ldap",
        transports=("tcp", "udp"),
        parser=LdapParser,
        patterns=(_BINDS, ()),
        probings=(Probing(probe_request, TOSERVER, _PORTS), Probing(probe_response, TOCLIENT, _PORTS)),
        buffers=(
            BufferSpec("ldap.request.dn", _LDAP, (TOSERVER,)),
            BufferSpec("ldap.request.attribute_type", _LDAP, (TOSERVER,), multi=True),
            BufferSpec("ldap.responses.dn", _LDAP, (TOCLIENT,), growing=True, multi=True),
            BufferSpec("ldap.responses.message", _LDAP, (TOCLIENT,), growing=True, multi=True),
            BufferSpec("ldap.responses.attribute_type", _LDAP, (TOCLIENT,), growing=True, multi=True),
        ),
        values=(
            ValueSpec("ldap.request.operation", _LDAP, (TOSERVER,)),
            ValueSpec("ldap.responses.operation", _LDAP, (TOCLIENT,)),
            ValueSpec("ldap.responses.result_code", _LDAP, (TOCLIENT,)),
            ValueSpec("ldap.responses.count", _LDAP, (TOCLIENT,)),
        ),
        log="ldap",
        frames=frozenset(("pdu",)),
        events=frozenset(("incomplete_data", "invalid_data", "request_not_found", "too_many_transactions")),
    ),
)
