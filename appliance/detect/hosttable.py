"""Bits and counters of hosts, in tables of bounded size whose entries expire."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView


class HostTable:
    """Named bits of hosts and pairs of hosts, each with its own end.

    When ``limit`` keys are held, the one set longest ago goes and ``evicted`` counts it.
    """

    __slots__ = ("_hosts", "evicted", "limit", "names_limit")

    def __init__(self, limit: int = 65_536, names_limit: int = 64) -> None:
        """Hold at most ``limit`` hosts with ``names_limit`` bits each."""
        self._hosts: OrderedDict[bytes, dict[str, int]] = OrderedDict()
        self.limit = limit
        self.names_limit = names_limit
        self.evicted = 0

    def adopt(self, other: HostTable) -> None:
        """Take over the bits of another table, which is not used any more."""
        self._hosts = other._hosts
        self.evicted += other.evicted

    def items(self) -> ItemsView[bytes, dict[str, int]]:
        """Give all hosts with their bits, each with the time of its end."""
        return self._hosts.items()

    def isset(self, key: bytes, name: str, now: int) -> bool:
        """Tell whether the bit is set and has not expired."""
        names = self._hosts.get(key)
        return names is not None and names.get(name, 0) > now

    def set(self, key: bytes, name: str, now: int, until: int) -> None:
        """Set the bit until a time (ns)."""
        names = self._hosts.get(key)
        if names is None:
            if len(self._hosts) >= self.limit:
                self._hosts.popitem(last=False)
                self.evicted += 1
            names = self._hosts[key] = {}
        else:
            self._hosts.move_to_end(key)
        if name not in names and len(names) >= self.names_limit:
            for old in [old for old, end in names.items() if end <= now]:
                del names[old]
            if len(names) >= self.names_limit:
                self.evicted += 1
                return
        names[name] = until

    def clear(self, key: bytes, name: str) -> None:
        """Unset the bit."""
        names = self._hosts.get(key)
        if names is not None:
            names.pop(name, None)
            if not names:
                del self._hosts[key]

    def __len__(self) -> int:
        """Number of hosts held."""
        return len(self._hosts)
