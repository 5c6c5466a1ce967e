"""The ``dhcp`` record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.protocols.dhcp import message as dhcp
from appliance.protocols.dhcp.message import Message

_OPERATIONS = {dhcp.REQUEST: "request", dhcp.REPLY: "reply"}
# Options that a client asks for; of the others the record does not speak.
_PARAMETERS = {
    1: "subnet_mask",
    3: "router",
    6: "dns_server",
    15: "domain",
    35: "arp_timeout",
    42: "ntp_server",
    66: "tftp_server_name",
    150: "tftp_server_ip",
}


def body(message: Message, *, extended: bool) -> dict[str, Any]:
    """Give the record's body: who got which address, and with ``extended`` all that came with it."""
    found: dict[str, Any] = {
        "type": _OPERATIONS.get(message.operation, "<unknown>"),
        "id": message.id,
        "client_mac": message.hardware.hex(":"),
        "assigned_ip": _address(message.assigned),
    }
    if extended:
        found["client_ip"] = _address(message.client)
        if message.operation == dhcp.REPLY:
            found["relay_ip"] = _address(message.relay)
            found["next_server_ip"] = _address(message.server)
    for code, value in message.options.items():
        reader = _OPTIONS.get(code)
        if reader is not None and (extended or code == dhcp.TYPE):
            found[reader[0]] = reader[1](value)
    return found


def _address(value: bytes) -> str:
    return ".".join(str(byte) for byte in value[:4])


def _addresses(value: bytes) -> list[str]:
    return [_address(value[at : at + 4]) for at in range(0, len(value) - 3, 4)]


def _seconds(value: bytes) -> int:
    return int.from_bytes(value[:4], "big")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _type(value: bytes) -> str:
    return dhcp.TYPES.get(value[0], "unknown")


def _parameters(value: bytes) -> list[str]:
    return [_PARAMETERS[code] for code in value if code in _PARAMETERS]


def _client(value: bytes) -> str:
    return value[1:].hex(":")


_OPTIONS: dict[int, tuple[str, Callable[[bytes], Any]]] = {
    dhcp.SUBNET_MASK: ("subnet_mask", _address),
    dhcp.ROUTERS: ("routers", _addresses),
    dhcp.DNS_SERVERS: ("dns_servers", _addresses),
    dhcp.HOSTNAME: ("hostname", _text),
    dhcp.REQUESTED_IP: ("requested_ip", _address),
    dhcp.LEASE_TIME: ("lease_time", _seconds),
    dhcp.TYPE: ("dhcp_type", _type),
    dhcp.PARAMETERS: ("params", _parameters),
    dhcp.RENEWAL_TIME: ("renewal_time", _seconds),
    dhcp.REBINDING_TIME: ("rebinding_time", _seconds),
    dhcp.VENDOR_CLASS: ("vendor_class_identifier", _text),
    dhcp.CLIENT_ID: ("client_id", _client),
}
