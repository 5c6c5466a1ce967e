"""The SSL 2.0 client hello, with which old clients open even newer handshakes (RFC 5246 appendix E.2)."""

from __future__ import annotations

from appliance.protocols.tls.hello import Hello

_CLIENT_HELLO = 1


def is_client_hello(data: bytes) -> bool:
    """Tell whether a stream begins with an SSL 2.0 record that holds a client hello."""
    return len(data) >= 5 and data[0] & 0x80 != 0 and data[2] == _CLIENT_HELLO and data[3] in {0, 2, 3}


def parse(data: bytes) -> tuple[Hello | None, int, str]:
    """Read the hello: its fields, the bytes used, and an event where it is malformed ("" otherwise)."""
    length = ((data[0] & 0x7F) << 8) | data[1]
    body = data[2 : 2 + length]
    if len(body) < 9:
        return None, len(data), "invalid_sslv2_header"
    ciphers, session, challenge = (int.from_bytes(body[at : at + 2], "big") for at in (3, 5, 7))
    if 9 + ciphers + session + challenge > length:
        return None, len(data), "invalid_sslv2_header"
    hello = Hello(client=True, version=(body[1] << 8) | body[2])
    hello.session_id = body[9 + ciphers : 9 + ciphers + session]
    hello.random = body[9 + ciphers + session : 9 + ciphers + session + challenge]
    return hello, 2 + length, ""
