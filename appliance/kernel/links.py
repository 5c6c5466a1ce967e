"""Bridges and their ports: who is a member, and the flags and static addresses of VM ports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from appliance.kernel.commands import attempt, run
from appliance.kernel.state import BridgePort

_BATCH = ("bridge", "-force", "-batch", "-")


@dataclass(frozen=True, slots=True)
class Member:
    """A device that is a port of a bridge. ``index`` is the kernel's number of it."""

    name: str
    index: int
    bridge: str


def members() -> tuple[Member, ...]:
    """Give all ports of all bridges of this namespace: what a map of ports is made of."""
    found = _json(("ip", "-j", "link", "show", "type", "bridge_slave"))
    return tuple(
        Member(one["ifname"], int(one["ifindex"]), one["master"]) for one in found if one.get("master")
    )


def ports(names: Iterable[str]) -> dict[str, BridgePort]:
    """Read the flags and the static addresses of the ports that are there among ``names``."""
    wanted = set(names)
    if not wanted:
        return {}
    shown = _json(("bridge", "-j", "-d", "link", "show"))
    flags = {one["ifname"]: one for one in shown if one["ifname"] in wanted}
    macs: dict[str, set[bytes]] = {}
    for one in _json(("bridge", "-j", "fdb", "show")):
        if one.get("ifname") in flags and one.get("state") == "static" and one.get("master"):
            macs.setdefault(one["ifname"], set()).add(bytes.fromhex(one["mac"].replace(":", "")))
    return {
        name: BridgePort(
            name, tuple(sorted(macs.get(name, ()))), one["ifindex"], bool(one["learning"]), bool(one["flood"])
        )
        for name, one in flags.items()
    }


def apply(wanted: Iterable[BridgePort]) -> list[str]:
    """Bring the ports that are there into shape; give the names of those that were not."""
    targets = {one.name: one for one in wanted}
    there = ports(targets)
    lines: list[str] = []
    changed = []
    for name, now in there.items():
        steps = _steps(now, targets[name])
        lines += steps
        changed += [name] if steps else []
    _batch(lines)
    return changed


def release(names: Iterable[str]) -> None:
    """Give ports back what they have by default: they learn, are flooded, and have no static addresses."""
    lines: list[str] = []
    for name, now in ports(names).items():
        lines += _steps(now, BridgePort(name, (), learning=True, flood=True))
    _batch(lines)


def _steps(now: BridgePort, wanted: BridgePort) -> list[str]:
    steps = []
    if (now.learning, now.flood) != (wanted.learning, wanted.flood):
        flags = f"learning {_switch(wanted.learning)} flood {_switch(wanted.flood)}"
        steps.append(f"link set dev {wanted.name} {flags}")
    steps += [
        f"fdb del {mac.hex(':')} dev {wanted.name} master" for mac in now.macs if mac not in wanted.macs
    ]
    steps += [
        f"fdb replace {mac.hex(':')} dev {wanted.name} master static"
        for mac in wanted.macs
        if mac not in now.macs
    ]
    return steps


def _switch(value: bool) -> str:
    return "on" if value else "off"


def _batch(lines: list[str]) -> None:
    """Run many commands; what fails shows in the next audit, as a device may go away meanwhile."""
    if lines:
        attempt(_BATCH, "\n".join([*lines, ""]))


def _json(argv: tuple[str, ...]) -> list[dict[str, Any]]:
    text = run(argv)
    found: list[dict[str, Any]] = json.loads(text) if text.strip() else []
    return found
