"""PDUs of RPC version 5 out of a stream of bytes: a TCP connection, or what is written to a pipe."""

from __future__ import annotations

from appliance.protocols.dcerpc import pdu as wire

_CALL_HEADER = 24  # of a request: with context and operation number


class PduReader:
    """One direction. ``noise`` is set when bytes were no PDU where one was due.

    Never holds more than one PDU, which is 64 KB at most.
    """

    __slots__ = ("_held", "_lost", "_skip", "noise")

    def __init__(self) -> None:
        """Start where a PDU begins."""
        self._held = bytearray()
        self._lost = False
        self._skip = 0
        self.noise = False

    def feed(self, chunk: bytes) -> list[wire.Pdu]:
        """Give the PDUs that ``chunk`` completes."""
        held = self._held
        held += chunk
        found: list[wire.Pdu] = []
        at = min(self._skip, len(held))
        self._skip -= at
        while len(held) - at >= wire.HEADER_LEN:
            header = held[at : at + wire.HEADER_LEN]
            if not wire.plausible(header):
                at = self._search(at)
                continue
            self._lost = False
            length = wire.fragment_length(header)
            if at + length > len(held):
                break
            found.append(wire.parse(bytes(held[at : at + length])))
            at += length
        del held[:at]
        return found

    def _search(self, at: int) -> int:
        """Go on to the next place that may be a header."""
        self.noise = self.noise or not self._lost
        self._lost = True
        place = self._held.find(b"\x05", at + 1)
        return place if place >= 0 else len(self._held)

    def gap(self, length: int) -> list[wire.Pdu]:
        """Take note of a hole: gives the PDU it is in as far as it was seen, and goes on behind it."""
        if self._skip:
            known = min(length, self._skip)
            self._skip -= known
            length -= known
            if not length:
                return []
        held, found, left = self._held, [], -1
        if len(held) >= _CALL_HEADER and wire.plausible(held):
            left = wire.fragment_length(held) - len(held) - length
            found.append(wire.parse(bytes(held)))
        held.clear()
        self._skip = max(left, 0)
        self._lost = left < 0
        return found
