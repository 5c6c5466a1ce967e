"""Common Industrial Protocol messages (ODVA, CIP volume 1: appendices A and C)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.reader import Reader

MULTIPLE = 0x0A
GET_LIST = 0x03
MAX_DEPTH = 2
MAX_MESSAGES = 64
MAX_SEGMENTS = 32
MAX_ATTRIBUTES = 64

_SERVICES = {
    0x01: "get_attribute_all",
    0x02: "set_attribute_all",
    0x03: "get_attribute_list",
    0x04: "set_attribute_list",
    0x05: "reset",
    0x06: "start",
    0x07: "stop",
    0x08: "create",
    0x09: "delete",
    0x0A: "multiple_service",
    0x0D: "apply_attributes",
    0x0E: "get_attribute_single",
    0x10: "set_attribute_single",
    0x11: "find_next_instance",
    0x15: "restore",
    0x16: "save",
    0x17: "no_operation",
    0x18: "get_member",
    0x19: "set_member",
    0x1A: "insert_member",
    0x1B: "remove_member",
    0x1C: "group_sync",
    0x4E: "forward_close",
    0x54: "forward_open",
}
_CLASSES = {
    0x01: "identity",
    0x02: "message_router",
    0x03: "devicenet",
    0x04: "assembly",
    0x05: "connection",
    0x06: "connection_manager",
    0x07: "register",
    0x37: "file",
    0x43: "time_sync",
    0x47: "device_level_ring",
    0x48: "qos",
    0xF4: "port",
    0xF5: "tcp_ip_interface",
    0xF6: "ethernet_link",
    0x6B: "symbol",
    0x6C: "template",
    0xAC: "program",
}
# Kinds of logical segments, and the sizes of their values; the wide ones are padded to an even offset.
_LOGICAL = {0: "class", 1: "instance", 2: "member", 3: "connection_point", 4: "attribute"}
_SIZES = {0: 1, 1: 2, 2: 4}
_SYMBOL = 0x91


class Cip:
    """One request or response, with the messages packed into it."""

    __slots__ = ("attributes", "extended", "inner", "path", "response", "service", "status")

    def __init__(self, service: int) -> None:
        """Begin with the service byte, whose highest bit marks a response."""
        self.service = service & 0x7F
        self.response = bool(service & 0x80)
        self.path: list[tuple[str, int, int | str]] = []  # kind, bits, value
        self.attributes: list[int] = []  # asked for in the data
        self.status = 0
        self.extended: int | None = None
        self.inner: list[Cip] = []

    def all(self) -> list[Cip]:
        """Give this message and those packed into it."""
        return [self, *(one for inner in self.inner for one in inner.all())]

    def of(self, kind: str) -> list[int]:
        """Give the values of a kind of path segment ("class", "instance", "attribute")."""
        found = [value for name, _, value in self.path if name == kind and isinstance(value, int)]
        return found + self.attributes if kind == "attribute" else found

    def log(self) -> dict[str, Any]:
        """Give the record's ``cip``."""
        found: dict[str, Any] = {"service": _SERVICES.get(self.service, f"unknown-{self.service}")}
        if self.response:
            found["status"] = "success" if self.status == 0 else f"error-{self.status}"
            found["status_code"] = self.status
            if self.extended is not None:
                found["status_extended"] = self.extended
        if self.path:
            found["path"] = [
                {"segment_type": f"{kind}_{bits}bit" if bits else kind, "value": value}
                for kind, bits, value in self.path
            ]
            classes = self.of("class")
            if classes and classes[0] in _CLASSES:
                found["class_name"] = _CLASSES[classes[0]]
        if self.inner:
            found["multiple"] = [one.log() for one in self.inner]
        return found


def parse(data: bytes, depth: int = 0) -> Cip | None:
    """Read a message; None when it is too short to be one."""
    reader = Reader(data)
    message = Cip(reader.uint(1))
    if message.response:
        reader.take(1)
        message.status = reader.uint(1)
        extended = Reader(reader.take(2 * reader.uint(1)))
        if extended.left:
            message.extended = extended.little(2)
    else:
        _path(message, Reader(reader.take(2 * reader.uint(1))))
    if reader.failed:
        return None
    if message.service == MULTIPLE and depth < MAX_DEPTH:
        _inner(message, reader.rest(), depth)
    elif message.service == GET_LIST and not message.response:
        count = min(reader.little(2), MAX_ATTRIBUTES, reader.left // 2)
        message.attributes = [reader.little(2) for _ in range(count)]
    return message


def _inner(message: Cip, data: bytes, depth: int) -> None:
    """Read the messages of a multiple service packet, each from its offset up to the next."""
    reader = Reader(data)
    count = min(reader.little(2), MAX_MESSAGES, reader.left // 2)
    offsets = [reader.little(2) for _ in range(count)]
    for place, start in enumerate(offsets):
        end = offsets[place + 1] if place + 1 < count else len(data)
        if reader.at <= start < end <= len(data):
            found = parse(data[start:end], depth + 1)
            if found is not None:
                message.inner.append(found)


def _path(message: Cip, reader: Reader) -> None:
    """Read a padded path as far as its segments are known."""
    while reader.left and not reader.failed and len(message.path) < MAX_SEGMENTS:
        kind = reader.uint(1)
        if kind == _SYMBOL:
            size = reader.uint(1)
            name = reader.take(size).decode("latin-1")
            reader.take(size & 1)
            if not reader.failed:
                message.path.append(("symbol", 0, name))
        elif kind >> 5 == 1 and kind & 3 in _SIZES and kind >> 2 & 7 in _LOGICAL:
            size = _SIZES[kind & 3]
            reader.take(int(size > 1))
            value = reader.little(size)
            if not reader.failed:
                message.path.append((_LOGICAL[kind >> 2 & 7], 8 * size, value))
        elif kind >> 5 == 0:
            _port(message, reader, kind)
        else:
            return


def _port(message: Cip, reader: Reader, kind: int) -> None:
    """Read a port segment: where the message is passed on to."""
    size = reader.uint(1) if kind & 0x10 else 1
    port = reader.little(2) if kind & 0x0F == 0x0F else kind & 0x0F
    reader.take(size)
    reader.take((reader.at) & 1)
    if not reader.failed:
        message.path.append(("port", 0, port))


def is_service(value: tuple[int, list[int], list[int]], argument: str) -> bool:
    """Compare (service, classes, attributes) of a message with ``service[,class[,[!]attribute]]``."""
    words = argument.split(",")
    service, classes, attributes = value
    if service != int(words[0]):
        return False
    if len(words) > 1 and int(words[1]) not in classes:
        return False
    if len(words) > 2:
        wanted = int(words[2].lstrip("!"))
        return (wanted in attributes) != words[2].startswith("!")
    return True
