"""From ports and policies to the kernel's state: one pure function."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.firewall.bound import BoundPolicies
from appliance.inventory.ports import Port
from appliance.kernel.forward import build_forward
from appliance.kernel.guard import build_guard
from appliance.kernel.limits import limits_table
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.places import Spot, spots
from appliance.kernel.state import BridgePort, KernelState, NftTable, Sysctl
from appliance.kernel.table import TableBuilder
from appliance.kernel.verdicts import build_inspect
from appliance.kernel.xtables import xt_tables

_QUEUES = 1 << 16


def desired(
    ports: Iterable[Port],
    bound: BoundPolicies,
    options: KernelOptions,
    bridges: Iterable[str] = (),
    foreign: Iterable[str] = (),
    now: int = 0,
) -> KernelState:
    """Say what the kernel should hold.

    Args:
        ports: The ports of our bridges. One whose device is not there yet (index 0) is armed by its name.
        bound: The policies in force, and their epoch.
        options: What neither ports nor policies say.
        bridges: Names of our bridges, beside those that ``ports`` name.
        foreign: Ports of bridges that are not ours, to leave alone; needless with ``options.ibrname``.
        now: Nanoseconds since the epoch. It decides which schedules are in force for frames other than IP;
            where the result is ``timed``, plan again in the next minute.

    Raises:
        ValueError: a port cannot be expressed, or the queues' numbers are not within 0 to 65,535.
    """
    if options.workers < 1 or not 0 <= options.queue_base <= _QUEUES - 2 * options.workers:
        message = f"{options.workers} workers need queues {options.queue_base} and on, which are not there"
        raise ValueError(message)
    ports = tuple(ports)
    ours = spots(ports, bound)
    names = {*bridges, *(port.bridge for port in ports if port.bridge)}
    known = {port.name for port in ports}
    table = _bridge_table(ours, bound, options, names, set(foreign) - known, now)
    xtables = options.datapath is Datapath.XTABLES
    return KernelState(
        options.datapath,
        bound.epoch,
        options.queue_base,
        options.workers,
        tuple(spot.place for spot in ours),
        (table, limits_table(options)) if xtables else (table,),
        xt_tables(names, options, bound.epoch) if xtables else (),
        _bridge_ports(ours),
        _sysctls(options),
        any(spot.policy.timed for spot in ours if spot.policy) or bool(bound.unknown and bound.unknown.timed),
    )


def _bridge_table(
    ours: tuple[Spot, ...],
    bound: BoundPolicies,
    options: KernelOptions,
    bridges: set[str],
    foreign: set[str],
    now: int,
) -> NftTable:
    table = TableBuilder("bridge")
    name, members = ("bridges", bridges) if options.ibrname else ("foreign", foreign)
    table.set(name, "type ifname;", (f'"{one}"' for one in members))
    build_guard(table, ours, options)
    build_forward(table, ours, bound, options, now)
    if options.datapath is Datapath.NFT:
        build_inspect(table, options, bound.epoch)
    return table.build()


def _bridge_ports(ours: tuple[Spot, ...]) -> tuple[BridgePort, ...]:
    """Give the devices of VMs that are there: the bridge learns nothing there, and floods nothing."""
    macs: dict[str, set[bytes]] = {}
    indexes = {spot.device: spot.port.index for spot in ours}
    uplinks = {spot.device for spot in ours if spot.port.uplink}
    for spot in ours:
        if spot.port.index > 0 and spot.device not in uplinks:
            macs.setdefault(spot.device, set()).add(spot.interface.mac)
    return tuple(BridgePort(name, tuple(sorted(macs[name])), indexes[name]) for name in sorted(macs))


def _sysctls(options: KernelOptions) -> tuple[Sysctl, ...]:
    xtables = options.datapath is Datapath.XTABLES
    call = int(xtables)
    settings = [
        Sysctl("net/bridge/bridge-nf-call-iptables", call, required=xtables),
        Sysctl("net/bridge/bridge-nf-call-ip6tables", call, required=xtables),
        Sysctl("net/bridge/bridge-nf-call-arptables", 0, required=False),
        Sysctl("net/netfilter/nf_conntrack_acct", 1),
        Sysctl("net/netfilter/nf_conntrack_events", 1, required=False),
    ]
    if options.connections:
        settings.append(
            Sysctl("net/netfilter/nf_conntrack_max", options.connections, at_least=True, required=False)
        )
    return tuple(settings)
