"""TCP segments that only acknowledge: exactly ACK, and not a byte of payload.

Such a segment of a connection under inspection has nothing to inspect, so that the kernel lets it through
by itself. Only what is surely one counts: IPv4 without fragments, IPv6 without extension headers, the
datagram ends where the TCP header does, of all flags only ACK is set and reserved bits are zero.
"""

from __future__ import annotations

_TCP = 6
_ACK = 0x10

# Classic BPF (linux/filter.h, linux/bpf_common.h), loads relative to the network header.
_LD_HALF = 0x28  # A = half word at k
_LD_BYTE = 0x30  # A = byte at k
_LDX_HEADER = 0xB1  # X = 4 * (byte at k & 15): the length of an IPv4 header
_LDX_NUMBER = 0x01  # X = k
_LD_BYTE_X = 0x50  # A = byte at X + k
_TAX = 0x07
_AND = 0x54
_RSH = 0x74
_SUB_X = 0x1C
_ADD_X = 0x0C
_STORE = 0x02  # M[k] = A
_LD_MEMORY = 0x60
_JUMP_EQUAL = 0x15
_JUMP_ANY = 0x45  # A & k
_RETURN = 0x06

Step = tuple[int, int, int, int]


def bytecode4() -> str:
    """Give the program for IPv4 as ``iptables -m bpf --bytecode`` wants it."""
    return _assemble(
        [
            (_LD_HALF, 0, "no", 6, _JUMP_ANY, 0x3FFF),  # offset or more fragments
            (_LD_BYTE, 0, "yes", 9, _JUMP_EQUAL, _TCP),
        ],
        [
            (_LDX_HEADER, 0, 0, 0),
            (_LD_HALF, 0, 0, 2),  # total length
            (_SUB_X, 0, 0, 0),
            (_STORE, 0, 0, 0),  # M[0]: length of the segment
        ],
    )


def bytecode6() -> str:
    """Give the program for IPv6."""
    return _assemble(
        [(_LD_BYTE, 0, "yes", 6, _JUMP_EQUAL, _TCP)],
        [(_LD_HALF, 0, 0, 4), (_STORE, 0, 0, 0), (_LDX_NUMBER, 0, 0, 40)],
    )


def _assemble(tests: list[tuple[int, int, str, int, int, int]], length: list[Step]) -> str:
    """Put tests of the IP header before those of the TCP header at X, whose segment length is in M[0]."""
    steps: list[Step | tuple[int, str, int]] = []
    for load, _, wanted, at, jump, value in tests:
        steps += [(load, 0, 0, at), (jump, wanted, value)]
    steps += length
    steps += [
        (_LD_BYTE_X, 0, 0, 13),
        (_JUMP_EQUAL, "yes", _ACK),
        (_LD_BYTE_X, 0, 0, 12),
        (_JUMP_ANY, "no", 0x0F),  # reserved bits
        (_RSH, 0, 0, 4),
        (_TAX, 0, 0, 0),
        (_ADD_X, 0, 0, 0),
        (_TAX, 0, 0, 0),
        (_LD_MEMORY, 0, 0, 0),
        (_SUB_X, 0, 0, 0),  # less the words of the header, twice
        (_SUB_X, 0, 0, 0),
        (_JUMP_EQUAL, "yes", 0),
        (_RETURN, 0, 0, 0xFFFF),
        (_RETURN, 0, 0, 0),
    ]
    last = len(steps) - 1
    program = [_place(step, number, last) for number, step in enumerate(steps)]
    return f"{len(program)}," + ",".join(" ".join(map(str, step)) for step in program)


def _place(step: Step | tuple[int, str, int], number: int, last: int) -> Step:
    """Turn a test into a jump to the end where it fails."""
    if len(step) == 4:
        return step
    code, wanted, value = step
    away = last - number - 1
    return (code, 0, away, value) if wanted == "yes" else (code, away, 0, value)


# For nft: lengths of IP packets with the headers that TCP can have, in words. These are named sets, as nft
# 1.0.6 cannot list anonymous sets of such pairs: it aborts, for this table and for the whole ruleset.
NFT_SETS = {
    "ack4": ("typeof ip length . tcp doff;", tuple(f"{20 + 4 * words} . {words}" for words in range(5, 16))),
    "ack6": ("typeof ip6 length . tcp doff;", tuple(f"{4 * words} . {words}" for words in range(5, 16))),
}


def nft_rules() -> tuple[str, ...]:
    """Give the same for nft, which compares lengths with those that headers can have: the ``NFT_SETS``."""
    flags = "tcp flags == ack tcp reserved 0"
    whole4 = "meta protocol ip ip hdrlength 5 ip frag-off & 0x3fff == 0 ip protocol tcp"
    return (
        f"{whole4} {flags} ip length . tcp doff @ack4 accept",
        f"meta protocol ip6 ip6 nexthdr tcp {flags} ip6 length . tcp doff @ack6 accept",
    )
