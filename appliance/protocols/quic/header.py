"""Packet headers of QUIC (RFC 9000 section 17, RFC 9369) and of Google's forms before it."""

from __future__ import annotations

from dataclasses import dataclass

V1, V2, NEGOTIATION = 0x00000001, 0x6B3343CF, 0
INITIAL, ZERO_RTT, HANDSHAKE, RETRY, OTHER = "initial", "0rtt", "handshake", "retry", "other"
MAX_CID = 20
_TYPES = (INITIAL, ZERO_RTT, HANDSHAKE, RETRY)
_TYPES2 = (RETRY, INITIAL, ZERO_RTT, HANDSHAKE)  # version 2 counts differently
_OLD_VERSION, _OLD_CID = 0x01, 0x08  # flags of the public header
_OLD_HASH = 12


@dataclass(slots=True)
class Header:
    """A long header: ``start`` is the offset of what follows, ``end`` that of the next packet.

    ``start`` is that of the packet number where that is protected, of the frames in Google's forms.
    """

    kind: str
    version: int
    dcid: bytes
    start: int
    end: int


def version_bytes(version: int) -> bytes:
    """Give a version as it is on the wire."""
    return version.to_bytes(4, "big")


def version_name(version: int) -> str:
    """Name a version as records do: ``1``, ``2``, ``Q046``, or in hex."""
    if version in {V1, V2}:
        return "1" if version == V1 else "2"
    return version_bytes(version).decode("ascii") if is_google(version) else f"{version:x}"


def is_google(version: int) -> bool:
    """Tell whether this is one of Q0xx, which carry their hello in the clear."""
    raw = version_bytes(version)
    return raw[:2] == b"Q0" and raw[2:].isdigit()


def is_known(version: int) -> bool:
    """Tell whether a version exists: 1, 2, drafts, Google's."""
    draft = version >> 8 == 0xFF0000 and version & 0xFF >= 22
    return version in {V1, V2} or draft or is_google(version) or version_bytes(version)[:2] == b"T0"


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of variable size (RFC 9000 section 16) and the offset after it; -1 when cut short."""
    if at >= len(data):
        return -1, at
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        return -1, at
    value = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, at + size


def parse(data: bytes, at: int = 0) -> Header | None:
    """Read the header of the packet at ``at``; None when it makes no sense."""
    if at >= len(data):
        return None
    if not data[at] & 0x80:
        return _public(data, at)
    if len(data) < at + 6:
        return None
    first, version = data[at], int.from_bytes(data[at + 1 : at + 5], "big")
    if is_google(version):
        return _google(data, at, first, version)
    length = data[at + 5]
    after = at + 6 + length
    if length > MAX_CID and is_known(version):
        return None
    if after >= len(data) or after + 1 + data[after] > len(data):
        return None
    dcid, after = bytes(data[at + 6 : after]), after + 1 + data[after]
    if version == NEGOTIATION:
        return Header(OTHER, version, dcid, after, len(data))
    kind = (_TYPES2 if version == V2 else _TYPES)[first >> 4 & 3]
    if not is_known(version) or version_bytes(version)[:2] == b"T0":
        return Header(OTHER, version, dcid, after, len(data))
    return _rest(data, Header(kind, version, dcid, after, len(data)))


def _rest(data: bytes, header: Header) -> Header | None:
    """Read token and length, which say where the packet ends."""
    at = header.start
    if header.kind == RETRY:
        return header
    if header.kind == INITIAL:
        token, at = varint(data, at)
        if token < 0 or at + token > len(data):
            return None
        at += token
    length, at = varint(data, at)
    if length < 0 or at + length > len(data):
        return None
    header.start, header.end = at, at + length
    return header


def _google(data: bytes, at: int, first: int, version: int) -> Header | None:
    """Long header of Q044 to Q046: one byte with both lengths, packet number, hash, frames."""
    sizes = data[at + 5]
    dcid_size, scid_size = ((size + 3 if size else 0) for size in (sizes >> 4, sizes & 15))
    number = at + 6 + dcid_size + scid_size
    start = number + (first & 3) + 1 + _OLD_HASH
    if start > len(data):
        return None
    newer = version >= 0x51303436
    initial = first >> 4 & 3 == 0 if newer else first & 0x7F == 0x7F
    if not newer:
        start = number + 4 + _OLD_HASH
    dcid = bytes(data[at + 6 : at + 6 + dcid_size])
    return Header(INITIAL if initial else OTHER, version, dcid, min(start, len(data)), len(data))


def _public(data: bytes, at: int) -> Header | None:
    """Public header of Q043 and before, where it names a version."""
    flags = data[at]
    if flags & (_OLD_VERSION | _OLD_CID) != _OLD_VERSION | _OLD_CID or len(data) < at + 13:
        return None
    version = int.from_bytes(data[at + 9 : at + 13], "big")
    if not is_google(version):
        return None
    number = (1, 2, 4, 6)[flags >> 4 & 3]
    start = min(at + 13 + number + _OLD_HASH, len(data))
    return Header(INITIAL, version, bytes(data[at + 1 : at + 9]), start, len(data))
