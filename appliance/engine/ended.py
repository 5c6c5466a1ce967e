"""Connections that have ended for the kernel: their flows end too, with what the kernel has counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.engine.lifecycle import end_flow
from appliance.model.event import Event
from appliance.model.flow import F_ADOPTED, F_KNOWN, Flow
from appliance.model.mark import SETTLED
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

_LINK = 14  # an Ethernet header, RFC 894
_TAG = 4  # a VLAN tag
_SLACK = 2_000_000_000


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """A connection as the kernel knew it, its original direction first.

    ``ports`` are type and code for ICMP, 0 where there are none. ``octets`` count from the IP header on, as
    ``nf_conntrack_acct`` does. ``started`` (ns since the epoch, 0 when not known) is the time of its first
    packet: without it an end that is told late may be taken for that of the next connection there.
    """

    proto: int
    ends: tuple[bytes, bytes]
    ports: tuple[int, int]
    packets: tuple[int, int] = (0, 0)
    octets: tuple[int, int] = (0, 0)
    zone: int = 0
    vlans: tuple[int, ...] = ()
    started: int = 0


def end_entry(pipe: Pipeline, entry: KernelEntry, now: int) -> list[Event]:
    """End the flow of a connection that was settled; no events when there is none of it (any more)."""
    place = (entry.zone & 0xFFFF) << 32
    flow = pipe.table.of_tuple(entry.proto, entry.ends, entry.ports, place, entry.vlans)
    if flow is None or _is_another(flow, entry):
        return []
    pipe.table.remove(flow)
    if not flow.flags & F_ADOPTED:
        _count(pipe, flow, entry)
    events: list[Event] = []
    flow.end_reason = "timeout"
    end_flow(pipe, flow, now, flow.end_reason, events)
    return events


def _is_another(flow: Flow, entry: KernelEntry) -> bool:
    """Tell whether the flow has begun after the entry, on the same ports.

    One of which the kernel was told nothing is: what is told here are ends of connections that were settled.
    """
    if not flow.kernel & SETTLED and not flow.flags & F_ADOPTED:
        return True
    if not entry.started or flow.flags & F_KNOWN:
        return False
    return flow.first > entry.started + _SLACK


def _count(pipe: Pipeline, flow: Flow, entry: KernelEntry) -> None:
    """Take over totals, which have what passed unseen. Frames count with their link header."""
    link = _LINK + _TAG * len(flow.vlans)
    totals = [
        (packets, octets + link * packets)
        for packets, octets in zip(entry.packets, entry.octets, strict=True)
    ]
    if _runs_back(flow, entry):
        totals.reverse()
    unseen = (
        (totals[0][0] - flow.pkts_ts, totals[0][1] - flow.bytes_ts),
        (totals[1][0] - flow.pkts_tc, totals[1][1] - flow.bytes_tc),
    )
    ends = [flow.client_if, flow.server_if]
    for packets, octets in unseen:
        pipe.traffic.pass_unseen(ends[0], ends[1], max(packets, 0), max(octets, 0))
        ends.reverse()
    flow.pkts_ts, flow.bytes_ts = max(flow.pkts_ts, totals[0][0]), max(flow.bytes_ts, totals[0][1])
    flow.pkts_tc, flow.bytes_tc = max(flow.pkts_tc, totals[1][0]), max(flow.bytes_tc, totals[1][1])


def _runs_back(flow: Flow, entry: KernelEntry) -> bool:
    """Tell whether the flow's client is the end that the kernel has second."""
    if entry.ends[0] != entry.ends[1]:
        return flow.client != entry.ends[0]
    return flow.proto not in (PROTO_ICMP, PROTO_ICMPV6) and flow.cport != entry.ports[0]
