"""How nft wants values written."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.model.identity import Prefix


def mac(value: bytes) -> str:
    """Write a MAC: ``52:54:00:12:34:56``."""
    return value.hex(":")


def macs(values: Iterable[bytes]) -> str:
    """Write an anonymous set of MACs."""
    return "{ " + ", ".join(mac(one) for one in sorted(values)) + " }"


def number_set(values: Iterable[int]) -> str:
    """Write an anonymous set of 16-bit numbers."""
    return "{ " + ", ".join(f"{one:#06x}" for one in sorted(values)) + " }"


def mark(value: int) -> str:
    """Write a packet mark."""
    return f"{value:#010x}"


def address(version: int, value: int) -> str:
    """Write an address."""
    if version == 4:
        return ".".join(str(byte) for byte in value.to_bytes(4, "big"))
    raw = value.to_bytes(16, "big").hex()
    return ":".join(raw[at : at + 4] for at in range(0, 32, 4))


def prefix(one: Prefix) -> str:
    """Write a range as an address, or as first and last one."""
    first = address(one.version, one.base)
    return first if one.base == one.last else f"{first}-{address(one.version, one.last)}"


def wide(value: int) -> str:
    """Write a 128-bit number as nft compares raw payload with it."""
    return f"{value:#034x}"
