"""Where a frame goes: marks for the queue, firewall rules for frames that are not IP, unknown ports."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.firewall.bound import BoundPolicies, InterfacePolicy
from appliance.firewall.rule import IN, OUT
from appliance.kernel.frames import frame_rules, render
from appliance.kernel.guard import GROUP, TAGS, foreign
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.places import NUMBER_SHIFT, Spot
from appliance.kernel.table import TableBuilder
from appliance.kernel.text import mark
from appliance.model.mark import BLOCKED, FAIL_CLOSED, VERDICT
from appliance.model.mark import GROUP as SENT_TO_MANY

# A packet that br_netfilter has still to hand to the xtables rules; they take the bit away. A packet
# that leaves with it was not looked at, because somebody removed the rules or it went around them.
PENDING = 0x80
LOW = 0xFFFF
NUMBER = 0xFFFF << NUMBER_SHIFT  # 0 for uplinks

# Before nft's own filters (-200) and before br_netfilter (-1).
FORWARD = "type filter hook forward priority -210"
POSTROUTING = "type filter hook postrouting priority -310"
_ADD = "meta mark set meta mark | {bits:#x}"


def build_forward(
    table: TableBuilder, all_spots: Iterable[Spot], bound: BoundPolicies, options: KernelOptions, now: int
) -> None:
    """Add the forward part to ``table``."""
    spots = tuple(all_spots)
    _marks(table, spots, options)
    _targets(table, spots, bound, options)
    frames = _frames(table, spots, bound, now)
    table.drop("unknown", "oifname")
    onward = (
        GROUP.format(way="d") + " " + _ADD.format(bits=SENT_TO_MANY),
        "meta protocol ip accept",
        "meta protocol ip6 accept",
        f"goto {frames}",
    )
    table.chain("onward", onward)
    away = [*foreign(options), "oifname @foreign accept"] if not options.ibrname else foreign(options)
    rules = [*_mark_rules(spots), "oifname vmap @out_ports", *away, "goto drop_unknown_out"]
    table.base("forward", FORWARD, rules)
    if options.datapath is Datapath.XTABLES:
        _build_last(table, options)


def _build_last(table: TableBuilder, options: KernelOptions) -> None:
    """Add what makes it fail safe when the xtables rules are gone: nothing leaves that they did not see."""
    ours = "meta obrname @bridges" if options.ibrname else "oifname != @foreign"
    pending = f"meta mark & {LOW & ~(PENDING - 1):#x} == {PENDING:#x}"
    blocked = f"meta mark & {LOW & ~VERDICT | BLOCKED:#x} == {BLOCKED:#x}"
    rules = [
        f"{pending} {ours} goto {table.drop('uninspected', 'oifname')}",
        f"{blocked} {ours} goto {table.drop('blocked', 'oifname')}",
    ]
    table.base("postrouting", POSTROUTING, rules)


def fails_closed(policy: InterfacePolicy | None) -> bool:
    """Tell whether a port's end of a connection fails closed; an uplink has no say."""
    return policy is not None and not policy.fail_open


def _forward_mark(spot: Spot, options: KernelOptions) -> int:
    bits = FAIL_CLOSED if fails_closed(spot.policy) else 0
    bits |= PENDING if options.datapath is Datapath.XTABLES else 0
    return bits if spot.port.uplink else spot.number << NUMBER_SHIFT | bits


def _marks(table: TableBuilder, spots: tuple[Spot, ...], options: KernelOptions) -> None:
    marks = [(spot, mark(_forward_mark(spot, options))) for spot in spots]
    plain = (f'"{s.device}" : {value}' for s, value in marks if not s.tagged)
    table.map("forward_marks", "type ifname : mark;", plain)
    tagged = [f'"{s.device}" . {s.port.vlan} : {value}' for s, value in marks if s.tagged]
    if tagged:
        table.map("forward_tag_marks", "typeof iifname . vlan id : meta mark;", tagged)


def _mark_rules(spots: tuple[Spot, ...]) -> list[str]:
    """Mark by the port of the VM that a frame comes from or, when it comes by an uplink, goes to.

    By that the limits know it: all that comes by an uplink together is no single machine's doing.
    """
    ways = ["{}ifname map @forward_marks"]
    if any(spot.tagged for spot in spots):
        ways.append("{}ifname . vlan id map @forward_tag_marks")
    rules = [f"meta mark set {way.format('i')}" for way in ways]
    if any(spot.port.uplink for spot in spots):
        rules += [f"meta mark & {NUMBER:#x} == 0x0 meta mark set {way.format('o')}" for way in ways]
    return rules


def _targets(
    table: TableBuilder, spots: tuple[Spot, ...], bound: BoundPolicies, options: KernelOptions
) -> None:
    """Send a frame on by the port it goes out by."""
    table.set("uplinks", "type ifname;", (f'"{s.device}"' for s in spots if s.port.uplink))
    tags = options.datapath is Datapath.NFT or any(spot.tagged for spot in spots)
    close = _ADD.format(bits=FAIL_CLOSED)
    untagged = [f"ether type {TAGS} goto {table.drop('tag', 'oifname')}"] if tags else []
    between = [f"iifname @uplinks {close}"] if fails_closed(bound.unknown) else []
    table.chain("to_closed", (*untagged, close, "goto onward"))
    table.chain("to_open", (*untagged, "goto onward"))
    table.chain("to_uplink", (*between, "goto onward"))
    if any(spot.tagged for spot in spots):
        table.chain("to_vlan_closed", (close, "goto onward"))
        table.chain("to_vlan_open", ("goto onward",))
    mixed = {spot.device for spot in spots if spot.tagged}
    plain = [spot for spot in spots if not spot.tagged]
    ports = [f'"{s.device}" : goto {_target(s)}' for s in plain if s.device not in mixed]
    table.map(
        "out_ports", "type ifname : verdict;", [*ports, *(f'"{one}" : goto out_tagged' for one in mixed)]
    )
    if mixed:
        tagged = (f'"{s.device}" . {s.port.vlan} : goto {_target(s)}' for s in spots if s.tagged)
        table.map("out_tag_ports", "typeof oifname . vlan id : verdict;", tagged)
        rest = (f'"{s.device}" : goto {_target(s)}' for s in plain if s.device in mixed)
        table.map("out_untagged", "type ifname : verdict;", rest)
        rules = ("oifname . vlan id vmap @out_tag_ports", "oifname vmap @out_untagged", "goto drop_tag_out")
        table.chain("out_tagged", rules)


def _target(spot: Spot) -> str:
    if spot.policy is None:
        return "to_uplink"
    if spot.tagged:
        return "to_vlan_closed" if fails_closed(spot.policy) else "to_vlan_open"
    return "to_closed" if fails_closed(spot.policy) else "to_open"


def _frames(table: TableBuilder, spots: tuple[Spot, ...], bound: BoundPolicies, now: int) -> str:
    """Add the chain that asks both ends about a frame that is not IP."""
    peers = _peers(spots)
    drops = {OUT: table.drop("frame"), IN: table.drop("frame", "oifname")}
    chains: dict[tuple[int, int], str] = {}

    def chain(policy: InterfacePolicy, direction: int) -> str:
        key = (id(policy), direction)
        if key not in chains:
            rules = render(frame_rules(policy, direction, now), direction, peers, drops[direction])
            chains[key] = table.shared("frames", rules)
        return chains[key]

    rules = [f"meta mark set {FAIL_CLOSED:#x}"]  # the mark says nothing of a frame that no queue gets
    for way, direction in (("iifname", OUT), ("oifname", IN)):
        ends = [(s, chain(s.policy, direction)) for s in spots if s.policy is not None]
        name = "frames_out" if direction == OUT else "frames_in"
        plain = (f'"{s.device}" : jump {target}' for s, target in ends if not s.tagged)
        table.map(name, "type ifname : verdict;", plain)
        rules.append(f"{way} vmap @{name}")
        tagged = [f'"{s.device}" . {s.port.vlan} : jump {target}' for s, target in ends if s.tagged]
        if tagged:
            table.map(f"{name}_tagged", f"typeof {way} . vlan id : verdict;", tagged)
            rules.append(f"{way} . vlan id vmap @{name}_tagged")
    if bound.unknown is not None:
        unknown = [chain(bound.unknown, direction) for direction in (OUT, IN)]
        rules += [f"iifname @uplinks oifname @uplinks jump {one}" for one in unknown]
    return table.chain("frames", [*rules, "accept"])


def _peers(spots: tuple[Spot, ...]) -> dict[int, frozenset[tuple[str, int]]]:
    peers: dict[int, set[tuple[str, int]]] = {}
    for spot in spots:
        if not spot.port.uplink and spot.policy is not None and spot.policy.interface is not None:
            peers.setdefault(spot.policy.interface.index, set()).add((spot.device, spot.port.vlan))
    return {index: frozenset(places) for index, places in peers.items()}
