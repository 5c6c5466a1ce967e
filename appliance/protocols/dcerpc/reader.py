"""PDUs of RPC version 5 out of a stream of bytes: a TCP connection, or what is written to a pipe."""

from __future__ import annotations

from appliance.protocols.dcerpc import pdu as wire

_CALL_HEADER = 24  # of a request: with context and operation number


class PduReader:
    """One direction; never holds more than one PDU, which is 64 KB at most."""

    __slots__ = ("_held", "_lost", "_skip", "marks")

    def __init__(self) -> None:
        """Start where a PDU begins."""
        self._held = bytearray()
        self._lost = False
        self._skip = 0
        # With a list in its place: where PDUs are, as (bytes from there to the end of those fed, length).
        self.marks: list[tuple[int, int]] | None = None

    def feed(self, chunk: bytes) -> list[wire.Pdu | None]:
        """Give the PDUs that ``chunk`` completes; None stands for bytes that are none where one was due."""
        held = self._held
        held += chunk
        found: list[wire.Pdu | None] = []
        at = min(self._skip, len(held))
        self._skip -= at
        while len(held) - at >= wire.HEADER_LEN:
            header = held[at : at + wire.HEADER_LEN]
            if not wire.plausible(header):
                if not self._lost:
                    found.append(None)
                at = self._search(at)
                continue
            self._lost = False
            length = wire.fragment_length(header)
            if self.marks is not None:
                self.marks.append((len(held) - at, length))
            if at + length > len(held):
                break
            found.append(wire.parse(bytes(held[at : at + length])))
            at += length
        del held[:at]
        return found

    def _search(self, at: int) -> int:
        """Go on to the next place that may be a header."""
        self._lost = True
        place = self._held.find(b"\x05", at + 1)
        return place if place >= 0 else len(self._held)

    def gap(self, length: int) -> list[wire.Pdu | None]:
        """Take note of a hole: gives the PDU it is in as far as it was seen, and goes on behind it."""
        if self._skip:
            known = min(length, self._skip)
            self._skip -= known
            length -= known
            if not length:
                return []
        held, left = self._held, -1
        found: list[wire.Pdu | None] = []
        if len(held) >= _CALL_HEADER and wire.plausible(held):
            left = wire.fragment_length(held) - len(held) - length
            found.append(wire.parse(bytes(held)))
        held.clear()
        self._skip = max(left, 0)
        self._lost = left < 0
        return found
