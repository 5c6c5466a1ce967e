"""DHCP: each message is a transaction of its own."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import Parser, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dhcp import log
from appliance.protocols.dhcp import message as dhcp
from appliance.protocols.dhcp.message import Message, parse
from appliance.protocols.single import MessageTransaction
from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((67, 68),)
_TIMES = {
    "dhcp.leasetime": dhcp.LEASE_TIME,
    "dhcp.rebinding_time": dhcp.REBINDING_TIME,
    "dhcp.renewal_time": dhcp.RENEWAL_TIME,
}


class DhcpTransaction(MessageTransaction):
    """One message; it exists in its own direction only."""

    __slots__ = ("message",)

    def __init__(self, tx_id: int, direction: int, message: Message) -> None:
        """Wrap ``message`` that travelled in ``direction``."""
        super().__init__(tx_id, direction)
        self.message = message
        self.events.extend(message.events)

    @override
    def value(self, name: str) -> Any:
        return self.message.seconds(_TIMES[name]) if name in _TIMES else None

    @override
    def log(self) -> dict[str, Any]:
        return log.body(self.message, extended=True)

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Without ``extended``, tell of the addresses that were given and of nothing else."""
        extended = options.get("extended") is True
        if not extended and self.message.kind != dhcp.ACK:
            return []
        return [log.body(self.message, extended=extended)]


class DhcpParser(Parser):
    """Messages of one flow; datagrams that are none are passed over."""

    name = "dhcp"
    log_type = "dhcp"

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        message = parse(chunk)
        if message is not None:
            self.transactions.append(DhcpTransaction(self.next_tx, direction, message))
            self.next_tx += 1


def probe(data: bytes) -> int:
    """Tell whether a datagram is a message, by its operation and cookie."""
    known = data[:1] in {b"\x01", b"\x02"}
    return PROBE_YES if known and parse(data) is not None else PROBE_NO


SPECS = (
    ProtocolSpec(
        "dhcp",
        transports=("udp",),
        parser=DhcpParser,
        probings=tuple(Probing(probe, direction, _PORTS) for direction in _BOTH),
        values=tuple(ValueSpec(name, ("dhcp",), _BOTH) for name in _TIMES),
        log="dhcp",
        events=frozenset(("malformed_options", "truncated_options")),
    ),
)
