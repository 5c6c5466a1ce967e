"""Which event types the names in an output's ``types`` stand for, and how one is read off a line."""

from __future__ import annotations

from collections.abc import Iterable

# Name of a type -> event types of its records, where they are not just the name.
_SEVERAL = {
    "alert": ("alert", "packet"),
    "bittorrent-dht": ("bittorrent_dht",),
    "files": ("fileinfo",),
    "ftp": ("ftp", "ftp_data"),
    "http2": ("http",),
    "doh2": ("dns", "http"),
}
_PLAIN = (
    "anomaly", "arp", "dcerpc", "dhcp", "dnp3", "dns", "drop", "eastwall", "enip", "flow", "frame", "http",
    "ike", "krb5", "ldap", "llmnr", "mdns", "modbus", "mqtt", "mysql", "netflow", "nfs", "ntp", "pgsql",
    "pop3", "quic", "rdp", "redis", "rfb", "sip", "smb", "smtp", "snmp", "ssh", "stats",
    "telnet", "tftp", "tls", "websocket",
)  # fmt: skip
KINDS: dict[str, tuple[str, ...]] = {**{name: (name,) for name in _PLAIN}, **_SEVERAL}
# Records that have a CEF form.
CEF_KINDS = ("alert", "anomaly", "drop", "eastwall")
_KEY = b'"event_type":"'
_MAX_NAME = 40


def event_types(kinds: Iterable[str]) -> frozenset[str]:
    """Give the event types that belong to the names of types.

    Raises:
        KeyError: a name is not known.
    """
    return frozenset(event for kind in kinds for event in KINDS[kind])


def event_type_of(line: bytes) -> bytes:
    """Read the event type off an encoded record without parsing it; ``b""`` when there is none.

    Quotes inside of a JSON string are escaped, so the key cannot be part of a value, and no object with
    such a key comes before it in our records.
    """
    start = line.find(_KEY)
    if start < 0:
        return b""
    start += len(_KEY)
    end = line.find(b'"', start, start + _MAX_NAME)
    return line[start:end] if end > 0 else b""
