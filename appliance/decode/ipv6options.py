"""Options of hop-by-hop and destination headers (RFC 8200 section 4.2)."""

from __future__ import annotations

from typing import Final

from appliance.model.packet import Packet

# Router alert (RFC 2711), jumbo payload (RFC 2675), home address (RFC 6275): least length of data.
_KNOWN: Final[dict[int, int]] = {0x05: 2, 0xC2: 4, 0xC9: 16}
_UNKNOWN: Final[dict[int, str]] = {0: "ipv6.hopopts_unknown_opt", 60: "ipv6.dstopts_unknown_opt"}
_PADDING: Final[dict[int, str]] = {0: "ipv6.hopopts_only_padding", 60: "ipv6.dstopts_only_padding"}


def check_options(packet: Packet, header: int, at: int, end: int) -> None:
    """Check the options in ``frame[at:end]`` of extension header ``header`` (0 or 60)."""
    frame = packet.frame
    padding = 0
    others = 0
    while at < end:
        kind = frame[at]
        if kind == 0:
            padding += 1
            at += 1
            continue
        if at + 1 >= end or at + 2 + frame[at + 1] > end:
            packet.note("ipv6.exthdr_invalid_optlen")
            break
        size = frame[at + 1]
        if kind == 1:
            padding += 1
            if size == 0:
                packet.note("ipv6.zero_len_padn")
        else:
            others += 1
            if not _sound(packet, header, kind, size):
                break
        at += 2 + size
    if padding and not others:
        packet.note(_PADDING[header])


def _sound(packet: Packet, header: int, kind: int, size: int) -> bool:
    """Check one option that is not padding; False ends the walk."""
    least = _KNOWN.get(kind)
    if least is None:
        packet.note(_UNKNOWN[header])
    elif size < least:
        packet.note("ipv6.exthdr_invalid_optlen")
        return False
    return True
