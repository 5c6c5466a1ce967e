"""Which of a vCenter's events are hints of a move, and of what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.hypervisor.options import clean
from appliance.hypervisor.site import Site, ident
from appliance.inventory.events import EventKind

_BEGINS = frozenset(("VmBeingMigratedEvent", "VmBeingHotMigratedEvent", "VmEmigratingEvent"))
_ENDS = frozenset(("VmMigratedEvent", "DrsVmMigratedEvent"))
_DEAD_HOST = "DasHostFailedEvent"
_RESTARTED = "VmRestartedOnAlternateHostEvent"
EVENTS = (*sorted(_BEGINS | _ENDS), _RESTARTED, _DEAD_HOST)

Found = tuple[EventKind, str, str, str]  # what, the UUID of the machine, where to, where from


def hints(event: Any, site: Site) -> Iterator[Found]:
    """Give what an event announces. Which of its hosts is which differs between servers."""
    name = type(event).__name__.rpartition(".")[2]
    if name == _DEAD_HOST:
        host = getattr(event, "failedHost", None)
        for one in site.on_host(ident(getattr(host, "host", None))):
            yield EventKind.DEAD, one, "", _name(host)
        return
    uuid = site.uuid_of(ident(getattr(getattr(event, "vm", None), "vm", None)))
    if not uuid:
        return
    own = _name(getattr(event, "host", None))
    if name in _BEGINS:
        yield EventKind.MOVING, uuid, _name(getattr(event, "destHost", None)), own
    elif name in _ENDS:
        yield EventKind.MOVED, uuid, own, _name(getattr(event, "sourceHost", None))
    elif name == _RESTARTED:
        yield EventKind.DEAD, uuid, own, _name(getattr(event, "sourceHost", None))


def _name(argument: Any) -> str:
    return clean(str(getattr(argument, "name", "") or ""))
