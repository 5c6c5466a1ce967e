"""Packets and tables for tests of flows."""

from __future__ import annotations

from appliance.config.settings import FlowSettings, Timeouts
from appliance.flow.table import FlowTable
from appliance.model.packet import Packet

A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"


def packet(src=A, dst=B, sport=1000, dport=80, proto=17, *, vlans=(), depth=0, tenant=0, number=1, **fields):
    made = Packet(bytes(60), 1, 0, number)
    made.ip_version = 4 if len(src) == 4 else 6
    made.src, made.dst, made.sport, made.dport, made.proto = src, dst, sport, dport, proto
    made.vlans, made.depth, made.tenant = vlans, depth, tenant
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def table(**changes):
    return FlowTable(FlowSettings(**changes))


def open_flow(flows, made, now=0):
    flow = flows.lookup(made, now)
    if flow is None:
        flow = flows.create(made, now)
    if flow is not None:
        flows.touch(flow, made, now)
    return flow


TIMES = FlowSettings(
    tcp=Timeouts(1, 2, 3, 4),
    udp=Timeouts(5, 6, 7, 8),
    icmp=Timeouts(9, 10, 11, 12),
    other=Timeouts(13, 14, 15, 16),
)
