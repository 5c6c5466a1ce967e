"""The ``bittorrent_dht`` record, which is all that there is of a message."""

from __future__ import annotations

from typing import Any

_REQUEST_KEYS = ("id", "target", "info_hash", "token")
_NODE, _NODE6, _PEER, _PEER6 = 26, 38, 6, 18
_ID = 20


def body(message: Any) -> tuple[dict[str, Any], bool]:
    """Make the record of a decoded message; the flag tells that it has all that BEP 5 asks for."""
    if not isinstance(message, dict):
        return {"transaction_id": ""}, False
    ident, client, kind = (message.get(key) for key in (b"t", b"v", b"y"))
    found: dict[str, Any] = {"transaction_id": ident.hex() if isinstance(ident, bytes) else ""}
    if isinstance(client, bytes):
        found["client_version"] = client.hex()
    reader = _KINDS.get(kind) if isinstance(kind, bytes) else None
    sound = reader is not None and reader(message, found)
    return found, sound and isinstance(ident, bytes)


def _request(message: dict[bytes, Any], found: dict[str, Any]) -> bool:
    query, given = message.get(b"q"), message.get(b"a")
    if not isinstance(query, bytes) or not isinstance(given, dict):
        return False
    found["request_type"] = _text(query)
    request = found["request"] = _hexed(given, _REQUEST_KEYS)
    for key in ("implied_port", "port"):
        value = given.get(key.encode())
        if isinstance(value, int):
            request[key] = value
    return all(key in request for key in ("id", *_NEEDED.get(query, ())))


def _response(message: dict[bytes, Any], found: dict[str, Any]) -> bool:
    given = message.get(b"r")
    if not isinstance(given, dict):
        return False
    response = found["response"] = _hexed(given, ("id",))
    for key, size in (("nodes", _NODE), ("nodes6", _NODE6)):
        nodes = given.get(key.encode())
        if isinstance(nodes, bytes) and len(nodes) >= size:
            response[key] = [_node(nodes[at : at + size]) for at in range(0, len(nodes) - size + 1, size)]
    response |= _hexed(given, ("token",))
    peers = given.get(b"values")
    if isinstance(peers, list):
        response["values"] = [
            _peer(peer) for peer in peers if isinstance(peer, bytes) and len(peer) in {_PEER, _PEER6}
        ]
    return "id" in response


def _error(message: dict[bytes, Any], found: dict[str, Any]) -> bool:
    given = message.get(b"e")
    if not isinstance(given, list) or len(given) < 2:
        return False
    if not isinstance(given[0], int) or not isinstance(given[1], bytes):
        return False
    found["error"] = {"num": given[0], "msg": _text(given[1])}
    return True


def _hexed(given: dict[bytes, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Give the strings among ``keys`` in hexadecimal."""
    values = ((key, given.get(key.encode())) for key in keys)
    return {key: value.hex() for key, value in values if isinstance(value, bytes)}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _node(raw: bytes) -> dict[str, Any]:
    return {"id": raw[:_ID].hex(), **_peer(raw[_ID:])}


def _peer(raw: bytes) -> dict[str, Any]:
    """Take apart a compact address and port."""
    address, port = raw[:-2], int.from_bytes(raw[-2:], "big")
    text = ".".join(map(str, address)) if len(address) == 4 else address.hex(":", 2)
    return {"ip": text, "port": port}


_NEEDED = {
    b"find_node": ("target",),
    b"get_peers": ("info_hash",),
    b"announce_peer": ("info_hash", "token"),
}
_KINDS = {b"q": _request, b"r": _response, b"e": _error}
