"""Choices of the kernel's state that neither policies nor ports say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Datapath(StrEnum):
    """Where in the kernel IP packets are looked at, after the layer 2 guard that both have in common."""

    NFT = "nft"  # nft's bridge family, which needs its `queue` and `ct` expressions (Debian 12 has them)
    XTABLES = "xtables"  # br_netfilter hands bridged packets to iptables and ip6tables


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """What :func:`appliance.kernel.plan.desired` needs beside ports and policies.

    With N ``workers``, queues ``queue_base`` to ``queue_base + N - 1`` fail closed and the next N fail open.
    Rates are packets a second for each port, bursts packets; a rate of 0 is no limit. ``seen_*`` bound what
    is remembered of ports that are not known: seconds, and entries. ``connections`` is the least size of the
    kernel's connection table, 0 leaves it alone. ``ibrname`` says that nft can match the bridge of a frame
    (a probe finds out); without it, ports of other bridges have to be named to ``desired``.
    """

    datapath: Datapath = Datapath.XTABLES
    queue_base: int = 0
    workers: int = 1
    new_rate: int = 2_000  # packets that open a connection, or belong to none
    new_burst: int = 4_000
    packet_rate: int = 0  # packets of connections that are inspected
    packet_burst: int = 0
    group_rate: int = 5_000  # broadcasts and multicasts
    group_burst: int = 10_000
    seen_seconds: int = 300
    seen_entries: int = 4_096
    connections: int = 0
    ibrname: bool = False
