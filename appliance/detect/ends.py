"""Addresses and ports of rules, compared once for each direction of a flow."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from appliance.detect.signature import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.addresses import PortMatcher
    from appliance.detect.context import Context
    from appliance.detect.headers import Header
    from appliance.detect.signature import Signature
    from appliance.model.packet import Packet

# Distinct ends that are told apart. What is rarer shares one number that is never ruled out.
LIMIT = 62
OTHERS = 1 << LIMIT
_PORTS = 1 << 16
# Answers remembered; senders choose addresses and ports, so that the memory starts anew beyond that.
MAX_ANSWERS = 4096


class Ends:
    """Numbers the distinct ends of the rules on transactions, the most frequent first.

    A set of ends is a number with a bit for each. Most rules of a set share few ends (from the home
    network outwards, say): those that a flow does not have make whole groups of rules superfluous.

    Connections come from few addresses to few ports: what was found for some is remembered. Ports count there
    only as far as a rule tells them apart, since each connection of a client has another one.
    """

    __slots__ = ("_answers", "_classes", "headers")

    def __init__(self, signatures: Sequence[Signature]) -> None:
        """Number them and set :attr:`Signature.ends`."""
        on_transactions = [signature for signature in signatures if signature.kind is Kind.APP]
        counts = Counter(signature.header.ends() for signature in on_transactions)
        bits = {ends: 1 << number for number, (ends, _) in enumerate(counts.most_common(LIMIT))}
        headers: dict[int, Header] = {}
        for signature in on_transactions:
            signature.ends = bits.get(signature.header.ends(), OTHERS)
            if signature.ends != OTHERS:
                headers[signature.ends] = signature.header
        self.headers: list[tuple[int, Header]] = sorted(headers.items())
        self._answers: dict[tuple[bytes, bytes, int], int] = {}
        ports = {
            one for header in headers.values() for one in (header.source_ports, header.destination_ports)
        }
        self._classes: bytes = port_classes(list(ports))

    def live(self, ctx: Context) -> int:
        """Give the ends that the packet has, which are those of its flow in its direction."""
        packet: Packet = ctx.packet
        if not self._classes or packet.sport < 0 or packet.dport < 0 or packet.proto < 0:
            return self._find(ctx)
        ports = self._classes[packet.sport & 0xFFFF] << 8 | self._classes[packet.dport & 0xFFFF]
        key = (
            packet.src,
            packet.dst,
            ((ports << 8 | packet.proto) << 3 | packet.ip_version) << 1 | ctx.direction,
        )
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            found = self._answers[key] = self._find(ctx)
        return found

    def _find(self, ctx: Context) -> int:
        """Ask each header."""
        found = OTHERS
        for bit, header in self.headers:
            if header.concerns(ctx):
                found |= bit
        return found


def port_classes(matchers: Sequence[PortMatcher]) -> bytes:
    """Number the ports so that no matcher tells two of one number apart; b"" where that takes too many."""
    edges = {edge for one in matchers for first, last in one.ranges for edge in (first, last + 1)}
    numbers: dict[tuple[bool, ...], int] = {}
    table = bytearray()
    for start, stop in pairwise(sorted({0, _PORTS} | {edge for edge in edges if 0 <= edge <= _PORTS})):
        number = numbers.setdefault(tuple(one.has(start) for one in matchers), len(numbers))
        if number > 255:
            return b""
        table += bytes([number]) * (stop - start)
    return bytes(table)
