"""What happens to virtual machines, and how two looks at them differ."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from appliance.inventory.machines import Machine, Nic, Power


class EventKind(enum.Enum):
    """What has happened. The last four are hints of a hypervisor: it says so before or after the facts."""

    APPEARED = "appeared"
    CHANGED = "changed"
    POWERED = "powered"
    GONE = "gone"
    MOVED = "moved"
    MOVING = "moving"
    FROZEN = "frozen"  # it stands still for a move: it will not send from where it was
    DEAD = "dead"  # the host it ran on is dead: what it had there is lost

    @property
    def hint(self) -> bool:
        """Tell whether it is for those who move state between hosts."""
        return self in {EventKind.MOVED, EventKind.MOVING, EventKind.FROZEN, EventKind.DEAD}


@dataclass(frozen=True, slots=True)
class VmEvent:
    """One thing that has happened to a machine at ``at`` (ns since the epoch).

    ``host`` is where the machine is or goes to, ``source`` where it came from, "" where nobody says;
    ``here`` tells whether ``host`` is this host. ``changed`` names the fields that differ.
    """

    kind: EventKind
    uuid: str
    name: str
    at: int
    provider: str = ""
    host: str = ""
    source: str = ""
    here: bool | None = None
    power: Power | None = None
    changed: tuple[str, ...] = ()


_OWN_EVENTS = frozenset(("power", "host", "here"))
_COMPARED = tuple(field.name for field in fields(Machine) if field.name not in _OWN_EVENTS)


def diff(
    old: Mapping[str, Machine], new: Mapping[str, Machine], at: int, provider: str = ""
) -> list[VmEvent]:
    """Say what has happened between two views (by UUID); in the order of UUIDs, what is gone first."""
    found = [
        VmEvent(EventKind.GONE, uuid, old[uuid].label, at, provider, source=old[uuid].host or "")
        for uuid in sorted(old.keys() - new.keys())
    ]
    for uuid in sorted(new):
        found += between(old.get(uuid), new[uuid], at, provider)
    return found


def between(old: Machine | None, new: Machine | None, at: int, provider: str = "") -> list[VmEvent]:
    """Say what has happened to one machine; None where it was not there, or is not any more."""
    if old is new:
        return []
    if new is None:
        assert old is not None  # noqa: S101 - both None are the same
        return [VmEvent(EventKind.GONE, old.uuid, old.label, at, provider, source=old.host or "")]
    about = (new.uuid, new.label, at, provider, new.host or "")
    if old is None:
        return [VmEvent(EventKind.APPEARED, *about, here=new.here, power=new.power)]
    found = []
    if _differs(old.here, new.here) or _differs(old.host, new.host):
        found.append(VmEvent(EventKind.MOVED, *about, source=old.host or "", here=new.here, power=new.power))
    changed = tuple(name for name in _COMPARED if getattr(old, name) != getattr(new, name))
    if changed == ("nics",) and _unplugged(old) == _unplugged(new):
        changed = ()  # it is plugged in somewhere else, which is no news of the machine
    if changed:
        found.append(VmEvent(EventKind.CHANGED, *about, here=new.here, power=new.power, changed=changed))
    if _differs(old.power, new.power):
        found.append(VmEvent(EventKind.POWERED, *about, here=new.here, power=new.power))
    return found


def _differs(old: object, new: object) -> bool:
    """Tell whether both are known and differ; what is learnt, or known no longer, has not happened."""
    return old is not None and new is not None and old != new


def _unplugged(machine: Machine) -> tuple[Nic, ...]:
    return tuple(replace(nic, port=None) for nic in machine.nics)
