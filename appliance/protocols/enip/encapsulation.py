"""EtherNet/IP encapsulation (ODVA, CIP volume 2, chapter 2)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.enip import cip
from appliance.protocols.enip.cip import Cip
from appliance.protocols.reader import Reader, text

HEADER = 24
COMMANDS = {
    0x00: "nop",
    0x04: "list_services",
    0x63: "list_identity",
    0x64: "list_interfaces",
    0x65: "register_session",
    0x66: "unregister_session",
    0x6F: "send_rrdata",
    0x70: "send_unit_data",
    0x72: "indicate_status",
    0x73: "cancel",
}
STATUSES = {
    0x00: "success",
    0x01: "invalid_cmd",
    0x02: "no_resources",
    0x03: "incorrect_data",
    0x64: "invalid_session",
    0x65: "invalid_length",
    0x69: "unsupported_prot_rev",
    0x6A: "encap_header_error",
}
# To these nobody answers.
ALONE = frozenset((0x00, 0x66, 0x72, 0x73))
MAX_ITEMS = 16
_VENDORS = {
    1: "Rockwell Automation/Allen-Bradley",
    47: "OMRON Corporation",
    90: "HMS Industrial Networks AB",
    283: "Hilscher GmbH",
}
_SERVICES, _IDENTITY, _REGISTER = 0x04, 0x63, 0x65
_DATA = frozenset((0x6F, 0x70))
_ITEM_IDENTITY, _ITEM_CONNECTED, _ITEM_UNCONNECTED, _ITEM_SERVICES = 0x0C, 0xB1, 0xB2, 0x100


class Pdu:
    """One encapsulated message; ``numbers`` are what rules compare, by the word after ``enip.``."""

    __slots__ = (
        "command",
        "context",
        "length",
        "message",
        "name",
        "numbers",
        "options",
        "sequence",
        "status",
    )

    def __init__(self, header: bytes) -> None:
        """Take the header apart."""
        reader = Reader(header)
        self.command = reader.little(2)
        self.length = reader.little(2)
        reader.take(4)  # session
        self.status = reader.little(4)
        self.context = reader.take(8)
        self.options = reader.little(4)
        self.sequence = 0
        self.numbers: dict[str, int] = {}
        self.name: bytes | None = None  # of the product or service
        self.message: Cip | None = None

    @property
    def key(self) -> tuple[int, bytes, int]:
        """What a response has in common with its request."""
        return self.command, self.context, self.sequence

    def log(self) -> dict[str, Any]:
        """Give this part of the record."""
        found: dict[str, Any] = {
            "command": COMMANDS.get(self.command, f"unknown-{self.command}"),
            "status": STATUSES.get(self.status, f"unknown-{self.status}"),
        }
        if self.command == _REGISTER and self.numbers:
            found["register_session"] = dict(self.numbers)
        elif self.command == _SERVICES and self.numbers:
            found["list_services"] = self.numbers | {"service_name": text(self.name or b"")}
        elif self.command == _IDENTITY and self.numbers:
            found["identity"] = self._identity()
        if self.message is not None:
            found["cip"] = self.message.log()
        return found

    def _identity(self) -> dict[str, Any]:
        numbers = self.numbers
        revision, vendor = numbers["revision"], numbers["vendor_id"]
        return numbers | {
            "revision": f"{revision >> 8}.{revision & 0xFF}",
            "vendor_id": _VENDORS.get(vendor, f"unknown-{vendor}"),
            "product_name": text(self.name or b""),
        }


def parse(raw: bytes, response: bool) -> tuple[Pdu, bool]:
    """Read a message; also tells whether it was in order."""
    pdu = Pdu(raw[:HEADER])
    reader = Reader(raw, HEADER)
    if pdu.command in _DATA:
        reader.take(6)  # interface handle, timeout
        _items(pdu, reader)
    elif pdu.command == _REGISTER:
        pdu.numbers = {"protocol_version": reader.little(2), "options": reader.little(2)}
    elif response and pdu.command in {_SERVICES, _IDENTITY}:
        _items(pdu, reader)
    fine = not reader.failed or pdu.status != 0
    if reader.failed:
        pdu.numbers = {}
    return pdu, fine


def _items(pdu: Pdu, reader: Reader) -> None:
    """Read the items of the common packet format."""
    for _ in range(min(reader.little(2), MAX_ITEMS)):
        kind = reader.little(2)
        item = Reader(reader.take(reader.little(2)))
        if reader.failed:
            return
        if kind == _ITEM_CONNECTED:
            pdu.sequence = item.little(2)
        if kind in {_ITEM_CONNECTED, _ITEM_UNCONNECTED}:
            if item.left:
                pdu.message = cip.parse(item.rest())
                reader.failed = reader.failed or pdu.message is None
        elif kind == _ITEM_IDENTITY and pdu.command == _IDENTITY:
            _identity(pdu, item)
            reader.failed = reader.failed or item.failed
        elif kind == _ITEM_SERVICES and pdu.command == _SERVICES:
            pdu.numbers = {"protocol_version": item.little(2), "capabilities": item.little(2)}
            pdu.name = item.take(min(16, item.left)).rstrip(b"\0")
            reader.failed = reader.failed or item.failed


def _identity(pdu: Pdu, item: Reader) -> None:
    version = item.little(2)
    item.take(16)  # socket address
    pdu.numbers = {
        "protocol_version": version,
        "vendor_id": item.little(2),
        "device_type": item.little(2),
        "product_code": item.little(2),
        "revision": item.uint(2),
        "status": item.little(2),
        "serial": item.little(4),
    }
    pdu.name = item.take(item.uint(1))
    pdu.numbers["state"] = item.uint(1)
