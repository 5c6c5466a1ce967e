"""Numbers of the decoder that are not a field of one protocol.

Readers compare EtherTypes with literals: a compiled module compares those as C integers.
"""

from __future__ import annotations

from typing import Final

ETH_BRIDGE: Final = 0x6558  # an Ethernet frame inside a tunnel
ETH_PPP: Final = 0x880B
ETH_VNTAG: Final = 0x8926
IPV4_OF_VJ: Final = 0x10800  # ours: IPv4 whose protocol field holds a Van Jacobson connection number

LINK_RAW: Final = 101  # of packets that do not begin with a link header: carried or rebuilt ones
MAX_LAYERS: Final = 16  # tags, labels and tunnels in one frame
MAX_VLANS: Final = 3
