"""Numbers that say what comes next: EtherTypes and a few of our own beyond 16 bits."""

from __future__ import annotations

from typing import Final

ETH_IPV4: Final = 0x0800
ETH_ARP: Final = 0x0806
ETH_BRIDGE: Final = 0x6558  # an Ethernet frame inside a tunnel
ETH_VLAN: Final = 0x8100
ETH_IPV6: Final = 0x86DD
ETH_PPP: Final = 0x880B
ETH_MPLS: Final = 0x8847
ETH_PPPOE: Final = 0x8864
ETH_LLC: Final = 0x0004  # what Linux calls 802.3 frames: a length stands in the place of the type
ETH_MAX_LENGTH: Final = 0x05FF

IPV4_OF_VJ: Final = 0x10800  # IPv4 whose protocol field holds a Van Jacobson connection number
STOP: Final = -1

LINK_RAW: Final = 101  # of packets that do not begin with a link header: carried or rebuilt ones
MAX_LAYERS: Final = 16
MAX_VLANS: Final = 3
