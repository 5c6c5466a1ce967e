"""The state of an engine as plain data, in slices: for a restart, or for a VM that moves to another host.

Each slice is a mapping that JSON can carry: ``v`` (the version), ``kind`` and a list of entries. Flows come
first. How far parsers have come cannot be carried: :mod:`appliance.engine.restore` says how they go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from appliance.detect import moving
from appliance.engine.lifecycle import end_flow
from appliance.flow import snapshot
from appliance.flow.fields import Field, Flag, Int, Text
from appliance.model.app import AppState
from appliance.model.flow import F_ADOPTED, F_DROPPED, Flow, FlowState
from appliance.model.identity import VmInterface

if TYPE_CHECKING:
    from appliance.engine.pipeline import Pipeline

VERSION = 1
SLICE = 64  # entries of one slice
_COUNT = Int(0, (1 << 63) - 1)
_PROTO = Text(64)
APP: dict[str, Field] = {"proto": _PROTO, "orig": _PROTO, "first": Int(-1, 1), "tries": Int(0, 1 << 30),
                         "changes": Int(0, 1 << 30)}  # fmt: skip
JUDGED: dict[str, Field] = {"verdict": Int(0, 3), "half_open": Flag()}
Slice = dict[str, Any]


def export(pipe: Pipeline, interface: tuple[str, str] | None) -> Iterator[Slice]:
    """Give the state, of everything or of one interface (VM's UUID and name), slice by slice.

    Packets may be processed between two slices: each shows what is at its time. Flows that begin meanwhile
    are not among them. Of one interface, what both ends have closed is named only (``over``): it is told of
    where it ended, and a machine has many more of those than of others.
    """
    flows = [flow for flow in pipe.table.flows() if interface is None or _has(flow, interface)]
    wanted = None if interface is None else frozenset(_addresses(flows, interface))
    if interface is not None:
        yield from _slices("over", [flow.id for flow in flows if _over(flow)])
        flows = [flow for flow in flows if not _over(flow)]
    for place in range(0, len(flows), SLICE):
        live = [flow for flow in flows[place : place + SLICE] if flow.queue >= 0]
        yield _slice("flows", [_flow(pipe, flow) for flow in live])
    ids = frozenset(flow.id for flow in flows)
    yield from _slices("expectations", _expectations(pipe, ids))
    yield from _slices("blocks", _blocks(pipe, interface))
    if pipe.detector is not None:
        yield from _slices("hosts", moving.dump_hosts(pipe.detector, wanted))
        yield from _slices("thresholds", moving.dump_thresholds(pipe.detector, wanted, ids))


def forget(pipe: Pipeline, interface: tuple[str, str], here: frozenset[tuple[str, str]]) -> int:
    """Let go of flows of an interface that has moved away, but for those with another end ``here``.

    Those that both ends have closed have not moved, and end here in their time.
    """
    count = 0
    for flow in pipe.table.flows():
        if not _has(flow, interface) or _over(flow) or _stays(flow, interface, here):
            continue
        pipe.table.remove(flow)
        flow.flags |= F_ADOPTED
        end_flow(pipe, flow, 0, "moved", [])
        count += 1
    pipe.counters.add("flow.moved_away", count)
    return count


def _stays(flow: Flow, interface: tuple[str, str], here: frozenset[tuple[str, str]]) -> bool:
    ends = [(end.vm.uuid, end.name) for end in (flow.client_if, flow.server_if) if end is not None]
    return any(end != interface and end in here for end in ends)


def _slice(kind: str, entries: list[Any]) -> Slice:
    return {"v": VERSION, "kind": kind, "entries": entries}


def _slices(kind: str, entries: list[Any]) -> Iterator[Slice]:
    for place in range(0, len(entries), SLICE):
        yield _slice(kind, entries[place : place + SLICE])


def _is(end: VmInterface | None, interface: tuple[str, str]) -> bool:
    return end is not None and (end.vm.uuid, end.name) == interface


def _has(flow: Flow, interface: tuple[str, str]) -> bool:
    return _is(flow.client_if, interface) or _is(flow.server_if, interface)


def _over(flow: Flow) -> bool:
    """Tell whether both ends have closed a flow in order, so that all of it was inspected and nothing comes.

    After a RST more may come, if it was forged; and what was dropped must not begin anew.
    """
    session = flow.tcp
    if session is None or flow.state != FlowState.CLOSED or flow.flags & F_DROPPED:
        return False
    return bool(session.client.closed and session.server.closed)


def _addresses(flows: list[Flow], interface: tuple[str, str]) -> set[bytes]:
    found = {flow.client for flow in flows if _is(flow.client_if, interface)}
    return found | {flow.server for flow in flows if _is(flow.server_if, interface)}


def _flow(pipe: Pipeline, flow: Flow) -> dict[str, Any]:
    judged = flow.judged
    data: dict[str, Any] = {"flow": snapshot.dump(flow), "kernel": flow.kernel}
    data["judged"] = moving.write_fields(judged, JUDGED) if judged is not None else None
    if judged is not None:
        data["judged"]["by"] = judged.later.by[:256]
    data["app"] = _app(flow.app) if flow.app is not None else None
    state = flow.detect
    follows = pipe.detector is not None and state is not None
    data["detect"] = moving.dump_flow(pipe.detector, state) if follows and pipe.detector is not None else None
    return data


def _app(state: AppState) -> dict[str, Any]:
    """Give what is known of the application, and while it is not known, the bytes that have come."""
    data = moving.write_fields(state, APP)
    if state.announced is not None:
        data["proto"] = state.announced[0]
    data["fed"], data["position"] = list(state.fed), list(state.position)
    data["done"], data["ends"] = [bool(one) for one in state.done], [bool(one) for one in state.ends]
    held = state.probe if state.probe is not None and not state.proto else None
    data["probe"] = [moving.text_of(one) for one in held] if held is not None else None
    return data


def _expectations(pipe: Pipeline, parents: frozenset[int]) -> list[Any]:
    return [
        [one.parent.id, one.proto, one.server.hex(), one.port, one.client.hex(), one.kind, one.due]
        for one in list(pipe.expectations.entries.values())
        if one.parent.id in parents
    ]


def _blocks(pipe: Pipeline, interface: tuple[str, str] | None) -> list[Any]:
    if pipe.firewall is None:
        return []
    return [
        [*identity, source.hex(), until]
        for identity, source, until in pipe.firewall.blocks()
        if interface is None or identity == interface
    ]
