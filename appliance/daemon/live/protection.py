"""What is told of interfaces that come under protection, and of ports that belong to nobody."""

from __future__ import annotations

from collections.abc import Callable

from appliance.daemon.live.intent import Intent
from appliance.daemon.live.places import Places, identity_of
from appliance.model.identity import VmInterface

Note = Callable[..., None]


def protection(intent: Intent, one: VmInterface) -> dict[str, str]:
    """Say of an interface which policy it has, and why that."""
    policy = intent.bound.policy_of(one)
    return {
        "vm": one.vm.name,
        "uuid": one.vm.uuid,
        "interface": one.name,
        "policy": policy.name if policy is not None else "",
        "binding": intent.book.reason(one, intent.forced) if intent.book is not None else "",
    }


def arrived(before: Places, now: Places) -> bool:
    """Tell whether an interface is at a port that was at none."""
    return bool(
        {identity_of(port) for port in now.ports.ports} - {identity_of(p) for p in before.ports.ports}
    )


def tell_places(note: Note, intent: Intent, before: Places, now: Places) -> None:
    """Report who is protected now, which ports belong to nobody, and which devices are missing."""
    labels = {port.interface.label for port in before.ports.ports if port.interface is not None}
    for port in now.ports.ports:
        one = port.interface
        if one is not None and one.label not in labels:
            note("vm.protected", **protection(intent, one), port=port.name)
    for name in set(now.unbound) - set(before.unbound):
        note("port.unknown", port=name)
    for name in set(now.missing) - set(before.missing):
        note("device.missing", device=name)
