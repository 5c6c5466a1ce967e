"""TCP header and options (RFC 9293, RFC 7323, RFC 2018, RFC 7413, RFC 2385, RFC 5925)."""

from __future__ import annotations

from appliance.model.packet import Packet
from appliance.model.taken import taken


def tcp(packet: Packet) -> None:
    """Read the header at the cursor; the payload is what follows its options."""
    frame = packet.frame
    off = packet.payload_off
    left = packet.payload_len
    if left < 20 or off < 0 or off + left > len(frame):
        packet.note("tcp.pkt_too_small")
        return
    head = frame  # a pointer when compiled: bounds are checked above
    hlen = head[off + 12] >> 4 << 2
    if left < hlen or hlen < 20:
        packet.note("tcp.hlen_too_small" if left < hlen else "tcp.invalid_optlen")
        return
    packet.sport = head[off] << 8 | head[off + 1]
    packet.dport = head[off + 2] << 8 | head[off + 3]
    packet.seq = _u32(head, off + 4)
    packet.ack = _u32(head, off + 8)
    packet.tcp_hlen = hlen
    packet.tcp_flags = head[off + 13]
    packet.window = head[off + 14] << 8 | head[off + 15]
    packet.urgent = head[off + 18] << 8 | head[off + 19]
    packet.payload_off = off + hlen
    packet.payload_len = left - hlen
    if hlen == 32 and _u32(head, off + 20) == _PADDED:
        packet.ts_val = _u32(head, off + 24)
        packet.ts_ecr = _u32(head, off + 28)
        packet.tcp_opts = _TIMESTAMPS
    elif hlen > 20:
        _options(packet, off + 20, off + hlen)


def _options(packet: Packet, at: int, end: int) -> None:
    """Walk the options in ``frame[at:end]``: set ``packet.tcp_opts`` and what they say."""
    frame, kinds = packet.frame, _kinds
    head = frame  # a pointer when compiled: :func:`tcp` has seen that the options are there
    count = met = 0
    while at < end and count < _ROOM:
        kind = frame[at]
        if kind < 2:
            kinds[count] = kind
            count += 1
            at += 1
            if kind == 0:
                break
            continue
        if end - at < 2:
            break
        size = frame[at + 1]
        if size < 2 or size > end - at:
            packet.note("tcp.opt_invalid_len")
            break
        once = _ONCE[kind]
        if kind == 8 and size == 10 and packet.ts_val < 0:
            packet.ts_val = _u32(head, at + 2)
            packet.ts_ecr = _u32(head, at + 6)
        elif not _FITS[kind * _ROW + size]:
            packet.note("tcp.opt_invalid_len")
        elif once & met:
            packet.note("tcp.opt_duplicate")
        else:
            _take(packet, at, kind, size)
        met |= once
        kinds[count] = kind
        count += 1
        at += size
    packet.tcp_opts = taken(kinds, count)


def _u32(head: bytes, off: int) -> int:
    high = head[off]  # 64 bits wide when compiled: the shift must not reach the sign
    return high << 24 | head[off + 1] << 16 | head[off + 2] << 8 | head[off + 3]


# The options of nearly every segment: two of padding, then timestamps (RFC 7323, appendix A).
_PADDED = 0x0101080A
_TIMESTAMPS = b"\x01\x01\x08"
_ROOM = 40  # options that a header can hold: they are 40 bytes at most
_ROW = 64  # a power of two above their lengths
_kinds = bytearray(_ROOM)

# Those that may come once, a bit for each: MSS, window scale, SACK permitted, SACK, timestamps, fast open.
_ONCE = bytes(
    1 << (2, 3, 4, 5, 8, 34).index(kind) if kind in (2, 3, 4, 5, 8, 34) else 0 for kind in range(256)
)

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
# The same as one table: whether a length, in the row of a kind, is one that the kind allows.
_FITS = bytes(kind not in _SIZES or size in _SIZES[kind] for kind in range(256) for size in range(_ROW))


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
