"""Numbers of the netlink interface of NFQUEUE (linux/netlink.h, linux/netfilter/nfnetlink_queue.h)."""

from __future__ import annotations

import sys
from typing import Final

NETLINK_NETFILTER: Final = 12
SOL_NETLINK: Final = 270
NETLINK_NO_ENOBUFS: Final = 5
SO_MEMINFO: Final = 55  # nine 32-bit numbers; the last one counts what found the buffer full

NLM_F_REQUEST: Final = 1
NLM_F_ACK: Final = 4
NLMSG_ERROR: Final = 2
HEADER: Final = 16  # struct nlmsghdr
GENERIC: Final = 4  # struct nfgenmsg: family, version, queue number

SUBSYSTEM: Final = 3 << 8
PACKET: Final = SUBSYSTEM | 0
VERDICT: Final = SUBSYSTEM | 1
CONFIG: Final = SUBSYSTEM | 2
VERDICT_BATCH: Final = SUBSYSTEM | 3

PACKET_HDR: Final = 1
VERDICT_HDR: Final = 2
MARK: Final = 3
TIMESTAMP: Final = 4
INDEV: Final = 5
OUTDEV: Final = 6
PHYSINDEV: Final = 7
PHYSOUTDEV: Final = 8
HWADDR: Final = 9
PAYLOAD: Final = 10
CAP_LEN: Final = 13
SKB_INFO: Final = 14
VLAN: Final = 19
VLAN_PROTO: Final = 1
VLAN_TCI: Final = 2
L2HDR: Final = 20

CSUM_NOT_READY: Final = 1
IS_GSO: Final = 2
CSUM_NOT_VERIFIED: Final = 4

CFG_CMD: Final = 1
CFG_PARAMS: Final = 2
CFG_MAXLEN: Final = 3
CFG_MASK: Final = 4
CFG_FLAGS: Final = 5
CMD_BIND: Final = 1
CMD_UNBIND: Final = 2
COPY_PACKET: Final = 2
COPY_RANGE: Final = 0xFFFF
F_FAIL_OPEN: Final = 1
F_GSO: Final = 4

NF_DROP: Final = 0
NF_ACCEPT: Final = 1

ATTRIBUTE_ROOM: Final = 65531  # the most that one attribute carries: its 16-bit length counts the header too
# A whole packet, and all other attributes with room to spare (they take about 250 bytes). Buffers lie side by
# side: it is no multiple of a page, or their beginnings would push each other out of the processor's cache.
MESSAGE_ROOM: Final = 0x10000 + 0x1000 + 0x140

# Attribute headers are in the machine's own byte order, their values in the network's.
LOW: Final = 0 if sys.byteorder == "little" else 1
HIGH: Final = 1 - LOW
