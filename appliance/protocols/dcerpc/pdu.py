"""Protocol data units of DCE/RPC: version 5 for connections, version 4 for datagrams (C706 chapter 12)."""

from __future__ import annotations

from dataclasses import dataclass, field

REQUEST, PING, RESPONSE, FAULT, WORKING, NOCALL, REJECT = range(7)
BIND, BIND_ACK, BIND_NAK, ALTER_CONTEXT, ALTER_CONTEXT_RESP, AUTH3 = range(11, 17)
NAMES = (
    "REQUEST",
    "PING",
    "RESPONSE",
    "FAULT",
    "WORKING",
    "NOCALL",
    "REJECT",
    "ACK",
    "CL_CANCEL",
    "FACK",
    "CANCEL_ACK",
    "BIND",
    "BINDACK",
    "BINDNAK",
    "ALTER_CONTEXT",
    "ALTER_CONTEXT_RESP",
    "AUTH3",
    "SHUTDOWN",
    "CO_CANCEL",
    "ORPHANED",
)
FIRST_FRAG, LAST_FRAG = 0x01, 0x02

HEADER_LEN = 16
CL_HEADER_LEN = 80
CL_LAST_FRAG, CL_FRAG = 0x02, 0x04
_SYNTAX_LEN = 20


@dataclass(slots=True)
class Interface:
    """An interface that a client asks for in a presentation context, and the server's answer to it.

    ``result`` is -1 until the server has answered; 0 is acceptance.
    """

    context: int
    uuid: str
    major: int
    minor: int
    result: int = -1


@dataclass(slots=True)
class Pdu:
    """One PDU. ``body`` is what follows the common header, without the authentication verifier."""

    kind: int
    flags: int
    endian: str
    call_id: int
    body: bytes
    version: str = "5.0"
    opnum: int = -1
    context: int = -1
    stub: bytes = b""
    interfaces: list[Interface] = field(default_factory=list)
    results: list[int] = field(default_factory=list)

    @property
    def first(self) -> bool:
        """Tell whether this is the first fragment."""
        return bool(self.flags & FIRST_FRAG)

    @property
    def last(self) -> bool:
        """Tell whether this is the last fragment."""
        return bool(self.flags & LAST_FRAG)


def kind_name(kind: int) -> str:
    """Name a PDU type as records do."""
    return NAMES[kind] if 0 <= kind < len(NAMES) else "UNKNOWN"


def number(data: bytes | bytearray, at: int, size: int, endian: str) -> int:
    """Read an unsigned number; what is missing counts as zero bytes."""
    return int.from_bytes(data[at : at + size].ljust(size, b"\0"), "little" if endian == "little" else "big")


def uuid_text(raw: bytes, endian: str) -> str:
    """Write a UUID; in little-endian PDUs its first three fields are turned round."""
    raw = raw[:16].ljust(16, b"\0")
    if endian == "little":
        raw = raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def endian_of(drep: int) -> str:
    """Give the byte order that the first byte of the data representation stands for."""
    return "little" if drep & 0xF0 == 0x10 else "big"


def plausible(raw: bytes | bytearray) -> bool:
    """Tell whether ``raw`` (at least :data:`HEADER_LEN` bytes) begins with a version 5 header."""
    return (
        raw[0] == 5
        and raw[1] <= 1
        and raw[2] < len(NAMES)
        and raw[4] & 0xEE == 0
        and raw[5] <= 3
        and fragment_length(raw) >= HEADER_LEN
    )


def fragment_length(raw: bytes | bytearray) -> int:
    """Give the length of the PDU whose header ``raw`` begins with."""
    return number(raw, 8, 2, endian_of(raw[4]))


def parse(raw: bytes) -> Pdu:
    """Read a version 5 PDU; ``raw`` has at least its header, and at most its announced length is read."""
    endian = endian_of(raw[4])
    raw = raw[: max(fragment_length(raw), HEADER_LEN)]
    pdu = Pdu(raw[2], raw[3], endian, number(raw, 12, 4, endian), raw[HEADER_LEN:], f"{raw[0]}.{raw[1]}")
    reader = _READERS.get(pdu.kind)
    if reader is not None:
        reader(pdu)
    return pdu


def _read_request(pdu: Pdu) -> None:
    pdu.context = number(pdu.body, 4, 2, pdu.endian)
    pdu.opnum = number(pdu.body, 6, 2, pdu.endian)
    # The object, where there is one, is left in front: rules are written against it that way.
    pdu.stub = pdu.body[8:]


def _read_response(pdu: Pdu) -> None:
    pdu.context = number(pdu.body, 4, 2, pdu.endian)
    pdu.stub = pdu.body[8:]


def _read_contexts(pdu: Pdu) -> None:
    """Read the presentation context list of a bind: one abstract and some transfer syntaxes each."""
    body, endian = pdu.body, pdu.endian
    count, at = (body[8] if len(body) > 8 else 0), 12
    while count and at + 4 + _SYNTAX_LEN <= len(body):
        version = number(body, at + 20, 4, endian)
        uuid = uuid_text(body[at + 4 : at + 20], endian)
        pdu.interfaces.append(Interface(number(body, at, 2, endian), uuid, version & 0xFFFF, version >> 16))
        at += 4 + _SYNTAX_LEN * (1 + body[at + 2])
        count -= 1


def _read_results(pdu: Pdu) -> None:
    """Read the result list of a bind acknowledgement, after the secondary address and its padding."""
    body, endian = pdu.body, pdu.endian
    at = 10 + number(body, 8, 2, endian)
    at += -at % 4
    if at >= len(body):
        return
    count, at = body[at], at + 4
    while count and at + 4 + _SYNTAX_LEN <= len(body):
        pdu.results.append(number(body, at, 2, endian))
        at += 4 + _SYNTAX_LEN
        count -= 1


_READERS = {
    REQUEST: _read_request,
    RESPONSE: _read_response,
    FAULT: _read_response,
    BIND: _read_contexts,
    ALTER_CONTEXT: _read_contexts,
    BIND_ACK: _read_results,
    ALTER_CONTEXT_RESP: _read_results,
}


@dataclass(slots=True)
class Datagram:
    """A connectionless PDU."""

    kind: int
    flags: int
    endian: str
    interface: Interface
    activity: str
    sequence: int
    opnum: int
    fragment: int
    stub: bytes

    @property
    def last(self) -> bool:
        """Tell whether no fragment follows."""
        return not self.flags & CL_FRAG or bool(self.flags & CL_LAST_FRAG)


def parse_datagram(raw: bytes) -> Datagram | None:
    """Read a version 4 PDU; None when the bytes are none."""
    if not plausible_datagram(raw):
        return None
    endian = endian_of(raw[4])
    length = number(raw, 74, 2, endian)
    version = number(raw, 60, 4, endian)
    return Datagram(
        raw[1] & 0x1F,
        raw[2],
        endian,
        Interface(0, uuid_text(raw[24:40], endian), version & 0xFFFF, version >> 16, 0),
        uuid_text(raw[40:56], "little"),  # records write it so whatever the byte order
        number(raw, 64, 4, endian),
        number(raw, 68, 2, endian),
        number(raw, 76, 2, endian),
        raw[CL_HEADER_LEN : CL_HEADER_LEN + length],
    )


def plausible_datagram(raw: bytes) -> bool:
    """Tell whether ``raw`` is a version 4 PDU: version, type, flags, representation and length fit."""
    if len(raw) < CL_HEADER_LEN:
        return False
    return (
        raw[0] == 4
        and raw[1] <= 10
        and raw[3] & 0xFC == 0
        and raw[4] & 0xEE == 0
        and raw[5] <= 3
        and number(raw, 74, 2, endian_of(raw[4])) <= len(raw) - CL_HEADER_LEN
    )
