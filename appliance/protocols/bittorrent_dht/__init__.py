"""The distributed hash table of BitTorrent (BEP 5, BEP 32): each message is a transaction of its own."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import Parser
from appliance.protocols.bittorrent_dht.bencode import decode
from appliance.protocols.bittorrent_dht.log import body
from appliance.protocols.single import MessageTransaction
from appliance.protocols.spec import Pattern, ProtocolSpec


class DhtTransaction(MessageTransaction):
    """One message; it exists in its own direction only."""

    __slots__ = ("body",)

    def __init__(self, tx_id: int, direction: int, raw: bytes) -> None:
        """Read a datagram."""
        super().__init__(tx_id, direction)
        self.body, sound = body(decode(raw))
        if not sound:
            self.events.append("malformed_packet")

    @override
    def log(self) -> dict[str, Any]:
        return self.body


class DhtParser(Parser):
    """Messages of one flow."""

    name = "bittorrent-dht"
    log_type = "bittorrent-dht"

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        self.transactions.append(DhtTransaction(self.next_tx, direction, chunk))
        self.next_tx += 1


# Keys are sorted, so that a message begins with its arguments, error, address of the asker, or reply.
_STARTS = tuple(Pattern(start) for start in (b"d1:ad2:id20:", b"d1:rd2:id20:", b"d2:ip", b"d1:el"))

SPECS = (
    ProtocolSpec(
        "bittorrent-dht",
        transports=("udp",),
        parser=DhtParser,
        patterns=(_STARTS, _STARTS),
        log="bittorrent-dht",
        events=frozenset(("malformed_packet",)),
    ),
)
