"""The SSL 2.0 client hello, with which old clients open even newer handshakes (RFC 5246 appendix E.2)."""

from __future__ import annotations

from appliance.protocols.tls.hello import Hello

_CLIENT_HELLO = 1
_FIXED = 9  # bytes of a hello before its lists


def is_client_hello(data: bytes | bytearray) -> bool:
    """Tell whether a stream begins with an SSL 2.0 record that holds a client hello."""
    return len(data) >= 5 and data[0] & 0x80 != 0 and data[2] == _CLIENT_HELLO and data[3] in {0, 2, 3}


def wants_more(data: bytes | bytearray) -> bool:
    """Tell whether the stream may begin with a hello of which more has to come; what is malformed may not."""
    if len(data) < 5:
        return _begins(data)
    length = _length(data)
    if not is_client_hello(data) or length < _FIXED:
        return False
    return len(data) < 2 + _FIXED or (_fits(data, length) and len(data) < 2 + length)


def _begins(data: bytes | bytearray) -> bool:
    """Tell whether fewer bytes than the smallest hello could become one."""
    if not data or not data[0] & 0x80:
        return False
    return (len(data) < 3 or data[2] == _CLIENT_HELLO) and (len(data) < 4 or data[3] in {0, 2, 3})


def _length(data: bytes | bytearray) -> int:
    return ((data[0] & 0x7F) << 8) | data[1]


def _sizes(data: bytes | bytearray) -> tuple[int, int, int]:
    """Give the bytes of the ciphers, the session's id and the challenge."""
    return (
        int.from_bytes(data[5:7], "big"),
        int.from_bytes(data[7:9], "big"),
        int.from_bytes(data[9:11], "big"),
    )


def _fits(data: bytes | bytearray, length: int) -> bool:
    return _FIXED + sum(_sizes(data)) <= length


def parse(data: bytes) -> tuple[Hello | None, int, str]:
    """Read the hello: its fields, the bytes used, and an event where it is malformed ("" otherwise)."""
    length = _length(data)
    body = data[2 : 2 + length]
    if len(body) < _FIXED or not _fits(data, length):
        return None, len(data), "invalid_sslv2_header"
    ciphers, session, challenge = _sizes(data)
    hello = Hello(client=True, version=(body[1] << 8) | body[2])
    hello.session_id = body[9 + ciphers : 9 + ciphers + session]
    hello.random = body[9 + ciphers + session : 9 + ciphers + session + challenge]
    return hello, 2 + length, ""
