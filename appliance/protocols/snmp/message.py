"""SNMP messages: version 1 and 2c (RFC 1157, RFC 3416), version 3 (RFC 3412, RFC 3414)."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.protocols import ber

USM = 3  # security model of version 3 (RFC 3411 section 5)
_ENCRYPTED = 0x02  # msgFlags
_TRAP_V1, _BULK = 4, 5
_MAX_VARS = 512
_IP_ADDRESS = 0x40

PDUS = (
    "get_request",
    "get_next_request",
    "response",
    "set_request",
    "trap_v1",
    "get_bulk_request",
    "inform_request",
    "trap_v2",
    "report",
)
# RFC 3416 section 3.
ERRORS = (
    "NoError",
    "TooBig",
    "NoSuchName",
    "BadValue",
    "ReadOnly",
    "GenErr",
    "NoAccess",
    "WrongType",
    "WrongLength",
    "WrongEncoding",
    "WrongValue",
    "NoCreation",
    "InconsistentValue",
    "ResourceUnavailable",
    "CommitFailed",
    "UndoFailed",
    "AuthorizationError",
    "NotWritable",
    "InconsistentName",
)
# RFC 1157 section 4.1.6.
TRAPS = (
    "ColdStart",
    "WarmStart",
    "LinkDown",
    "LinkUp",
    "AuthenticationFailure",
    "EgpNeighborLoss",
    "EnterpriseSpecific",
)


@dataclass(slots=True)
class Message:
    """One message. ``pdu`` is None where it is encrypted; ``events`` is what is wrong with it."""

    version: int = 0
    community: bytes | None = None
    user: bytes | None = None
    encrypted: bool = False
    pdu: int | None = None
    error: int = 0
    variables: list[str] = field(default_factory=list)
    trap: int | None = None
    trap_oid: str = ""
    trap_address: str = ""
    events: list[str] = field(default_factory=list)


def parse(raw: bytes) -> Message | None:
    """Read a message, None when it is malformed."""
    body = ber.inner(raw, ber.SEQUENCE)
    if body is None:
        return None
    parts, _ = ber.elements(body, 4)
    number = ber.integer(parts[0].body) if parts and parts[0].tag == ber.INTEGER else None
    if number in {0, 1}:
        return _community(Message(number + 1), parts) if number is not None else None
    return _secured(Message(3), parts) if number == 3 and len(parts) == 4 else None


def _community(message: Message, parts: list[ber.Element]) -> Message | None:
    """Versions 1 and 2c: the community and the PDU in the clear."""
    if len(parts) < 3 or parts[1].tag != ber.OCTETS:
        return None
    message.community = parts[1].body
    return message if _pdu(message, parts[2]) else None


def _secured(message: Message, parts: list[ber.Element]) -> Message | None:
    """Version 3: global data, security parameters, the PDU or its ciphertext."""
    common, _ = ber.elements(parts[1].body, 4)
    if parts[1].tag != ber.SEQUENCE or len(common) < 4 or parts[2].tag != ber.OCTETS:
        return None
    if ber.integer(common[3].body) == USM:
        message.user = _user(parts[2].body)
        if message.user is None:
            return None
    else:
        message.events.append("unknown_security_model")
    flags = common[2].body[:1] or b"\0"
    if flags[0] & _ENCRYPTED or parts[3].tag == ber.OCTETS:
        message.encrypted = True
        return message
    scoped, _ = ber.elements(parts[3].body, 3)
    if parts[3].tag != ber.SEQUENCE or len(scoped) < 3:
        return None
    return message if _pdu(message, scoped[2]) else None


def _user(body: bytes) -> bytes | None:
    """Give the user's name of UsmSecurityParameters (RFC 3414 section 2.4)."""
    inside = ber.inner(body, ber.SEQUENCE)
    fields, _ = ber.elements(inside, 4) if inside is not None else ([], False)
    return fields[3].body if len(fields) == 4 and fields[3].tag == ber.OCTETS else None


def _pdu(message: Message, element: ber.Element) -> bool:
    """Read type, error and the names of variables."""
    if element.tag & 0xE0 != ber.CONTEXT:
        return False
    message.pdu = element.tag & 0x1F
    if message.pdu >= len(PDUS):
        return False
    fields, _ = ber.elements(element.body, 6)
    if message.pdu == _TRAP_V1:
        return _trap(message, fields)
    if len(fields) < 4 or fields[3].tag != ber.SEQUENCE or any(f.tag != ber.INTEGER for f in fields[:3]):
        return False
    if message.pdu != _BULK:  # which has the number of non-repeaters there
        message.error = ber.integer(fields[1].body) or 0
    return _variables(message, fields[3].body)


def _trap(message: Message, fields: list[ber.Element]) -> bool:
    """Read a Trap-PDU of version 1 (RFC 1157 section 4.1.6)."""
    if len(fields) < 6 or fields[0].tag != ber.OID or fields[5].tag != ber.SEQUENCE:
        return False
    message.trap = ber.integer(fields[2].body)
    message.trap_oid = ber.oid(fields[0].body)
    address = fields[1].body
    if fields[1].tag == _IP_ADDRESS and len(address) == 4:
        message.trap_address = ".".join(str(byte) for byte in address)
    return message.trap is not None and _variables(message, fields[5].body)


def _variables(message: Message, body: bytes) -> bool:
    bindings, sound = ber.elements(body, _MAX_VARS)
    for binding in bindings:
        name = ber.inner(binding.body, ber.OID)
        if binding.tag != ber.SEQUENCE or name is None:
            return False
        message.variables.append(ber.oid(name))
    return sound or len(bindings) == _MAX_VARS
