"""The short way through the guard: TCP and UDP of a port that says it is who it is.

Nearly all frames are such, and each rule of the guard costs every one of them. One lookup of port, MAC and
address marks the frame and lets it on. It says nothing new: whatever is not found here, or is more than TCP
or UDP without a tag, goes through the whole guard, which would have accepted all that passes here.
"""

from __future__ import annotations

from collections.abc import Iterable

from appliance.kernel.places import Spot
from appliance.kernel.table import TableBuilder
from appliance.kernel.text import address, mac, mark

_ANY = "senders"  # may use any address
# The ports of DHCP are for the whole guard to judge. Two rules, since nft takes "sport != 67 dport != 68"
# in one, wherever in it they stand, for a condition that it is enough for either port to meet.
_DHCP = {
    4: ("udp sport 67 return", "udp dport 68 return"),
    6: ("udp sport 547 return", "udp dport 546 return"),
}
_FIELDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}


def build_senders(table: TableBuilder, spots: Iterable[Spot]) -> list[str]:
    """Add maps and chains; give the rules that come before those which say who a port is.

    A port that is held to addresses has an element for each single one; nets are left to the guard.
    """
    hosts = [spot for spot in spots if spot.policy is not None and not spot.tagged]
    free = [spot for spot in hosts if not spot.declared]
    table.map(_ANY, "type ifname . ether_addr : mark;", (f"{_key(s)} : {mark(s.mark)}" for s in free))
    rules = []
    for version, (protocol, kind) in _FIELDS.items():
        held = [
            f"{_key(spot)} . {address(version, a.base)} : {mark(spot.mark)}"
            for spot in hosts
            if spot.declared
            for a in spot.interface.addresses
            if a.version == version and a.base == a.last
        ]
        table.map(f"{_ANY}{version}", f"type ifname . ether_addr . {kind} : mark;", held)
        found = [f"meta mark set iifname . ether saddr map @{_ANY}"] if free else []
        if held:
            key = f"iifname . ether saddr . {protocol} saddr"
            found.append(f"meta protocol {protocol} meta mark set {key} map @{_ANY}{version}")
        if found:
            streams = [f"meta l4proto tcp {one} accept" for one in found]
            datagrams = [f"meta l4proto udp {one} accept" for one in found]
            name = table.chain(f"{_ANY}_{protocol}", (*streams, *_DHCP[version], *datagrams))
            rules.append(f"ether type {protocol} jump {name}")
    return rules


def _key(spot: Spot) -> str:
    return f'"{spot.device}" . {mac(spot.interface.mac)}'
