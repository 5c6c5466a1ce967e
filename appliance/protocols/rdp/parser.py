"""The opening of a remote desktop connection; what comes after it is compressed or encrypted."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import Parser
from appliance.model.packet import TOCLIENT
from appliance.protocols.rdp import client, negotiation
from appliance.protocols.rdp.negotiation import HEADER, LEAST, packet_length
from appliance.protocols.single import MessageTransaction
from appliance.protocols.tls import certificate, records
from appliance.protocols.tls.records import HandshakeReader, RecordReader

MAX_STEPS = 16  # transactions of one connection
_DATA_HEADER = 3  # X.224 data: length, code, end of transmission


class RdpTransaction(MessageTransaction):
    """One step of the opening: ``body`` is its record."""

    __slots__ = ("body",)

    def __init__(self, tx_id: int, direction: int, body: dict[str, Any]) -> None:
        """Wrap a step that ``direction`` took."""
        super().__init__(tx_id, direction)
        self.body = body

    @override
    def log(self) -> dict[str, Any]:
        return self.body


class RdpParser(Parser):
    """Reads negotiation and connect messages, or the certificates of the TLS that was agreed on."""

    name = "rdp"
    log_type = "rdp"

    def __init__(self, settings: Any = None) -> None:
        """Start before the first packet."""
        super().__init__(settings)
        self._held = (bytearray(), bytearray())
        self._tls: list[RecordReader | None] = [None, None]
        self._handshakes = HandshakeReader()

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        held = self._held[direction]
        held += chunk
        at = 0
        while at < len(held) and not self.bypass and self._tls[direction] is None:
            if held[at] == records.HANDSHAKE and self.begun:
                self._tls[direction] = RecordReader()
                break
            if at + HEADER > len(held):
                break
            length = packet_length(held, at)
            if not length:
                self.bypass = True  # fast-path or anything else that follows the opening
                break
            if at + length > len(held):
                break
            self._packet(direction, bytes(held[at : at + length]))
            at += length
        del held[:at]
        if self._tls[direction] is not None:
            self._secured(direction)
        if self.bypass:
            held.clear()

    @override
    def gap(self, direction: int, length: int) -> None:
        """After a hole nothing can be read any more."""
        self.bypass = True

    @property
    def begun(self) -> bool:
        """Tell whether the opening has begun: TLS comes after it, never before."""
        return self.next_tx > 0

    def _packet(self, direction: int, packet: bytes) -> None:
        """Take one TPKT."""
        code = packet[5] & 0xF0 if len(packet) > HEADER + 1 else 0
        if code == negotiation.DATA:
            self._connect(direction, packet[HEADER + _DATA_HEADER :])
        elif code == negotiation.REQUEST and direction != TOCLIENT and len(packet) >= LEAST:
            self._add(direction, negotiation.request(packet))
        elif code == negotiation.CONFIRM and direction == TOCLIENT and len(packet) >= LEAST:
            self._add(direction, negotiation.confirm(packet))

    def _connect(self, direction: int, body: bytes) -> None:
        """Take a connect message of the multipoint communication service (T.125)."""
        if direction != TOCLIENT and body.startswith(client.CONNECT_INITIAL):
            found = client.parse(body[len(client.CONNECT_INITIAL) :])
            if found is not None:
                self._add(direction, {"event_type": "connect_request", **found})
        elif direction == TOCLIENT and body.startswith(client.CONNECT_RESPONSE):
            self._add(direction, {"event_type": "connect_response"})
            self.bypass = True

    def _secured(self, direction: int) -> None:
        """Read TLS records up to the server's certificates, which are the last that is readable."""
        reader, held = self._tls[direction], self._held[direction]
        if reader is None:
            return
        found = reader.feed(bytes(held), encrypted=False)
        held.clear()
        for kind, body in found:
            if direction != TOCLIENT or self.bypass:
                break
            if kind == records.HANDSHAKE:
                self._handshake(body)
            elif kind in {records.CHANGE_CIPHER_SPEC, records.APPLICATION_DATA}:
                self.bypass = True
        self.bypass = self.bypass or (reader.dead and direction == TOCLIENT)

    def _handshake(self, body: bytes) -> None:
        for kind, content in self._handshakes.feed(body):
            if kind == records.CERTIFICATE and not self.bypass:
                chain, _ = certificate.split_chain(content, tls13=False)
                read = (certificate.parse(der) for der in chain)
                serials = [cert.serial for cert in read if cert is not None]
                written = [text.replace(":", "").lower().lstrip("0") for text in serials]
                self._add(TOCLIENT, {"event_type": "tls_handshake", "x509_serials": written})
                self.bypass = True

    def _add(self, direction: int, body: dict[str, Any]) -> None:
        if self.next_tx >= MAX_STEPS:
            self.bypass = True
            return
        self.transactions.append(RdpTransaction(self.next_tx, direction, body))
        self.next_tx += 1
