"""One view of everything that counts: workers, kernel, interfaces, reporter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.daemon.live.crew import Post
from appliance.daemon.live.supervisor import Supervisor
from appliance.firewall.bound import InterfacePolicy
from appliance.inventory.ports import Port

_REASON = "ips.drop_reason."


def status(supervisor: Supervisor, now: int) -> dict[str, Any]:
    """Describe the running appliance as plain values; ``now`` is in ns."""
    intent, crew, places = supervisor.intent, supervisor.crew, supervisor.places
    engine = add_up(post.statistics.get("engine", {}) for post in crew.posts)
    return {
        "uptime": (now - supervisor.started) // 1_000_000_000,
        "mode": intent.appliance.document.mode,
        "epoch": intent.epoch,
        "datapath": supervisor.keeper.datapath,
        "applied": supervisor.keeper.applied,
        "rules": {"loaded": supervisor.rules.loaded, "refused": len(supervisor.rules.refused)},
        "workers": [_worker(post) for post in crew.posts],
        "packets": packets(engine),
        "drops": {name.removeprefix(_REASON): n for name, n in engine.items() if name.startswith(_REASON)},
        "engine": engine,
        "kernel": supervisor.keeper.counters,
        "interfaces": [_interface(supervisor, port) for port in places.ports.ports if port.interface],
        "unbound_ports": list(places.unbound),
        "absent_interfaces": list(places.absent),
        "missing_devices": list(places.missing),
        "held_interfaces": [port.interface.label for port in places.held if port.interface is not None],
        "inventory": supervisor.hypervisors.status(),
        "handoff": supervisor.handover.status()["counts"],
        "cluster": supervisor.ownership.status() if supervisor.ownership is not None else None,
        "quarantine": sorted(intent.forced),
        "reporter": crew.reporter_statistics,
    }


def snapshot(supervisor: Supervisor, now: int) -> dict[str, Any]:
    """Give what metrics are made of: the status, with each worker's own counters."""
    found = status(supervisor, now)
    for worker, post in zip(found["workers"], supervisor.crew.posts, strict=True):
        worker["engine"] = post.statistics.get("engine", {})
    return found


def packets(engine: Mapping[str, int]) -> dict[str, int]:
    """Give the sum that has to come out: what came in is what went on and what was dropped."""
    return {
        "in": engine.get("decoder.pkts", 0),
        "accepted": engine.get("ips.accepted", 0),
        "dropped": engine.get("ips.blocked", 0) + engine.get("ips.rejected", 0),
    }


def add_up(many: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counters of the same name."""
    total: dict[str, int] = {}
    for one in many:
        for name, value in one.items():
            total[name] = total.get(name, 0) + value
    return total


def _worker(post: Post) -> dict[str, Any]:
    child, said = post.child, post.statistics
    return {
        "number": post.number,
        "kind": post.kind,
        "queues": list(post.queues),
        "device": post.device,
        "pid": child.pid if child is not None else 0,
        "starts": child.starts if child is not None else 0,
        "ready": child is not None and child.ready,
        "why": child.gave_up if child is not None else "",
        "load": said.get("load", 0),
        "memory": said.get("memory", 0),
        "flows": said.get("flows", 0),
        "queue": said.get("source", {}),
        "records": said.get("records", {}),
    }


def _interface(supervisor: Supervisor, port: Port) -> dict[str, Any]:
    one = port.interface
    assert one is not None  # noqa: S101 - only ports with one are asked for
    policy: InterfacePolicy | None = supervisor.intent.bound.policy_of(one)
    key = f"{one.vm.uuid}/{one.name}"
    said = [post.statistics.get("interfaces", {}).get(key, {}) for post in supervisor.crew.posts]
    counts = add_up({k: v for k, v in each.items() if isinstance(v, int)} for each in said)
    return {
        "name": one.label,
        "vm": one.vm.name,
        "uuid": one.vm.uuid,
        "port": port.name,
        "policy": policy.name if policy is not None else "",
        "prevents": policy is not None and policy.inspection.prevent,
        "fails": "open" if policy is not None and policy.fail_open else "closed",
        **counts,
        "drops": add_up(each.get(way, {}) for each in said for way in ("dropped_in", "dropped_out")),
    }
