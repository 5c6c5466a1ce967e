"""Connection counts and SYN rates of each interface.

Memory: one :class:`Tally` for each interface of the inventory, whatever the traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.model.verdict import Reason

if TYPE_CHECKING:
    from appliance.firewall.bound import BoundPolicies, Limits

_SECOND = 1_000_000_000


class Tally:
    """What one interface has open. ``number`` is never used again for another interface.

    ``credit`` is the token bucket of the SYN rate in nanosecond-tokens: a token is a second's worth.
    """

    __slots__ = ("connections", "credit", "half_open", "number", "refilled")

    def __init__(self, number: int) -> None:
        """Start with nothing open and a bucket that the first use fills."""
        self.number: int = number
        self.connections: int = 0
        self.half_open: int = 0
        self.credit: int = -1
        self.refilled: int = 0

    def refill(self, limits: Limits, now: int) -> None:
        """Add the tokens earned since the last call."""
        most = max(limits.syn_burst, 1) * _SECOND
        if self.credit < 0:
            self.credit = most
        elif now > self.refilled:
            self.credit = min(most, self.credit + (now - self.refilled) * limits.syn_rate)
        self.refilled = max(now, self.refilled)

    def refuses(self, limits: Limits, tcp: bool, opening: bool, now: int) -> Reason | None:
        """Say which limit a new connection would break.

        ``tcp`` counts towards half-open connections, ``opening`` is a SYN and costs a token.
        """
        if limits.connections and self.connections >= limits.connections:
            return Reason.LIMIT_CONNECTIONS
        if tcp and limits.half_open and self.half_open >= limits.half_open:
            return Reason.LIMIT_HALF_OPEN
        if opening and limits.syn_rate:
            self.refill(limits, now)
            if self.credit < _SECOND:
                return Reason.LIMIT_SYN_RATE
        return None

    def take(self, half_open: bool, rated: bool) -> None:
        """Count a connection that was let in; ``rated`` is one that costs a token."""
        self.connections += 1
        self.half_open += half_open
        if rated:
            self.credit -= _SECOND

    def give_back(self, half_open: bool) -> None:
        """Take a connection that ended out of the count."""
        self.connections -= 1
        self.half_open -= half_open


class Tallies:
    """All tallies, by the identity of the interface, so that counts outlive a change of inventory."""

    def __init__(self) -> None:
        """Start without interfaces."""
        self._by_identity: dict[tuple[str, str], Tally] = {}
        self._next = 1
        self._by_index: list[Tally] = []
        self._identities: tuple[tuple[str, str], ...] = ()

    def bind(self, bound: BoundPolicies) -> None:
        """Take the interfaces of ``bound``; counts of those that are gone are forgotten."""
        if bound.identities is self._identities:
            return
        kept: dict[tuple[str, str], Tally] = {}
        self._by_index = []
        for identity in bound.identities:
            tally = self._by_identity.get(identity) or self._new()
            kept[identity] = tally
            self._by_index.append(tally)
        self._by_identity, self._identities = kept, bound.identities

    def _new(self) -> Tally:
        tally = Tally(self._next)
        self._next += 1
        return tally

    def identities(self) -> dict[int, tuple[str, str]]:
        """Give UUID and name of the interface of each tally, by the tally's number."""
        return {tally.number: identity for identity, tally in self._by_identity.items()}

    def of(self, index: int) -> Tally:
        """Give the tally of the interface with this index in the bound policies."""
        return self._by_index[index]
