"""Putting an nft table together: chains named by what they say, sets, drops that are counted by port."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from appliance.kernel.state import NftChain, NftObject, NftSet, NftTable

NAME = "eastwall"
DROPS = "drops"  # the set that counts, for each device and reason (by its place in REASONS, from 1)
REASONS = (
    "unknown",
    "mac",
    "tag",
    "ethertype",
    "ip",
    "arp",
    "nd",
    "dhcp",
    "router",
    "header",
    "frame",
    "blocked",
    "uninspected",
)


class TableBuilder:
    """Collects the parts of one table; equal chains are there once."""

    def __init__(self, family: str) -> None:
        """Start an empty table."""
        self._family = family
        self._chains: dict[str, NftChain] = {}
        self._sets: dict[str, NftSet] = {}
        self._objects: dict[str, NftObject] = {}

    def base(self, name: str, hook: str, rules: Sequence[str]) -> None:
        """Add a base chain: ``hook`` is like ``type filter hook forward priority -210``."""
        self._chains[name] = NftChain(name, tuple(rules), f"{hook}; policy accept;")

    def chain(self, name: str, rules: Sequence[str]) -> str:
        """Add a chain under a name of its own."""
        self._chains[name] = NftChain(name, tuple(rules))
        return name

    def shared(self, kind: str, rules: Sequence[str]) -> str:
        """Add a chain that is named by its rules, and give the name."""
        digest = hashlib.sha256("\n".join(rules).encode()).hexdigest()[:12]
        return self.chain(f"{kind}_{digest}", rules)

    def drop(self, reason: str, key: str = "iifname") -> str:
        """Add a chain that counts frames for their port and drops them; gives its name.

        The mark of a frame that is dropped is free to hold the reason. The counting rule may fail where
        the set is full: that ends the rule, not the chain, so that the drop stands in a rule of its own.
        """
        self.dynamic(DROPS, "type ifname . mark; size 65535; flags dynamic; counter;")
        way = "" if key == "iifname" else "_out"
        number = REASONS.index(reason) + 1
        rules = (f"meta mark set {number}", f"add @{DROPS} {{ {key} . meta mark }}", "drop")
        return self.chain(f"drop_{reason}{way}", rules)

    def set(self, name: str, header: str, elements: Iterable[str]) -> None:
        """Add a set; ``header`` is its type and flags."""
        self._sets[name] = NftSet(name, header, tuple(sorted(set(elements))))

    def map(self, name: str, header: str, elements: Iterable[str]) -> None:
        """Add a map."""
        self._sets[name] = NftSet(name, header, tuple(sorted(set(elements))), is_map=True)

    def dynamic(self, name: str, header: str) -> None:
        """Add a set that packets fill."""
        self._sets[name] = NftSet(name, header, dynamic=True)

    def counter(self, name: str) -> str:
        """Add a named counter and give the statement that counts."""
        self._objects[name] = NftObject("counter", name)
        return f'counter name "{name}"'

    def build(self) -> NftTable:
        """Give the table."""
        return NftTable(
            self._family,
            NAME,
            tuple(self._objects[name] for name in sorted(self._objects)),
            tuple(self._sets[name] for name in sorted(self._sets)),
            tuple(self._chains[name] for name in sorted(self._chains)),
        )
