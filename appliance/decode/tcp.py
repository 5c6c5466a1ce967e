"""TCP header and options (RFC 9293, RFC 7323, RFC 2018, RFC 7413, RFC 2385, RFC 5925)."""

from __future__ import annotations

from appliance.model.packet import Packet


def tcp(packet: Packet) -> None:
    """Read the header at the cursor; the payload is what follows its options."""
    frame = packet.frame
    off = packet.payload_off
    left = packet.payload_len
    if left < 20:
        packet.note("tcp.pkt_too_small")
        return
    hlen = frame[off + 12] >> 4 << 2
    if left < hlen or hlen < 20:
        packet.note("tcp.hlen_too_small" if left < hlen else "tcp.invalid_optlen")
        return
    packet.sport = frame[off] << 8 | frame[off + 1]
    packet.dport = frame[off + 2] << 8 | frame[off + 3]
    packet.seq = _u32(frame, off + 4)
    packet.ack = _u32(frame, off + 8)
    packet.tcp_hlen = hlen
    packet.tcp_flags = frame[off + 13]
    packet.window = frame[off + 14] << 8 | frame[off + 15]
    packet.urgent = frame[off + 18] << 8 | frame[off + 19]
    packet.payload_off = off + hlen
    packet.payload_len = left - hlen
    if hlen == 32 and frame[off + 20] == 1 and frame[off + 21] == 1 and frame[off + 22] == 8:
        _timestamps(packet, off + 22, off + hlen)
    elif hlen > 20:
        _options(packet, off + 20, off + hlen)


def _timestamps(packet: Packet, at: int, end: int) -> None:
    """Read the options of nearly every segment: two of padding, then timestamps (RFC 7323, appendix A)."""
    frame = packet.frame
    if frame[at + 1] != 10:
        _options(packet, at - 2, end)
        return
    packet.ts_val = _u32(frame, at + 2)
    packet.ts_ecr = _u32(frame, at + 6)
    packet.tcp_opts = _TIMESTAMPS


def _options(packet: Packet, at: int, end: int) -> None:
    """Walk the options in ``frame[at:end]``: set ``packet.tcp_opts`` and what they say."""
    frame = packet.frame
    seen: list[int] = []
    while at < end:
        kind = frame[at]
        if kind == 1:
            seen.append(1)
            at += 1
            continue
        if kind == 0:
            seen.append(0)
            break
        if end - at < 2:
            break
        size = frame[at + 1]
        if size < 2 or size > end - at:
            packet.note("tcp.opt_invalid_len")
            break
        if kind == 8 and size == 10 and packet.ts_val < 0:
            packet.ts_val = _u32(frame, at + 2)
            packet.ts_ecr = _u32(frame, at + 6)
        elif not _fits(kind, size):
            packet.note("tcp.opt_invalid_len")
        elif kind in _ONCE and kind in seen:
            packet.note("tcp.opt_duplicate")
        else:
            _take(packet, at, kind, size)
        seen.append(kind)
        at += size
    packet.tcp_opts = tuple(seen)


def _u32(frame: bytes, off: int) -> int:
    high = frame[off]  # 64 bits wide when compiled: the shift must not reach the sign
    return high << 24 | frame[off + 1] << 16 | frame[off + 2] << 8 | frame[off + 3]


_TIMESTAMPS = (1, 1, 8)

# MSS, window scale, SACK permitted, SACK, timestamps, fast open.
_ONCE = frozenset({2, 3, 4, 5, 8, 34})

# Lengths that options may have. Experimental ones (253, 254) are read as early fast open did (RFC 7413).
_SIZES: dict[int, frozenset[int]] = {
    2: frozenset({4}),
    3: frozenset({3}),
    4: frozenset({2}),
    5: frozenset({2, 10, 18, 26, 34}),
    8: frozenset({10}),
    19: frozenset({18}),
    29: frozenset(range(4, 41)),
    34: frozenset({2, 6, 8, 10, 12, 14, 16, 18}),
    253: frozenset({4, 12}),
    254: frozenset({4, 12}),
}


def _fits(kind: int, size: int) -> bool:
    """Tell whether an option has a length that its kind allows."""
    sizes = _SIZES.get(kind)
    return sizes is None or size in sizes


def _take(packet: Packet, at: int, kind: int, size: int) -> None:
    """Keep what an option of sound length says."""
    frame = packet.frame
    if kind == 2:
        packet.mss = frame[at + 2] << 8 | frame[at + 3]
    elif kind == 3:
        packet.wscale = min(frame[at + 2], 14)  # RFC 7323 section 2.3
    elif kind == 4:
        packet.sack_ok = True
    elif kind == 5:
        packet.sacks = size >> 3
