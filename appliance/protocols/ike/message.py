"""IKE messages: the header both versions share, and the chain of payloads behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

HEADER = 28
V1_ENCRYPTED, V2_INITIATOR = 0x01, 0x08
V2_SEALED = frozenset((46, 53))  # what follows their header is encrypted
_MAX_PAYLOADS = 64
_GENERIC = 4  # generic payload header


@dataclass(slots=True)
class Header:
    """RFC 2408 section 3.1 and RFC 7296 section 3.1; the security parameter indexes are hexadecimal."""

    initiator: str
    responder: str
    next: int
    major: int
    minor: int
    exchange: int
    flags: int
    id: int
    length: int

    @property
    def encrypted(self) -> bool:
        """Tell whether the payloads of a version 1 message are encrypted."""
        return self.major == 1 and bool(self.flags & V1_ENCRYPTED)


@dataclass(slots=True)
class Payloads:
    """``found`` are (type, content) in order; ``types`` is each type as announced, the ending 0 included."""

    found: list[tuple[int, bytes]] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    extra: bool = False
    sound: bool = True


def header(raw: bytes) -> Header | None:
    """Read a header, None when it is too short or of another version."""
    if len(raw) < HEADER or raw[17] >> 4 not in {1, 2}:
        return None
    number, length = int.from_bytes(raw[20:24], "big"), int.from_bytes(raw[24:28], "big")
    return Header(
        raw[:8].hex(), raw[8:16].hex(), raw[16], raw[17] >> 4, raw[17] & 15, raw[18], raw[19], number, length
    )


def payloads(raw: bytes, first: int, at: int, end: int) -> Payloads:
    """Follow the chain of payloads from ``at`` to ``end``, beginning with one of type ``first``."""
    chain = Payloads(types=[first])
    kind = first
    while kind and len(chain.found) < _MAX_PAYLOADS:
        length = int.from_bytes(raw[at + 2 : at + 4], "big") if at + _GENERIC <= end else 0
        if length < _GENERIC or at + length > end:
            chain.sound = False
            return chain
        chain.found.append((kind, raw[at + _GENERIC : at + length]))
        following = raw[at]
        chain.types.append(following)
        at += length
        kind = 0 if kind in V2_SEALED else following
    chain.extra = at < end
    return chain
