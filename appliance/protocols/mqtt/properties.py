"""Properties of MQTT 5 packets (OASIS MQTT 5.0 section 2.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.protocols.reader import Reader, text

MAX_PROPERTIES = 256


def _u8(reader: Reader) -> int:
    return reader.uint(1)


def _u16(reader: Reader) -> int:
    return reader.uint(2)


def _u32(reader: Reader) -> int:
    return reader.uint(4)


def binary(reader: Reader) -> bytes:
    """Read bytes with their length, two bytes, before them."""
    return reader.take(reader.uint(2))


def _words(reader: Reader) -> str:
    return text(binary(reader))


def variable(reader: Reader) -> int:
    """Read a variable byte integer of one to four bytes (section 1.5.5)."""
    value = 0
    for shift in (0, 7, 14, 21):
        byte = reader.uint(1)
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value
    reader.failed = True
    return 0


_KINDS: dict[int, tuple[str, Callable[[Reader], Any]]] = {
    0x01: ("payload_format_indicator", _u8),
    0x02: ("message_expiry_interval", _u32),
    0x03: ("content_type", _words),
    0x08: ("response_topic", _words),
    0x09: ("correlation_data", _words),
    0x0B: ("subscription_identifier", variable),
    0x11: ("session_expiry_interval", _u32),
    0x12: ("assigned_client_identifier", _words),
    0x13: ("server_keep_alive", _u16),
    0x15: ("authentication_method", _words),
    0x16: ("authentication_data", _words),
    0x17: ("request_problem_information", _u8),
    0x18: ("will_delay_interval", _u32),
    0x19: ("request_response_information", _u8),
    0x1A: ("response_information", _words),
    0x1C: ("server_reference", _words),
    0x1F: ("reason_string", _words),
    0x21: ("receive_maximum", _u16),
    0x22: ("topic_alias_maximum", _u16),
    0x23: ("topic_alias", _u16),
    0x24: ("maximum_qos", _u8),
    0x25: ("retain_available", _u8),
    0x27: ("maximum_packet_size", _u32),
    0x28: ("wildcard_subscription_available", _u8),
    0x29: ("subscription_identifiers_available", _u8),
    0x2A: ("shared_subscription_available", _u8),
}
_USER = 0x26


def properties(reader: Reader) -> dict[str, Any]:
    """Read a length and the properties in it; a failure marks ``reader``.

    User properties stand beside the others under the names that the sender chose.
    """
    block = Reader(reader.take(variable(reader)))
    found: dict[str, Any] = {}
    while block.left and len(found) < MAX_PROPERTIES:
        kind = block.uint(1)
        if kind == _USER:
            name = _words(block)
            found.setdefault(name, _words(block))
        elif kind in _KINDS:
            name, read = _KINDS[kind]
            found[name] = read(block)
        else:
            block.failed = True
    reader.failed = reader.failed or block.failed
    return found
