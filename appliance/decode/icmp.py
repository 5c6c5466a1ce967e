"""ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861): type, code, identifier, and the packet they quote."""

from __future__ import annotations

from typing import Final

from appliance.model.packet import Packet

# Highest code of each type; types not listed are unknown.
_CODES4: Final[dict[int, int]] = {
    0: 0, 3: 15, 4: 0, 5: 3, 8: 0, 9: 16, 10: 0, 11: 1, 12: 2,
    13: 0, 14: 0, 15: 0, 16: 0, 17: 0, 18: 0,
}  # fmt: skip
_QUERIES4: Final = frozenset({0, 8, 13, 14, 15, 16, 17, 18})
_ERRORS4: Final = frozenset({3, 4, 5, 11, 12})
_TIMESTAMPS: Final = frozenset({13, 14})

_CODES6: Final[dict[int, int]] = {
    1: 8, 2: 0, 3: 1, 4: 10, 128: 0, 129: 0, 130: 0, 131: 0, 132: 0, 133: 0, 134: 0, 135: 0, 136: 0, 137: 0,
    138: 255, 139: 2, 140: 2,
}  # fmt: skip
_KNOWN6: Final = frozenset(range(141, 160))  # assigned; their codes are not looked at
_EXPERIMENTS6: Final = frozenset({100, 101, 200, 201})
_ECHO6: Final = frozenset({128, 129})
_ERRORS6: Final = frozenset({1, 2, 3, 4})
_LISTENER6: Final = frozenset({130, 131, 132, 143})


def icmp(packet: Packet) -> None:
    """Read an ICMP message; the payload is what follows its first 8 bytes."""
    if not _start(packet, "icmpv4.pkt_too_small"):
        return
    kind = packet.icmp_type
    highest = _CODES4.get(kind, -1)
    if highest < 0:
        packet.note("icmpv4.unknown_type")
        return
    if packet.icmp_code > highest or (kind == 9 and 0 < packet.icmp_code < 16):
        packet.note("icmpv4.unknown_code")
        return
    if kind in _QUERIES4:
        _identify(packet)
        if kind in _TIMESTAMPS and packet.payload_len < 12:
            packet.note("icmpv4.pkt_too_small")
    elif kind in _ERRORS4 and packet.payload_len > 0:
        _quoted(packet, 4, "icmpv4.ipv4_trunc_pkt", "icmpv4.ipv4_unknown_ver")


def icmpv6(packet: Packet) -> None:
    """Read an ICMPv6 message; the payload is what follows its first 8 bytes."""
    if not _start(packet, "icmpv6.pkt_too_small"):
        return
    kind = packet.icmp_type
    highest = _CODES6.get(kind, -1)
    if highest < 0:
        _unlisted(packet, kind)
    elif packet.icmp_code > highest or (kind == 138 and 2 < packet.icmp_code < 255):
        packet.note("icmpv6.unknown_code")
    elif kind in _ECHO6:
        _identify(packet)
    elif kind in _ERRORS6:
        _quoted(packet, 6, "icmpv6.ipv6_trunc_pkt", "icmpv6.ipv6_unknown_version")
    if kind in _LISTENER6 and packet.ttl != 1:
        packet.note("icmpv6.mld_message_with_invalid_hl")


def _start(packet: Packet, anomaly: str) -> bool:
    """Read type and code and move past the first 8 bytes, if they are there."""
    off = packet.payload_off
    if packet.payload_len < 8:
        packet.note(anomaly)
        return False
    packet.icmp_type = packet.frame[off]
    packet.icmp_code = packet.frame[off + 1]
    packet.payload_off = off + 8
    packet.payload_len -= 8
    return True


def _identify(packet: Packet) -> None:
    frame = packet.frame
    off = packet.payload_off
    packet.icmp_id = frame[off - 4] << 8 | frame[off - 3]
    packet.icmp_seq = frame[off - 2] << 8 | frame[off - 1]


def _unlisted(packet: Packet, kind: int) -> None:
    """Sort a type without a table entry into assigned, unassigned, experimental and unknown."""
    if kind in _KNOWN6:
        return
    if kind in _EXPERIMENTS6:
        packet.note("icmpv6.experimentation_type")
    elif 4 < kind < 127 or 160 <= kind < 200:
        packet.note("icmpv6.unassigned_type")
    else:
        packet.note("icmpv6.unknown_type")


def _quoted(packet: Packet, version: int, truncated: str, other: str) -> None:
    """Check the header of the packet that an error message quotes."""
    if packet.payload_len < (20 if version == 4 else 40):
        packet.note(truncated)
    elif packet.frame[packet.payload_off] >> 4 != version:
        packet.note(other)
