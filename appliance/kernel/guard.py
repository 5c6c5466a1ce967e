"""The layer 2 guard: what a port may send, before the bridge learns an address from it.

A frame that comes in gets the mark of its port (number and zone), by which all sets of addresses are
keyed, and goes through the chain of its port's kind: ports with equal permissions share one.
:mod:`appliance.kernel.sources` has what follows the Ethernet header, :mod:`appliance.kernel.senders` the
short way that most frames take.
"""

from __future__ import annotations

from collections.abc import Iterable

from appliance.firewall.rule import CARRIERS, FIRST_ETHERTYPE
from appliance.kernel import sources
from appliance.kernel.frames import named_frames
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.places import Spot, guard_of
from appliance.kernel.senders import build_senders
from appliance.kernel.table import TableBuilder
from appliance.kernel.text import address, mac, mark, prefix, wide

# Before the bridge's destination NAT (-300), before conntrack (-200), before br_netfilter (0).
PREROUTING = "type filter hook prerouting priority -310"
ALWAYS = frozenset({0x0800, 0x86DD, 0x0806, 0x8035})  # IPv4, IPv6, ARP, RARP
TAGS = "{ 8021q, 8021ad }"
GROUP = "ether {way}addr & 01:00:00:00:00:00 == 01:00:00:00:00:00"


def build_guard(table: TableBuilder, all_spots: Iterable[Spot], options: KernelOptions) -> None:
    """Add the prerouting part for ``all_spots`` to ``table``."""
    spots = tuple(all_spots)
    _drops(table, options)
    _addresses(table, spots)
    entries = {spot: _chain_of(table, spot, options) for spot in spots}
    mixed = {spot.device for spot in spots if spot.tagged}
    plain = [spot for spot in spots if not spot.tagged]
    table.map("in_marks", "type ifname : mark;", (f'"{s.device}" : {mark(s.mark)}' for s in plain))
    table.map(
        "in_ports",
        "type ifname : verdict;",
        [f'"{s.device}" : goto {entries[s]}' for s in plain if s.device not in mixed]
        + [f'"{device}" : goto in_tagged' for device in mixed],
    )
    _tagged(table, [s for s in spots if s.tagged], [s for s in plain if s.device in mixed], entries)
    table.base("prerouting", PREROUTING, _entry(table, spots, options))


def foreign(options: KernelOptions, way: str = "i") -> list[str]:
    """Give the rule that leaves frames of other bridges alone."""
    if options.ibrname:
        return [f"meta {way}brname != @bridges accept"]
    return [f"{way}ifname @foreign accept"]


def _entry(table: TableBuilder, spots: tuple[Spot, ...], options: KernelOptions) -> list[str]:
    """Give the rules for all frames; those of other bridges are not touched."""
    whole = ["meta mark set iifname map @in_marks", "iifname vmap @in_ports"]
    known = [*build_senders(table, spots), *whole]
    if options.datapath is Datapath.XTABLES:
        return [*known, *foreign(options), "goto unknown"]
    zones = [*_zones(table, spots), GROUP.format(way="d") + " notrack"]
    return [*foreign(options), *zones, *known, "goto unknown"]


def _zones(table: TableBuilder, spots: tuple[Spot, ...]) -> list[str]:
    """Tell conntrack the zone of a frame; zone 0 needs no telling."""
    zoned = [spot for spot in spots if spot.port.zone]
    plain = [f'"{s.device}" : {s.port.zone}' for s in zoned if not s.tagged]
    tagged = [f'"{s.device}" . {s.port.vlan} : {s.port.zone}' for s in zoned if s.tagged]
    rules = []
    if plain:
        table.map("zones", "typeof iifname : ct zone;", plain)
        rules.append("ct zone set iifname map @zones")
    if tagged:
        table.map("tagged_zones", "typeof iifname . vlan id : ct zone;", tagged)
        rules.append("ct zone set iifname . vlan id map @tagged_zones")
    return rules


def _tagged(table: TableBuilder, tagged: list[Spot], plain: list[Spot], entries: dict[Spot, str]) -> None:
    """Find the port of a frame on a trunk by its tag."""
    if not tagged:
        return
    key = "typeof iifname . vlan id"
    table.map("in_tag_marks", f"{key} : meta mark;", (f"{_trunk(s)} : {mark(s.mark)}" for s in tagged))
    table.map("in_tag_ports", f"{key} : verdict;", (f"{_trunk(s)} : goto {entries[s]}" for s in tagged))
    table.map("in_untagged", "type ifname : verdict;", (f'"{s.device}" : goto {entries[s]}' for s in plain))
    rules = [
        "meta mark set iifname . vlan id map @in_tag_marks",
        "iifname . vlan id vmap @in_tag_ports",
        "iifname vmap @in_untagged",
        f"goto {table.drop('tag')}",
    ]
    table.chain("in_tagged", rules)


def _trunk(spot: Spot) -> str:
    return f'"{spot.device}" . {spot.port.vlan}'


def _drops(table: TableBuilder, options: KernelOptions) -> None:
    for reason in ("mac", "tag", "ethertype", "arp", "nd", "ip", "dhcp", "router", "header", "unknown"):
        table.drop(reason)
    table.dynamic(
        "seen",
        f"type ifname . ether_addr; size {options.seen_entries}; flags dynamic,timeout; "
        f"timeout {options.seen_seconds}s;",
    )
    table.chain("unknown", ("update @seen { iifname . ether saddr }", "goto drop_unknown"))


def _addresses(table: TableBuilder, spots: tuple[Spot, ...]) -> None:
    """Add the sets of what each port may say it is: keyed by the port's mark."""
    hosts = [spot for spot in spots if not spot.port.uplink]
    macs = [(mark(s.mark), s.interface.mac) for s in hosts]
    table.set("macs", "type mark . ether_addr;", (f"{key} . {mac(value)}" for key, value in macs))
    table.set(
        "hardware",  # the same as numbers, for RARP, of which nft knows no fields
        "typeof meta mark . @nh,64,48;",
        (f"{key} . {int.from_bytes(value, 'big'):#014x}" for key, value in macs),
    )
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        pairs = [(mark(s.mark), a) for s in hosts for a in s.interface.addresses if a.version == version]
        single = [(key, a) for key, a in pairs if a.base == a.last]
        ranges = [(key, a) for key, a in pairs if a.base != a.last]
        table.set(f"own{version}", f"type mark . {kind};", (f"{k} . {prefix(a)}" for k, a in single))
        table.set(
            f"net{version}", f"type mark . {kind}; flags interval;", (f"{k} . {prefix(a)}" for k, a in ranges)
        )
        if version == 6:
            targets = (f"{key} . {wide(a.base)}" for key, a in single)
            table.set("targets", "typeof meta mark . @th,64,128;", targets)
            areas = (f"{key} . {wide(a.base)}-{wide(a.last)}" for key, a in ranges)
            table.set("target_nets", "typeof meta mark . @th,64,128; flags interval;", areas)
    _owned(table, spots)
    _local(table, spots)


def _owned(table: TableBuilder, spots: tuple[Spot, ...]) -> None:
    """Add, for each zone, the single addresses of its interfaces: nobody else may claim them."""
    for zone in sorted({spot.port.zone for spot in spots}):
        mine = [
            a
            for spot in spots
            if spot.port.zone == zone and not spot.port.uplink
            for a in spot.interface.addresses
            if a.base == a.last
        ]
        table.set(f"owned4_{zone}", "type ipv4_addr;", (address(4, a.base) for a in mine if a.version == 4))
        table.set(f"owned6_{zone}", "typeof @th,64,128;", (wide(a.base) for a in mine if a.version == 6))


def _local(table: TableBuilder, spots: tuple[Spot, ...]) -> None:
    """Add the MACs that no uplink may send, since they are behind ports of this bridge."""
    elements = (
        f"{mark(uplink.mark)} . {mac(spot.interface.mac)}"
        for uplink in spots
        if uplink.port.uplink
        for spot in spots
        if not spot.port.uplink and spot.port.zone == uplink.port.zone
    )
    table.set("local", "type mark . ether_addr;", elements)


def _chain_of(table: TableBuilder, spot: Spot, options: KernelOptions) -> str:
    if spot.policy is None:
        return table.shared("uplink", _uplink(spot, options))
    return table.shared("vm", _vm(table, spot, options))


def _tag_rules(spot: Spot, options: KernelOptions) -> list[str]:
    """Drop tags that lead around what follows.

    br_netfilter hands on no IP behind a tag, so that on this datapath none may pass.
    """
    if spot.tagged:
        return ["meta protocol { ip, ip6 } goto drop_tag"] if options.datapath is Datapath.XTABLES else []
    if spot.port.uplink and options.datapath is Datapath.NFT:
        return ["ether type 8021ad goto drop_tag"]
    return [f"ether type {TAGS} goto drop_tag"]


def _uplink(spot: Spot, options: KernelOptions) -> list[str]:
    zone = spot.port.zone
    return [
        GROUP.format(way="s") + " goto drop_mac",
        "meta mark . ether saddr @local goto drop_mac",
        *_tag_rules(spot, options),
        f"meta protocol {{ 0x0000-{FIRST_ETHERTYPE - 1:#06x}, "
        + ", ".join(f"{one:#06x}" for one in sorted(CARRIERS))
        + " } goto drop_ethertype",
        f"meta protocol arp arp saddr ip @owned4_{zone} goto drop_arp",
        f"meta protocol ip6 meta l4proto icmpv6 @th,0,8 136 @th,64,128 @owned6_{zone} goto drop_nd",
        "accept",
    ]


def _vm(table: TableBuilder, spot: Spot, options: KernelOptions) -> list[str]:
    assert spot.policy is not None  # noqa: S101 - only for ports with an interface
    allowed = guard_of(spot.policy).ethertypes | named_frames(spot.policy)
    others = sorted(one for one in allowed - CARRIERS - ALWAYS if one >= FIRST_ETHERTYPE)
    table.chain("rarp", ("meta mark . @nh,64,48 @hardware accept", "goto drop_arp"))
    ways = [
        f"ip : goto {table.shared('ip4', sources.ip4(table, spot))}",
        f"ip6 : goto {table.shared('ip6', sources.ip6(table, spot))}",
        f"arp : goto {table.shared('arp', sources.arp(table, spot))}",
        "0x8035 : goto rarp",
        *(f"{one:#06x} : accept" for one in others),
    ]
    return [
        "meta mark . ether saddr != @macs goto drop_mac",
        *_tag_rules(spot, options),
        f"meta protocol vmap {{ {', '.join(ways)} }}",
        "goto drop_ethertype",
    ]
