"""What is going on, for people: live flows as plain values."""

from __future__ import annotations

import ipaddress
from itertools import islice
from typing import TYPE_CHECKING, Any

from appliance.model.flow import F_BYPASS, F_DROPPED, F_PASSED, Flow, FlowState
from appliance.model.identity import VmInterface
from appliance.model.mark import BLOCKED, SETTLED, SETTLED_ORIGINAL, SETTLED_REPLY
from appliance.model.tcp import TcpState

if TYPE_CHECKING:
    from appliance.engine.parts import Parts

# Flows that one call looks at in search of those of an interface.
_SEARCHED = 100_000
_SETTLED = {
    0: "",
    SETTLED_ORIGINAL: "to_server",
    SETTLED_REPLY: "to_client",
    SETTLED: "both",
}


def list_flows(pipe: Parts, limit: int, interface: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """Describe at most ``limit`` live flows, the newest first.

    Args:
        pipe: the engine's parts.
        limit: how many at most.
        interface: UUID of a VM and name of its interface ("" for any): only flows with such an end.
    """
    table = pipe.table.table
    if interface is None:
        return [describe(flow) for flow in islice(reversed(table.values()), max(limit, 0))]
    searched = islice(reversed(table.values()), _SEARCHED)
    found = (flow for flow in searched if _has(flow.client_if, interface) or _has(flow.server_if, interface))
    return [describe(flow) for flow in islice(found, max(limit, 0))]


def _has(end: VmInterface | None, wanted: tuple[str, str]) -> bool:
    return end is not None and end.vm.uuid == wanted[0] and wanted[1] in ("", end.name)


def describe(flow: Flow) -> dict[str, Any]:
    """Describe one flow; times are ns since the epoch, bytes those of whole frames."""
    judged = flow.judged
    return {
        "id": flow.id,
        "proto": flow.proto,
        "client": str(ipaddress.ip_address(flow.client)),
        "client_port": flow.cport,
        "server": str(ipaddress.ip_address(flow.server)),
        "server_port": flow.sport,
        "zone": flow.place >> 32,
        "vlans": list(flow.vlans),
        "client_vm": flow.client_if.label if flow.client_if is not None else "",
        "server_vm": flow.server_if.label if flow.server_if is not None else "",
        "app": flow.app_proto,
        "state": _state(flow),
        "verdict": _verdict(flow),
        "rule": flow.action_by or (judged.later.by if judged is not None else ""),
        "settled": "blocked" if flow.kernel & BLOCKED else _SETTLED[flow.kernel & SETTLED],
        "packets": [flow.pkts_ts, flow.pkts_tc],
        "bytes": [flow.bytes_ts, flow.bytes_tc],
        "first": flow.first,
        "last": flow.last,
    }


def _state(flow: Flow) -> str:
    state = TcpState(flow.tcp.state) if flow.tcp is not None else FlowState(flow.state)
    return state.name.lower()


def _verdict(flow: Flow) -> str:
    if flow.flags & F_DROPPED:
        return "drop"
    if flow.flags & F_BYPASS:
        return "bypass"
    return "pass" if flow.flags & F_PASSED else "accept"
