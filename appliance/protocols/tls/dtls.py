"""DTLS, which is recognised so that application control can name it (RFC 6347, RFC 9147)."""

from __future__ import annotations

from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_HEADER = 13  # type, version, epoch, sequence, length
_HANDSHAKE, _ALERT = 22, 21
_VERSIONS = frozenset((0xFEFF, 0xFEFD, 0x0100))
_FIRST = frozenset((1, 2, 3))  # hello of the client, of the server, request to verify


def probe(data: bytes) -> int:
    """A first record: handshake with a hello, or an alert, in epoch 0 and of a length that fits."""
    if len(data) < _HEADER + 1 or int.from_bytes(data[1:3], "big") not in _VERSIONS:
        return PROBE_NO
    length = int.from_bytes(data[11:13], "big")
    if data[3:5] != b"\0\0" or not 0 < length <= len(data) - _HEADER:
        return PROBE_NO
    hello = data[0] == _HANDSHAKE and data[_HEADER] in _FIRST
    return PROBE_YES if hello or (data[0] == _ALERT and length == 2) else PROBE_NO


SPEC = ProtocolSpec("dtls", ("udp",), probings=(Probing(probe, 0), Probing(probe, 1)))
