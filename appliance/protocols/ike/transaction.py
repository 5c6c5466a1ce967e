"""One IKE message as a transaction."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferValue
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.ike import names, v1, v2
from appliance.protocols.ike.message import V2_INITIATOR, Header, Payloads
from appliance.protocols.single import MessageTransaction

_VENDORS = {1: v1.VENDOR, 2: v2.VENDOR}


class IkeTransaction(MessageTransaction):
    """A message; ``header`` is None when it could not be read.

    ``ends`` are what client and server had sent in the clear when it came (version 1), ``content``
    what is in it (version 2).
    """

    __slots__ = ("chain", "content", "header", "own", "parties")

    def __init__(self, tx_id: int, direction: int, header: Header | None, chain: Payloads) -> None:
        """Wrap a message whose payloads are ``chain``."""
        super().__init__(tx_id, direction)
        self.header = header
        self.chain = chain
        self.parties = (v1.End(), v1.End())
        self.own = v1.End()  # what this message itself brought
        self.content = v2.Content()

    @property
    def key_exchange(self) -> bytes:
        """Give the public value in this message."""
        return self.own.key_exchange or self.content.key_exchange

    @property
    def nonce(self) -> bytes:
        """Give the nonce in this message."""
        return self.own.nonce or self.content.nonce

    @override
    def buffer(self, name: str, direction: int) -> BufferValue:
        if self.header is None:
            return None
        if name == "ike.vendor":
            return [vendor.encode() for vendor in self._vendors()] or None
        found = {
            "ike.init_spi": self.header.initiator.encode(),
            "ike.resp_spi": self.header.responder.encode(),
            "ike.key_exchange_payload": self.key_exchange,
            "ike.nonce_payload": self.nonce,
        }
        return found.get(name) or None

    def _vendors(self) -> list[str]:
        wanted = _VENDORS[self.header.major] if self.header is not None else -1
        return [body.hex() for kind, body in self.chain.found if kind == wanted]

    @override
    def value(self, name: str) -> Any:
        if self.header is None:
            return None
        if name == "ike.exchtype":
            return self.header.exchange
        if name == "ike.key_exchange_payload_length":
            return len(self.key_exchange) or None
        if name == "ike.nonce_payload_length":
            return len(self.nonce) or None
        if name == "ike.chosen_sa_attribute" and self.direction == TOCLIENT and self.own.transforms:
            return v1.numbers(self.own.transforms[0])
        return None

    @override
    def log(self) -> dict[str, Any]:
        return self._body(extended=False)

    @override
    def records(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A message that could not be read is an anomaly and no record."""
        return [self._body(extended=options.get("extended") is True)] if self.header is not None else []

    def _body(self, *, extended: bool) -> dict[str, Any]:
        header = self.header
        if header is None:
            return {}
        found: dict[str, Any] = {
            "version_major": header.major,
            "version_minor": header.minor,
            "init_spi": header.initiator,
            "resp_spi": header.responder,
            "message_id": header.id,
            "exchange_type": header.exchange,
        }
        if header.major == 2:
            return found | self._second()
        if extended and header.exchange in names.EXCHANGES:
            found["exchange_type_verbose"] = names.EXCHANGES[header.exchange]
        return found | self._first(header)

    def _first(self, header: Header) -> dict[str, Any]:
        """Version 1: the chosen algorithms, and what both ends have sent."""
        client, server = self.parties[TOSERVER], self.parties[TOCLIENT]
        found = v1.log_attributes(server.transforms[0]) if server.transforms else {}
        body: dict[str, Any] = {"encrypted_payloads": header.encrypted}
        doi = server.doi if server.doi is not None else client.doi
        if doi is not None:
            body["doi"] = doi
        if not header.encrypted:
            body["client"] = v1.log_end(client, proposals=True)
            body["server"] = v1.log_end(server, proposals=False)
            body["vendor_ids"] = self._vendors()
        return {**found, "ikev1": body}

    def _second(self) -> dict[str, Any]:
        """Version 2: the role, what a responder chose, which payloads there are."""
        initiator = bool(self.header.flags & V2_INITIATOR) if self.header is not None else False
        found: dict[str, Any] = {} if initiator else dict(v2.algorithms(self.content))
        found["role"] = "initiator" if initiator else "responder"
        found["payload"] = [names.PAYLOADS.get(kind, f"Unknown({kind})") for kind in self.chain.types]
        kinds = self.content.notifications
        notify = [names.NOTIFICATIONS.get(kind, f"Unknown({kind})") for kind in kinds]
        found["ikev2"] = {"errors": self.content.errors, "notify": notify}
        return found
