"""How long a message body is, by its fields (RFC 9112 section 6), and what is wrong with them."""

from __future__ import annotations

from appliance.protocols.http1.headers import Headers
from appliance.protocols.http1.transaction import HttpTransaction

_SPACE = b" \t\r\n\x0b\x0c\0"
NO_LENGTH = -2
BAD_LENGTH = -1


def transfer_coding(headers: Headers, tx: HttpTransaction, word: str, version: int) -> bool:
    """Tell whether the body is chunked: if the field only mentions it, as clients do."""
    value = headers.get(b"transfer-encoding")
    if value is None:
        return False
    plain = value.replace(b"\0", b"").strip(_SPACE).lower()
    if b"chunked" not in plain:
        tx.note(f"invalid_transfer_encoding_value_in_{word}")
        return False
    if plain != b"chunked" and word == "response":
        tx.note("response_abnormal_transfer_encoding")
    if version < 11:
        tx.note(
            "response_chunked_old_proto"
            if word == "response"
            else "invalid_transfer_encoding_value_in_request"
        )
    return True


def content_length(headers: Headers, tx: HttpTransaction, word: str) -> int:
    """Give the announced length: the first number in the field; ``BAD_LENGTH`` or ``NO_LENGTH`` without."""
    value = headers.get(b"content-length")
    if value is None:
        return NO_LENGTH
    if headers.repeated is not None and b"content-length" in headers.repeated:
        tx.note(f"duplicate_content_length_field_in_{word}")
    raw, size = value, len(value)
    if not 0 < size <= 18:
        return _first_number(value, tx, word)
    length = 0
    for at in range(size):
        if not 48 <= raw[at] <= 57:
            return _first_number(value, tx, word)
        length = length * 10 + raw[at] - 48
    return length


def _first_number(value: bytes, tx: HttpTransaction, word: str) -> int:
    """Read a field that is more or less than a number."""
    at = 0
    while at < len(value) and not 0x30 <= value[at] <= 0x39:
        at += 1
    end = at
    while end < len(value) and 0x30 <= value[end] <= 0x39:
        end += 1
    digits = value[at:end].lstrip(b"0") or value[at:end][:1]
    if not digits or len(digits) > 18:
        tx.note(f"invalid_content_length_field_in_{word}")
        return BAD_LENGTH
    return int(digits)
