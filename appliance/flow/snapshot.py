"""Flows as plain data that JSON can carry, to follow a VM to another host.

What goes along is what a flow is: ends, counters, TCP state and the bytes that wait in it, flags,
flowbits. What stays is what only this host can know: policy verdicts, parsers, and SYNs that still
compete. The new host judges the flow by its own policy again. Restoring trusts nothing: every field
is checked for type and range, and data that does not fit is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.flow import waiting
from appliance.flow.fields import Field, Flag, Hex, Int, IntMap, Ints, Text, Texts
from appliance.model.flow import Flow
from appliance.model.identity import VmInterface
from appliance.model.tcp import TcpPeer, TcpSession, TcpState

VERSION = 2

# Finds the interface of a VM by UUID and name; None when it is not known here.
InterfaceOf = Callable[[str, str], VmInterface | None]

_INT31, _INT62, _INT63, _UINT32 = (1 << 31) - 1, (1 << 62) - 1, (1 << 63) - 1, (1 << 32) - 1
_COUNT = Int(0, _INT63)
_TEXT = Text(256)

_FLOW: dict[str, Field] = {
    "id": Int(1, (1 << 53) - 1),
    "proto": Int(0, 255),
    "client": Hex((4, 16)),
    "server": Hex((4, 16)),
    "cport": Int(0, 65_535),
    "sport": Int(0, 65_535),
    "icmp_type": Int(0, 255),
    "icmp_code": Int(0, 255),
    "spi": Int(0, _UINT32),
    "vlans": Ints(16, 0, 65_535),
    "tenant": Int(0, _INT31),
    "depth": Int(0, 255),
    "place": Int(0, (1 << 48) - 1),
    "first": _COUNT,
    "last": _COUNT,
    "first_number": _COUNT,
    "pkts_ts": _COUNT,
    "pkts_tc": _COUNT,
    "bytes_ts": _COUNT,
    "bytes_tc": _COUNT,
    "ttl_min_ts": Int(0, 255),
    "ttl_max_ts": Int(0, 255),
    "ttl_min_tc": Int(0, 255),
    "ttl_max_tc": Int(0, 255),
    "state": Int(0, 3),
    "flags": Int(0, _INT31),
    "app_proto": _TEXT,
    "ether_client": Hex((0, 6)),
    "ether_server": Hex((0, 6)),
    "bits": Texts(4096, 256),
    "ints": IntMap(4096, 256),
    "reason": _TEXT,
    "action_by": _TEXT,
    "exception": _TEXT,
    "end_reason": _TEXT,
    "tx_id": _COUNT,
}

_PEER: dict[str, Field] = {
    "isn": Int(0, _UINT32),
    "base_seq": Int(0, _UINT32),
    "next_seq": Int(0, _UINT32),
    "last_ack": Int(0, _UINT32),
    "window": Int(0, _UINT32),
    "wscale": Int(-1, 255),
    "ts_last": Int(-1, _INT63),
    "ts_seen": _COUNT,
    "tcp_flags": Int(0, 65_535),
    "flags": Int(0, _INT31),
    "delivered": _COUNT,
    "position": _COUNT,
    "edge": Int(0, _UINT32),
    "fin_seq": Int(0, _UINT32),
    "urgent": Int(0, _INT31),
    "gaps": Int(0, _INT31),
    "synacks": Int(0, _INT31),
    "closed": Flag(),
    "depth_reached": Flag(),
    "os_policy": Text(64),
}

_SESSION: dict[str, Field] = {
    "state": Int(0, max(TcpState)),
    "previous": Int(0, max(TcpState)),
    "flags": Int(0, _INT31),
    "tcp_flags": Int(0, 65_535),
}


def dump(flow: Flow) -> dict[str, Any]:
    """Give a flow as JSON-able data that :func:`restore` takes."""
    data = _pack(flow, _FLOW)
    data["v"] = VERSION
    data["client_if"] = _name(flow.client_if)
    data["server_if"] = _name(flow.server_if)
    data["parent"] = flow.parent.id if flow.parent is not None else 0
    session = flow.tcp
    if session is None:
        data["tcp"] = None
    else:
        data["tcp"] = _pack(session, _SESSION)
        data["tcp"]["client"] = _dump_peer(session.client)
        data["tcp"]["server"] = _dump_peer(session.server)
    return data


def restore(data: object, interface_of: InterfaceOf | None = None) -> Flow | None:
    """Make the flow that :func:`dump` wrote; it is in no table and was not judged yet.

    Args:
        data: Whatever arrived.
        interface_of: Finds the VM interfaces; without it (or when it knows them not) they are None.

    Returns:
        None when ``data`` is not a flow of this version in every field.
    """
    if not isinstance(data, dict) or data.get("v") != VERSION:
        return None
    flow = Flow(0, b"", b"", 0, 0)
    if not _unpack(flow, _FLOW, data) or len(flow.client) != len(flow.server):
        return None
    flow.ip_version = 4 if len(flow.client) == 4 else 6
    names = _read_name(data.get("client_if")), _read_name(data.get("server_if"))
    if names[0] is None or names[1] is None:
        return None
    if interface_of is not None:
        flow.client_if = interface_of(*names[0]) if names[0][0] else None
        flow.server_if = interface_of(*names[1]) if names[1][0] else None
    tcp = data.get("tcp")
    if tcp is not None:
        flow.tcp = _session(tcp)
        if flow.tcp is None:
            return None
    return flow


def dump_all(flows: list[Flow]) -> list[dict[str, Any]]:
    """Give several flows as data; parents among them stay parents."""
    return [dump(flow) for flow in flows]


def restore_all(data: object, interface_of: InterfaceOf | None = None) -> list[Flow]:
    """Make the flows that :func:`dump_all` wrote; those that cannot be read are left out."""
    if not isinstance(data, list):
        return []
    flows: dict[int, Flow] = {}
    children: list[tuple[Flow, int]] = []
    for entry in data:
        flow = restore(entry, interface_of)
        if flow is None or flow.id in flows:
            continue
        flows[flow.id] = flow
        parent = entry.get("parent")
        if isinstance(parent, int) and parent:
            children.append((flow, parent))
    # One level, as flows have it: what has a parent is none itself, so no loops come in from outside.
    not_roots = {flow.id for flow, _ in children}
    for flow, parent in children:
        if parent not in not_roots:
            flow.parent = flows.get(parent)
    return list(flows.values())


def _pack(value: object, fields: dict[str, Field]) -> dict[str, Any]:
    return {name: field.pack(getattr(value, name)) for name, field in fields.items()}


def _unpack(value: object, fields: dict[str, Field], data: dict[Any, Any]) -> bool:
    """Set all fields; tells whether each was there and right."""
    for name, field in fields.items():
        if name not in data or not field.fits(data[name]):
            return False
        setattr(value, name, field.unpack(data[name]))
    return True


def _session(data: object) -> TcpSession | None:
    session = TcpSession()
    if not isinstance(data, dict) or not _unpack(session, _SESSION, data):
        return None
    return (
        session if _peer(session.client, data, "client") and _peer(session.server, data, "server") else None
    )


def _dump_peer(peer: TcpPeer) -> dict[str, Any]:
    data = _pack(peer, _PEER)
    data["segments"] = waiting.pack(peer.segments, peer.position, _INT62)
    data["buffer"] = waiting.pack(peer.buffer, 0, peer.position)
    return data


def _peer(peer: TcpPeer, session: dict[Any, Any], name: str) -> bool:
    """Read one end, with what waits of it: bytes to come lie behind its position, bytes kept before."""
    data = session.get(name)
    if not isinstance(data, dict) or not _unpack(peer, _PEER, data):
        return False
    if data.get("segments") is not None:
        peer.segments = waiting.unpack(data["segments"], peer.position, _INT62)
        if peer.segments is None:
            return False
        peer.held = sum([segment.stop - segment.start for segment in peer.segments])
    if data.get("buffer") is not None:
        peer.buffer = waiting.unpack(data["buffer"], 0, peer.position)
        if peer.buffer is None:
            return False
        peer.kept = sum([segment.stop - segment.start for segment in peer.buffer])
    return True


def _name(interface: VmInterface | None) -> list[str]:
    return [interface.vm.uuid, interface.name] if interface is not None else ["", ""]


def _read_name(data: object) -> tuple[str, str] | None:
    if not isinstance(data, list) or len(data) != 2:
        return None
    vm, name = data
    return (vm, name) if _TEXT.fits(vm) and _TEXT.fits(name) else None
