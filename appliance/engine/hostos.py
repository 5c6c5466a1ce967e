"""Which operating system is behind an address: its way with overlapping data is followed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from appliance.inventory.inventory import Inventory

_MAX_KNOWN = 16_384  # answers remembered; beyond that the memory starts anew


class HostOs:
    """Answers from the inventory first, where a VM's OS is known, then from the settings' prefixes."""

    def __init__(self, prefixes: Iterable[tuple[str, str]], inventory: Inventory | None) -> None:
        """Take (CIDR, OS name) pairs; the longest prefix wins."""
        self._vms: dict[bytes, str] = {}
        self._known: dict[bytes, str] = {}
        for interface in inventory.interfaces if inventory is not None else ():
            for one in interface.addresses:
                if interface.vm.os and one.base == one.last:
                    size = 4 if one.version == 4 else 16
                    self._vms[one.base.to_bytes(size, "big")] = interface.vm.os
        nets = sorted(
            ((ipaddress.ip_network(cidr, strict=False), name) for cidr, name in prefixes),
            key=lambda pair: -pair[0].prefixlen,
        )
        self._prefixes = [
            (4 if net.version == 4 else 16, int(net.network_address), int(net.netmask), name)
            for net, name in nets
        ]
        # The answer for all addresses of a version, where they have one and the same.
        self._all4, self._all6 = self._common(4), self._common(16)

    def _common(self, size: int) -> str | None:
        """Give the one answer for addresses of ``size`` bytes, None where it depends on the address."""
        if self._vms:
            return None
        prefixes = [(mask, name) for length, _, mask, name in self._prefixes if length == size]
        if not prefixes:
            return ""
        return prefixes[0][1] if prefixes[0][0] == 0 else None

    def of(self, address: bytes) -> str:
        """Name the OS of ``address`` (4 or 16 bytes), "" when nothing is known."""
        common = self._all4 if len(address) == 4 else self._all6
        if common is not None and len(address) in (4, 16):
            return common
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            found = self._known[address] = self._find(address)
        return found

    def _find(self, address: bytes) -> str:
        found = self._vms.get(address)
        if found is not None:
            return found
        number, size = int.from_bytes(address, "big"), len(address)
        for length, base, mask, name in self._prefixes:
            if length == size and number & mask == base:
                return name
        return ""
