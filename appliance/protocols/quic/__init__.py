"""QUIC: IETF versions 1 and 2 with drafts from 23 on, and Google's before them."""

from __future__ import annotations

from appliance.model.app import BufferSpec
from appliance.protocols.quic.header import NEGOTIATION, is_known, parse
from appliance.protocols.quic.parser import QuicParser
from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_BOTH, _TS, _TC = (0, 1), (0,), (1,)
_PORTS = ((443, 443), (80, 80))


def _probe(data: bytes) -> int:
    """A long header of a version that exists."""
    header = parse(data)
    return PROBE_YES if header is not None and is_known(header.version) else PROBE_NO


def _probe_port(data: bytes) -> int:
    """On its ports also a version that nobody knows yet, and the answer to one."""
    header = parse(data)
    sound = header is not None and data[0] & 0xC0 == 0xC0
    return PROBE_YES if sound or (header is not None and header.version == NEGOTIATION) else PROBE_NO


_ROWS = (
    ("quic.version", _BOTH, False),
    ("quic.sni", _TS, False),
    ("quic.ua", _TS, False),
    ("quic.cyu.hash", _TS, True),
    ("quic.cyu.string", _TS, True),
    ("ja3.hash", _TS, False),
    ("ja3.string", _TS, False),
    ("ja3s.hash", _TC, False),
    ("ja3s.string", _TC, False),
    ("ja4.hash", _TS, False),
)

SPECS = (
    ProtocolSpec(
        "quic",
        ("udp",),
        parser=QuicParser,
        probings=(
            *(Probing(_probe, direction) for direction in _BOTH),
            *(Probing(_probe_port, direction, _PORTS) for direction in _BOTH),
        ),
        buffers=tuple(BufferSpec(name, ("quic",), sides, multi=multi) for name, sides, multi in _ROWS),
        log="quic",
        frames=frozenset(("pdu",)),
        events=frozenset(("error_on_data", "error_on_header", "failed_decrypt")),
    ),
)

__all__ = ["SPECS", "QuicParser"]
