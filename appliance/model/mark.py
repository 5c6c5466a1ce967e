"""What the kernel remembers of a connection: the layout of marks, one 32-bit number.

The upper half is the epoch of the policies that the verdict came from. A change of policy raises it, so that
what was remembered before no longer matches and the connection's next packet is judged anew.

====  ============================================================================================
bit   meaning
====  ============================================================================================
0     packets of the connection's original direction need no judgement any more: accept
1     the same for the reply direction
2     the connection is blocked: drop
3     (packets on their way to a queue only) the packet goes in the reply direction
4     (same) an interface at one of its ends fails closed
5     (same) the connection was known to the kernel before this packet
6     (same) the frame was sent to many: a broadcast or multicast, of which each receiver gets a copy
8     (same) the packet is an ICMP error about a connection that the kernel knows, or conntrack expected it
====  ============================================================================================

Bits 0 to 2 are saved in the connection's mark, the others never are. Directions are conntrack's: the
original one is that of the first packet the kernel saw.
"""

from __future__ import annotations

SETTLED_ORIGINAL = 0x1
SETTLED_REPLY = 0x2
BLOCKED = 0x4
SETTLED = SETTLED_ORIGINAL | SETTLED_REPLY
VERDICT = SETTLED | BLOCKED

REPLY = 0x8
FAIL_CLOSED = 0x10
KNOWN = 0x20
GROUP = 0x40
RELATED = 0x100  # bit 7 is taken by the datapath with br_netfilter

EPOCH_SHIFT = 16
EPOCH_LIMIT = 1 << 16
EPOCH = 0xFFFF0000


def mark_of(bits: int, epoch: int) -> int:
    """Give the mark that says ``bits`` under the policies of ``epoch``; 0 if there is nothing to remember."""
    verdict = bits & VERDICT
    return verdict | kernel_epoch(epoch) << EPOCH_SHIFT if verdict else 0


def kernel_epoch(epoch: int) -> int:
    """Give the epoch as marks carry it: 1 to 65,535, so that an unmarked connection has none."""
    return epoch % (EPOCH_LIMIT - 1) + 1


def turned(bits: int) -> int:
    """Swap the directions of what is settled."""
    settled = (bits & SETTLED_ORIGINAL) << 1 | (bits & SETTLED_REPLY) >> 1
    return bits & ~SETTLED | settled
