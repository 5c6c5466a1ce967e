"""What a VM may say it is behind the Ethernet header: IPv4, IPv6 and ARP.

All sets are keyed by the mark of the frame's port. Rules name ``meta protocol``, the type behind a tag that
the kernel has taken off, so that a tag does not lead around them. They are ordered so that TCP, which most
traffic is, passes few of them.
"""

from __future__ import annotations

from appliance.kernel.places import Spot, guard_of
from appliance.kernel.table import TableBuilder


def _ranges(spot: Spot, version: int) -> bool:
    return any(a.version == version and a.base != a.last for a in spot.interface.addresses)


def ip4(table: TableBuilder, spot: Spot) -> list[str]:
    """Guard IPv4: no answers of DHCP servers, nor routers' messages, and one's own source address."""
    assert spot.policy is not None  # noqa: S101
    guard, rules = guard_of(spot.policy), []
    if not guard.dhcp_server:
        dhcp = ("udp sport 67 goto drop_dhcp", "udp dport 68 goto drop_dhcp")
        rules.append(f"meta l4proto udp jump {table.shared('dhcp', dhcp)}")
    if not guard.router:
        rules.append("meta l4proto icmp @th,0,8 { 5, 9 } goto drop_router")
    if not spot.declared:
        return [*rules, "accept"]
    rules.append("meta protocol ip meta mark . ip saddr @own4 accept")
    if _ranges(spot, 4):
        rules.append("meta protocol ip meta mark . ip saddr @net4 accept")
    return [
        *rules,
        "meta protocol ip ip saddr 169.254.0.0/16 accept",
        "meta protocol ip ip saddr 0.0.0.0 udp dport 67 accept",
        "meta protocol ip ip saddr 0.0.0.0 meta l4proto igmp accept",
        "goto drop_ip",
    ]


def ip6(table: TableBuilder, spot: Spot) -> list[str]:
    """Guard IPv6. What hides its transport header from the guard is dropped (RFC 7112, RFC 7113, RFC 6980).

    ``meta l4proto`` is that of the header behind all extension headers; for a fragment other than the
    first it is the type that the fragment's header names, and where headers are cut off there is none.
    """
    assert spot.policy is not None  # noqa: S101
    rules = [
        "meta l4proto { 0, 43, 44, 60 } goto drop_header",
        f"meta l4proto icmpv6 jump {table.shared('icmp6', _icmp6(table, spot))}",
    ]
    if not guard_of(spot.policy).dhcp_server:
        dhcp = ("udp sport 547 goto drop_dhcp", "udp dport 546 goto drop_dhcp")
        rules.append(f"meta l4proto udp jump {table.shared('dhcp', dhcp)}")
    known = table.shared("from6", _source6(spot))
    return [*rules, f"meta l4proto 0-255 goto {known}", "goto drop_header"]


def _icmp6(table: TableBuilder, spot: Spot) -> list[str]:
    assert spot.policy is not None  # noqa: S101
    rules = ["meta protocol ip6 exthdr frag exists @th,0,8 133-137 goto drop_header"]
    if not guard_of(spot.policy).router:
        rules.append("@th,0,8 { 134, 137 } goto drop_router")
    if spot.policy.spoof_protection:
        rules.append(f"@th,0,8 136 goto {table.shared('na', _advertised(spot))}")
    return rules


def _advertised(spot: Spot) -> list[str]:
    """Give rules for the target of a neighbour advertisement (RFC 4861): one's own, or link-local."""
    if not spot.declared:
        return [f"@th,64,128 @owned6_{spot.port.zone} goto drop_nd"]
    rules = ["meta mark . @th,64,128 @targets return"]
    if _ranges(spot, 6):
        rules.append("meta mark . @th,64,128 @target_nets return")
    return [*rules, "@th,64,10 0x3fa return", "goto drop_nd"]


def _source6(spot: Spot) -> list[str]:
    if not spot.declared:
        return ["accept"]
    rules = ["meta protocol ip6 meta mark . ip6 saddr @own6 accept"]
    if _ranges(spot, 6):
        rules.append("meta protocol ip6 meta mark . ip6 saddr @net6 accept")
    return [
        *rules,
        "meta protocol ip6 ip6 saddr fe80::/10 accept",
        "meta protocol ip6 ip6 saddr :: accept",
        "goto drop_ip",
    ]


def arp(table: TableBuilder, spot: Spot) -> list[str]:
    """Guard ARP: Ethernet and IPv4 only, the sender's own MAC, its own address or none (RFC 5227)."""
    whole = "meta protocol arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4"
    claims = table.shared("arpip", _claims(spot))
    return [f"{whole} meta mark . arp saddr ether @macs goto {claims}", "goto drop_arp"]


def _claims(spot: Spot) -> list[str]:
    if spot.policy is None or not spot.policy.spoof_protection:
        return ["accept"]
    if not spot.interface.addresses:
        return [f"meta protocol arp arp saddr ip @owned4_{spot.port.zone} goto drop_arp", "accept"]
    rules = ["meta protocol arp meta mark . arp saddr ip @own4 accept"]
    if _ranges(spot, 4):
        rules.append("meta protocol arp meta mark . arp saddr ip @net4 accept")
    return [
        *rules,
        "meta protocol arp arp saddr ip 0.0.0.0 accept",
        "meta protocol arp arp saddr ip 169.254.0.0/16 accept",
        "goto drop_arp",
    ]
