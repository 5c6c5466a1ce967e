"""Addresses and ports of a rule header, resolved to integer ranges.

IPv4 and IPv6 lie on one number line, IPv6 shifted out of the way, so that one algebra serves both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace

from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.intervals import Range, Ranges, SetGrammar
from appliance.rulelang.tree import AddressSet, PortSet

_V4_LAST = (1 << 32) - 1
_V6_BASE = 1 << 33
_ALL_ADDRESSES: Ranges = ((0, _V4_LAST), (_V6_BASE, _V6_BASE + (1 << 128) - 1))
_ALL_PORTS: Ranges = ((0, 65535),)

ANY_ADDRESS = AddressSet(any=True)
ANY_PORT = PortSet(any=True)


def _host(text: str) -> int:
    """Read one address as a place on the number line."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Refused(
            f"{shown(text)} is not an IP address", "names are not looked up; write an address"
        ) from None
    return int(address) + (_V6_BASE if address.version == 6 else 0)


def _network(text: str) -> Range:
    """Read ``a/len`` or ``a/mask``; host bits are cleared."""
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refused(f"{shown(text)} is not a network", "write it as 10.0.0.0/8 or 2001:db8::/32") from None
    base = _V6_BASE if net.version == 6 else 0
    return int(net.network_address) + base, int(net.broadcast_address) + base


def _address(text: str) -> Range:
    """Read an address, a network or a range ``a-b``."""
    if "/" in text:
        return _network(text)
    if "-" in text:
        first, _, last = text.partition("-")
        low, high = _host(first.strip()), _host(last.strip())
        if low > high or (low < _V6_BASE) != (high < _V6_BASE):
            raise Refused(f"the range {shown(text)} ends before it begins")
        return low, high
    low = _host(text)
    return low, low


def _number(text: str, default: int) -> int:
    """Read a port number; an empty side of a range is ``default``."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > 65535:
        raise Refused(f"{shown(text)} is not a port", "ports are numbers from 0 to 65535, ranges 1024:2048")
    return int(text)


def _port(text: str) -> Range:
    """Read a port or a range ``a:b``, ``a:``, ``:b``."""
    first, colon, last = text.partition(":")
    if not colon:
        low = _number(text, 0)
        return low, low
    low, high = _number(first.strip(), 0), _number(last.strip(), 65535)
    if low > high:
        raise Refused(f"the port range {shown(text)} ends before it begins")
    return low, high


class AddressResolver:
    """Turns address expressions into :class:`AddressSet`, each text once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Resolve with these variables (name without ``$`` to expression)."""
        self._grammar = SetGrammar("address", _address, _ALL_ADDRESSES, variables)
        self._variables = variables
        self._cache: dict[str, AddressSet] = {"any": ANY_ADDRESS}

    def resolve(self, text: str) -> AddressSet:
        """Resolve one expression.

        Raises:
            Refused: it cannot be resolved.
        """
        found = self._cache.get(text)
        if found is None:
            found = _address_set(self._grammar.parse(text))
            if not found.any and self._negates(text):
                found = replace(found, negated=True)
            self._cache[text] = found
        return found

    def _negates(self, text: str) -> bool:
        """Tell whether the expression, or a variable in it, has a "!" (the grammar bounds the nesting)."""
        waiting, known = [text], set[str]()
        while waiting:
            piece = waiting.pop()
            if "!" in piece:
                return True
            names = {part.strip(" []") for part in piece.split("$")[1:] for part in part.split(",")[:1]}
            fresh = names - known
            known |= fresh
            waiting += [self._variables.get(name, "") for name in fresh]
        return False


class PortResolver:
    """Turns port expressions into :class:`PortSet`, each text once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Resolve with these variables (name without ``$`` to expression)."""
        self._grammar = SetGrammar("port", _port, _ALL_PORTS, variables)
        self._cache: dict[str, PortSet] = {"any": ANY_PORT}

    def resolve(self, text: str) -> PortSet:
        """Resolve one expression.

        Raises:
            Refused: it cannot be resolved.
        """
        found = self._cache.get(text)
        if found is None:
            ranges = self._grammar.parse(text)
            found = self._cache[text] = ANY_PORT if ranges == _ALL_PORTS else PortSet(ranges)
        return found


def _address_set(ranges: Ranges) -> AddressSet:
    """Take ranges off the number line."""
    if ranges == _ALL_ADDRESSES:
        return ANY_ADDRESS
    return AddressSet(
        tuple(
            (4, low, high) if low <= _V4_LAST else (6, low - _V6_BASE, high - _V6_BASE)
            for low, high in ranges
        )
    )
