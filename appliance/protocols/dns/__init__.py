"""DNS, multicast DNS and LLMNR."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dns import mdnslog
from appliance.protocols.dns.message import Message
from appliance.protocols.dns.parser import (
    DIRECTIONS,
    DnsParser,
    DnsTransaction,
    probe,
    probe_stream,
    sender,
)
from appliance.protocols.spec import Probing, ProtocolSpec

EVENTS = frozenset(
    (
        "infinite_loop",
        "invalid_additionals",
        "invalid_authorities",
        "invalid_opcode",
        "malformed_data",
        "name_too_long",
        "not_a_request",
        "not_a_response",
        "too_many_labels",
        "z_flag_set",
    )
)


class MdnsTransaction(DnsTransaction):
    """A message of multicast DNS, which is recorded in another form."""

    __slots__ = ()

    @override
    def log(self) -> dict[str, Any]:
        return mdnslog.body(self.message)

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        return [self.log()]


class MdnsParser(DnsParser):
    """Multicast DNS (RFC 6762): the same messages, logged under their own name."""

    name = "mdns"
    log_type = "mdns"
    transaction = MdnsTransaction

    @override
    def _check(self, message: Message, direction: int) -> None:
        """Find nothing wrong with flags and directions, which multicast uses otherwise."""


class LlmnrParser(DnsParser):
    """Link-local multicast name resolution (RFC 4795): again the same messages, with flags of their own."""

    name = "llmnr"
    log_type = "llmnr"

    @override
    def _check(self, message: Message, direction: int) -> None:
        """Find nothing wrong with flags, which have another meaning here."""


def _buffers(proto: str) -> tuple[BufferSpec, ...]:
    # Messages of multicast DNS all go to the same port, answers too.
    answer = DIRECTIONS if proto == "mdns" else (TOCLIENT,)
    rows = (
        ("query", (TOSERVER,)),
        ("query.name", DIRECTIONS),
        ("queries.rrname", DIRECTIONS),
        ("answers.rrname", DIRECTIONS),
        ("answer.name", DIRECTIONS),
        ("authorities.rrname", DIRECTIONS),
        ("additionals.rrname", DIRECTIONS),
        ("response.rrname", answer),
    )
    return tuple(BufferSpec(f"{proto}.{name}", (proto,), directions, multi=True) for name, directions in rows)


_VALUES = (
    ValueSpec("dns.opcode", ("dns",), DIRECTIONS),
    ValueSpec("dns.rcode", ("dns",), DIRECTIONS),
    ValueSpec("dns.rrtype", ("dns",), DIRECTIONS),
)

_PORT = ((53, 53),)
_MULTICAST_PORT = ((5353, 5353),)
_LINK_LOCAL_PORT = ((5355, 5355),)

SPECS = (
    ProtocolSpec(
        "dns",
        transports=("udp", "tcp"),
        parser=DnsParser,
        probings=tuple(
            Probing(function, direction, _PORT, transport)
            for function, transport in ((probe, "udp"), (probe_stream, "tcp"))
            for direction in DIRECTIONS
        ),
        buffers=_buffers("dns"),
        values=_VALUES,
        log="dns",
        sender=sender,
        events=EVENTS,
        frames=frozenset(("pdu",)),
    ),
    ProtocolSpec(
        "mdns",
        transports=("udp",),
        parser=MdnsParser,
        probings=tuple(Probing(probe, direction, _MULTICAST_PORT) for direction in DIRECTIONS),
        buffers=_buffers("mdns"),
        values=(ValueSpec("mdns.rrtype", ("mdns",), DIRECTIONS),),
        log="mdns",
        events=EVENTS,
        frames=frozenset(("pdu",)),
    ),
    ProtocolSpec(
        "llmnr",
        transports=("udp", "tcp"),
        parser=LlmnrParser,
        probings=tuple(
            Probing(function, direction, _LINK_LOCAL_PORT, transport)
            for function, transport in ((probe, "udp"), (probe_stream, "tcp"))
            for direction in DIRECTIONS
        ),
        log="llmnr",
        events=EVENTS,
    ),
)
