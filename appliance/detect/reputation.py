"""Reputation and country of addresses: ``iprep`` and ``geoip``."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.compare import Comparison
from appliance.detect.matchers import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appliance.detect.context import Context
    from appliance.rulelang.tree import GeoIp, Iprep


class ReputationTable:
    """Scores (0 to 127) of addresses and networks by category number."""

    __slots__ = ("_hosts", "_nets", "categories")

    def __init__(self, categories: str, files: Sequence[str]) -> None:
        """Read the text of the category file (``id,short name,description``) and of the score files."""
        self.categories: dict[str, int] = {}
        self._hosts: dict[tuple[bytes, int], int] = {}
        self._nets: list[tuple[int, int, int, int, int]] = []  # prefix, version, first, category, score
        for line in categories.splitlines():
            parts = [part.strip() for part in line.split(",")]
            if len(parts) >= 2 and parts[0].isdigit() and 0 < int(parts[0]) < 60:
                self.categories[parts[1].lower()] = int(parts[0])
        for text in files:
            for line in text.splitlines():
                self._add(line)
        self._nets.sort(reverse=True)

    def _add(self, line: str) -> None:
        """Add one ``address,category,score``; lines that are none of it are left."""
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
            return
        try:
            net = ipaddress.ip_network(parts[0], strict=False)
        except ValueError:
            return
        category, score = int(parts[1]), min(int(parts[2]), 127)
        if net.prefixlen == net.max_prefixlen:
            self._hosts[net.network_address.packed, category] = score
        else:
            shift = net.max_prefixlen - net.prefixlen
            self._nets.append(
                (net.prefixlen, net.version, int(net.network_address) >> shift, category, score)
            )

    def score(self, address: bytes, category: int) -> int:
        """Give the score of an address, that of the longest network it is in, or -1."""
        found = self._hosts.get((address, category))
        if found is not None:
            return found
        version = 4 if len(address) == 4 else 6
        value, bits = int.from_bytes(address, "big"), len(address) * 8
        for prefix, net_version, first, net_category, score in self._nets:
            if net_version == version and net_category == category and value >> (bits - prefix) == first:
                return score
        return -1


def _at_ends(direction: str, source: bool, target: bool) -> bool:
    """Join the answers for the two ends: one by name, both, or any."""
    return {"src": source, "dst": target, "both": source and target}.get(direction, source or target)


class ReputationMatcher(Matcher):
    """``iprep``: compare the score of one end or the other."""

    __slots__ = ("category", "comparison", "direction", "operator", "table")

    def __init__(self, node: Iprep, table: ReputationTable) -> None:
        """Look ``node.category`` up in the table."""
        self.table = table
        self.category = table.categories[node.category.lower()]
        self.direction = node.direction
        self.operator = node.operator
        self.comparison = Comparison(node.operator, node.value)

    @override
    def match(self, ctx: Context) -> bool:
        """Compare."""
        return _at_ends(self.direction, self._holds(ctx.packet.src), self._holds(ctx.packet.dst))

    def _holds(self, address: bytes) -> bool:
        """Compare one address; one without a score satisfies only ``isnotset``."""
        score = self.table.score(address, self.category) if address else -1
        if self.operator in {"isset", "isnotset"}:
            return (score >= 0) == (self.operator == "isset")
        return score >= 0 and self.comparison.holds(score)


class CountryMatcher(Matcher):
    """``geoip``: the country of one end or the other."""

    __slots__ = ("countries", "direction", "lookup", "negated")

    def __init__(self, node: GeoIp, lookup: Callable[[bytes], str | None]) -> None:
        """Ask ``lookup`` for countries."""
        self.countries = frozenset(country.upper() for country in node.countries)
        self.direction = node.direction
        self.negated = node.negated
        self.lookup = lookup

    @override
    def match(self, ctx: Context) -> bool:
        """Compare; an address without a country matches nothing."""
        return _at_ends(self.direction, self._holds(ctx.packet.src), self._holds(ctx.packet.dst))

    def _holds(self, address: bytes) -> bool:
        """Compare one address."""
        country = self.lookup(address) if address else None
        return country is not None and (country.upper() in self.countries) != self.negated
