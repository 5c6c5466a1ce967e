"""Limits for each VM's port on the packets that cost user space most: those that open something, and copies.

The state is a set that packets fill, one token bucket for each port number, so that the rules are the
same for any number of ports. A packet over its limit is dropped and counted for its port: the one that it
comes from or, where that is an uplink, the one that it goes to. Between uplinks there is no limit.
"""

from __future__ import annotations

from appliance.kernel.forward import NUMBER, PENDING
from appliance.kernel.options import KernelOptions
from appliance.kernel.state import NftTable
from appliance.kernel.table import TableBuilder
from appliance.model.mark import GROUP, VERDICT

_SET = "type mark; size 65535; flags dynamic,timeout; timeout 60s;"
OVER = "over_"  # sets of port numbers with a counter each
HOOK = "type filter hook forward priority -155"  # before xtables' mangle (-150)
_SPECIAL = 0xFF80  # bits that tell a mark of ours on its way to the queue from marks of others


def add_limits(table: TableBuilder, options: KernelOptions) -> list[str]:
    """Add sets and chains; give the rule that applies them to a packet marked by its port."""
    rules: list[str] = []
    if options.group_rate:
        limit = _limit(table, "group", options.group_rate, options.group_burst)
        rules.append(f"meta mark & {GROUP:#x} == {GROUP:#x} {limit}")
    if options.new_rate:
        limit = _limit(table, "new", options.new_rate, options.new_burst)
        # Not by state: packets of a stream that nobody answers are "new" for ever.
        rules += [f"ct status & confirmed == 0 {limit}", f"ct state invalid {limit}"]
    if options.packet_rate:
        limit = _limit(table, "packets", options.packet_rate, options.packet_burst)
        # What the kernel lets through by itself is no work for anybody.
        rules += [f"ct mark & {VERDICT:#x} == 0x0 {limit}", f"ct state invalid {limit}"]
    table.chain("limits", rules)
    return [f"meta mark & {NUMBER:#x} != 0x0 jump limits"] if rules else []


def _limit(table: TableBuilder, name: str, rate: int, burst: int) -> str:
    buckets = f"rate_{name}_{rate}_{burst}"  # elements keep the rate that they were made with
    table.dynamic(buckets, _SET)
    table.dynamic(f"{OVER}{name}", "type mark; size 65535; flags dynamic; counter;")
    key = f"meta mark & {NUMBER:#x}"
    table.chain(f"drop_{name}", (f"add @{OVER}{name} {{ {key} }}", "drop"))
    bucket = f"limit rate over {rate}/second burst {max(burst, 1)} packets"
    return f"update @{buckets} {{ {key} {bucket} }} goto drop_{name}"


def limits_table(options: KernelOptions) -> NftTable:
    """Give the table that limits what br_netfilter hands to xtables; there nft's `ct` works."""
    table = TableBuilder("inet")
    mine = f"meta mark & {_SPECIAL:#x} != {PENDING:#x} accept"
    table.base("forward", HOOK, [mine, *add_limits(table, options)])
    return table.build()
