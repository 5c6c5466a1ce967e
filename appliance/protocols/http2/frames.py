"""Frames of HTTP/2: numbers, names and fixed shapes (RFC 9113 sections 4 to 7 and 11)."""

from __future__ import annotations

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

ACK = END_STREAM = 0x01
END_HEADERS = 0x04
PADDED = 0x08
WITH_PRIORITY = 0x20

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_SIZE = 9
MAX_FRAME = 65_536  # bytes of a frame that is read as a whole

# Lengths of the frames that have only one.
FIXED = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
# Frames that mean nothing without a stream.
OF_STREAM = frozenset({HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION})

# Names as records have them; rules write SETTINGS_HEADER_TABLE_SIZE for the first.
SETTINGS_NAMES = {
    1: "HEADER_TABLE_SIZE",
    2: "ENABLE_PUSH",
    3: "MAX_CONCURRENT_STREAMS",
    4: "INITIAL_WINDOW_SIZE",
    5: "MAX_FRAME_SIZE",
    6: "MAX_HEADER_LIST_SIZE",
}
HEADER_TABLE_SIZE = 1
ERROR_NAMES = (
    "NOERROR",
    "PROTOCOLERROR",
    "INTERNALERROR",
    "FLOWCONTROLERROR",
    "SETTINGSTIMEOUT",
    "STREAMCLOSED",
    "FRAMESIZEERROR",
    "REFUSEDSTREAM",
    "CANCEL",
    "COMPRESSIONERROR",
    "CONNECTERROR",
    "ENHANCEYOURCALM",
    "INADEQUATESECURITY",
    "HTTP11REQUIRED",
)


def settings_record_name(number: int) -> str:
    """Name a setting as records do."""
    name = SETTINGS_NAMES.get(number)
    return "SETTINGS" + name.replace("_", "") if name else str(number)


def error_record_name(code: int) -> str:
    """Name an error code as records do; unknown ones by number."""
    return ERROR_NAMES[code] if code < len(ERROR_NAMES) else str(code)


def parse_settings(payload: bytes) -> list[tuple[int, int]]:
    """Read (identifier, value) pairs; what is too short for one at the end is left."""
    return [
        (int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        for at in range(0, len(payload) - 5, 6)
    ]


def unpad(payload: bytes, flags: int) -> bytes | None:
    """Take padding off; None when it is longer than the frame."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        return None
    return payload[1 : len(payload) - payload[0]]


def looks_like_settings(head: bytes) -> bool:
    """Tell whether bytes begin (as far as there are) with the SETTINGS that opens a server's side."""
    if head[:1] not in {b"", b"\0"} or head[3:4] not in {b"", b"\x04"} or head[5:9].strip(b"\0"):
        return False
    length = int.from_bytes(head[:3], "big") if len(head) >= 3 else 0
    return length <= 0x4000 and length % 6 == 0 and head[4:5] in {b"", b"\0", b"\x01"}
