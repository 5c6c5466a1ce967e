"""A number for each network, found by the longest prefix that holds an address."""

from __future__ import annotations

import ipaddress


class Networks:
    """Values by network. Made once from settings; looked up with addresses as packets have them."""

    __slots__ = ("default", "entries")

    def __init__(self, networks: tuple[tuple[str, int], ...], default: int) -> None:
        """Read ``networks``, pairs of CIDR and value; addresses in none of them have ``default``.

        Raises:
            ValueError: A CIDR is malformed; settings are checked when they are loaded.
        """
        self.default = default
        parsed = [(ipaddress.ip_network(cidr, strict=False), value) for cidr, value in networks]
        parsed.sort(key=lambda entry: -entry[0].prefixlen)
        self.entries = [
            (net.max_prefixlen // 8, int(net.network_address), net.max_prefixlen - net.prefixlen, value)
            for net, value in parsed
        ]

    def value(self, address: bytes) -> int:
        """Give the value of the longest prefix that holds ``address`` (4 or 16 bytes)."""
        number = int.from_bytes(address, "big")
        for length, base, shift, value in self.entries:
            if len(address) == length and number >> shift == base >> shift:
                return value
        return self.default
