"""Text of addresses, ranges and MACs into numbers; for load time only."""

from __future__ import annotations

import ipaddress

from appliance.model.identity import Prefix

_MAC_BYTES = 6


def parse_range(text: str) -> Prefix:
    """Read an address, a CIDR block or ``first-last``.

    Host bits below a prefix length are accepted and ignored.

    Raises:
        ValueError: the text is none of these, or the range is empty or mixes versions.
    """
    first, dash, last = text.partition("-")
    try:
        if dash:
            return _between(ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip()))
        net = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        message = f"{text!r} is not an address, a CIDR block or a range"
        raise ValueError(message) from None
    return Prefix(net.version, int(net.network_address), int(net.broadcast_address))


def _between(
    first: ipaddress.IPv4Address | ipaddress.IPv6Address, last: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> Prefix:
    if first.version != last.version or int(first) > int(last):
        raise ValueError("empty range")
    return Prefix(first.version, int(first), int(last))


def format_range(one: Prefix) -> str:
    """Write a range so that :func:`parse_range` reads it back."""
    kind = ipaddress.IPv4Address if one.version == 4 else ipaddress.IPv6Address
    first = str(kind(one.base))
    return first if one.base == one.last else f"{first}-{kind(one.last)}"


def parse_mac(text: str) -> bytes:
    """Read ``52:54:00:12:34:56``, with dashes, or Cisco's ``5254.0012.3456``.

    Raises:
        ValueError: the text is not a MAC address.
    """
    digits = text.replace(":", "").replace("-", "").replace(".", "")
    try:
        mac = bytes.fromhex(digits)
    except ValueError:
        mac = b""
    if len(mac) != _MAC_BYTES or len(text) not in {12, 14, 17}:
        message = f"{text!r} is not a MAC address"
        raise ValueError(message)
    return mac


def packed(version: int, number: int) -> bytes:
    """Give an address as it stands in a packet: 4 or 16 bytes, network order."""
    return number.to_bytes(4 if version == 4 else 16, "big")
