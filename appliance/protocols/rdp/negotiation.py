"""The opening of a connection in X.224: cookie and security protocol (MS-RDPBCGR 2.2.1.1, 2.2.1.2)."""

from __future__ import annotations

from typing import Any

from appliance.protocols.rdp import names
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

REQUEST, CONFIRM, DATA = 0xE0, 0xD0, 0xF0  # X.224 codes, in the high half of their byte
HEADER = 4  # of TPKT (RFC 1006)
FIXED = 7  # length and fixed part of a request or confirm
LEAST = HEADER + FIXED

_COOKIE = b"Cookie: mstshash="
_RESPONSE, _FAILURE = 2, 3
_NEGOTIATION = 8  # bytes of a negotiation structure


def packet_length(data: bytes | bytearray, at: int) -> int:
    """Give the length of the TPKT at ``at``, 0 when there is none; at least four bytes have to be there."""
    length = (data[at + 2] << 8) | data[at + 3]
    return length if data[at] == 3 and not data[at + 1] and length > HEADER else 0


def request(packet: bytes) -> dict[str, Any]:
    """Read a connection request into its record."""
    found: dict[str, Any] = {"event_type": "initial_request"}
    variable = packet[LEAST:]
    if variable.startswith(_COOKIE):
        cookie = variable[len(_COOKIE) :].split(b"\r\n", 1)[0]
        found["cookie"] = cookie.decode("utf-8", "backslashreplace")
    return found


def confirm(packet: bytes) -> dict[str, Any]:
    """Read a connection confirm into its record."""
    found: dict[str, Any] = {"event_type": "initial_response"}
    answer = packet[LEAST : LEAST + _NEGOTIATION]
    if len(answer) < _NEGOTIATION:
        return found
    number = int.from_bytes(answer[4:8], "little")
    if answer[0] == _RESPONSE:
        supported = [name for bit, name in names.SUPPORTED if answer[1] & bit]
        if supported:
            found["server_supports"] = supported
        found["protocol"] = names.PROTOCOLS.get(number, "unknown")
    elif answer[0] == _FAILURE:
        found["error_code"] = number
        found["reason"] = names.FAILURES.get(number, "unknown")
    return found


def _probe(data: bytes, code: int) -> int:
    """Tell whether a stream begins with the X.224 packet ``code`` of the length that its frame has."""
    if len(data) < HEADER + 2:
        return PROBE_MAYBE if data[:2] in {b"", b"\x03", b"\x03\x00"} else PROBE_NO
    length = packet_length(data, 0)
    fits = length >= LEAST and data[4] == length - HEADER - 1 and data[5] & 0xF0 == code
    return PROBE_YES if fits else PROBE_NO


def probe_request(data: bytes) -> int:
    """Tell whether a client asks to connect."""
    return _probe(data, REQUEST)


def probe_confirm(data: bytes) -> int:
    """Tell whether a server accepts or refuses a connection."""
    return _probe(data, CONFIRM)
