"""How EVE writes addresses, times, protocols and bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SECONDS = 253_402_300_799  # 9999-12-31, the last day that has a name

# Names as in the IANA protocol registry, in the spelling that Suricata writes.
PROTOCOLS = {
    1: "ICMP", 2: "IGMP", 4: "IP-in-IP", 6: "TCP", 8: "EGP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP",
    51: "AH", 58: "IPv6-ICMP", 88: "EIGRP", 89: "OSPFIGP", 94: "IPIP", 103: "PIM", 112: "VRRP", 115: "L2TP",
    132: "SCTP", 136: "UDPLite",
}  # fmt: skip

LINKTYPES = {
    0: "NULL", 1: "EN10MB", 9: "PPP", 12: "RAW", 101: "RAW", 104: "C_HDLC", 113: "LINUX_SLL", 228: "IPv4",
    229: "IPv6", 276: "LINUX_SLL2",
}  # fmt: skip


@lru_cache(maxsize=4096)
def ip_text(address: bytes) -> str:
    """Write an address; IPv6 in full, without leaving out zeros, as Suricata does."""
    if len(address) == 4:
        return ".".join(str(byte) for byte in address)
    text = address.hex()
    return ":".join(text[at : at + 4] for at in range(0, len(text), 4))


def mac_text(address: bytes) -> str:
    """Write a MAC address: ``f6:3a:04:28:26:77``."""
    return address.hex(":")


def protocol_text(number: int) -> str:
    """Name an IP protocol; one without a name is three digits."""
    return PROTOCOLS.get(number) or f"{number:03d}"


@lru_cache(maxsize=256)
def _second_text(second: int) -> str:
    moment = _EPOCH + timedelta(seconds=min(max(second, 0), _MAX_SECONDS))
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def time_text(now: int) -> str:
    """Write nanoseconds since the epoch in UTC: ``2026-01-02T03:04:05.678901+0000``."""
    second, rest = divmod(now, _SECOND)
    return f"{_second_text(second)}.{rest // 1000:06d}+0000"


def bytes_text(data: bytes | bytearray | memoryview) -> str:
    r"""Write bytes that should be UTF-8; those that are not become ``\xhh``."""
    return bytes(data).decode("utf-8", "backslashreplace")


def printable(data: bytes) -> str:
    """Write a payload for people: printable ASCII, CR and LF stay, all else is a dot."""
    return data.translate(_PRINTABLE).decode("ascii")


_PRINTABLE = bytes(b if 32 <= b < 127 or b in (10, 13) else 46 for b in range(256))


def _odd(value: Any) -> Any:
    """Give what JSON can say for what it does not know."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes_text(value)
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


_encode = json.JSONEncoder(separators=(",", ":"), default=_odd, skipkeys=True).encode


def to_line(record: dict[str, Any]) -> str:
    """Encode a record as one line. What cannot be encoded is replaced by a note of it."""
    try:
        return _encode(record) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        kept = {key: record[key] for key in ("timestamp", "flow_id", "event_type") if key in record}
        return _encode({**kept, "error": f"the record could not be encoded: {error}"}) + "\n"
