"""Packets, bytes and drops of each VM interface."""

from __future__ import annotations

from typing import Any

from appliance.inventory.registry import Registry
from appliance.model.identity import VmInterface
from appliance.model.packet import Packet
from appliance.model.verdict import Decision, Reason, Verdict


class InterfaceTraffic:
    """Totals of one interface.

    ``out`` is what its VM has sent, whatever became of it; ``into`` is what was let through to it. Pairs are
    packets and bytes. ``dropped_out`` and ``dropped_in`` count packets by reason.
    """

    __slots__ = ("dropped_in", "dropped_out", "into", "out")

    def __init__(self) -> None:
        """Start at 0."""
        self.out: list[int] = [0, 0]
        self.into: list[int] = [0, 0]
        self.dropped_out: dict[Reason, int] = {}
        self.dropped_in: dict[Reason, int] = {}


class Traffic:
    """Totals by interface; there are no more than the inventory has interfaces."""

    def __init__(self) -> None:
        """Start without traffic."""
        self._totals: dict[VmInterface, InterfaceTraffic] = {}

    def count(self, packet: Packet, decision: Decision) -> None:
        """Count a frame at both of its ends."""
        source, target = packet.src_if, packet.dst_if
        dropped = decision.verdict > Verdict.ACCEPT
        if source is not None:
            found = self._of(source)
            _add(found.out, 1, packet.wirelen)
            if dropped:
                found.dropped_out[decision.reason] = found.dropped_out.get(decision.reason, 0) + 1
        if target is not None:
            found = self._of(target)
            if dropped:
                found.dropped_in[decision.reason] = found.dropped_in.get(decision.reason, 0) + 1
            else:
                _add(found.into, 1, packet.wirelen)

    def pass_unseen(
        self, source: VmInterface | None, target: VmInterface | None, packets: int, octets: int
    ) -> None:
        """Count what the kernel has let pass by itself."""
        if source is not None:
            _add(self._of(source).out, packets, octets)
        if target is not None:
            _add(self._of(target).into, packets, octets)

    def _of(self, interface: VmInterface) -> InterfaceTraffic:
        found = self._totals.get(interface)
        if found is None:
            found = self._totals[interface] = InterfaceTraffic()
        return found

    def adopt(self, old: Traffic, registry: Registry | None) -> None:
        """Take over the totals of interfaces that are in the inventory of now."""
        for interface, totals in old._totals.items():
            own = registry.own(interface) if registry is not None else None
            if own is not None:
                self._totals[own] = totals

    def values(self) -> dict[str, dict[str, Any]]:
        """Give all totals by VM and interface: ``<uuid>/<interface>``."""
        return {
            f"{interface.vm.uuid}/{interface.name}": {
                "label": interface.label,
                "packets_out": one.out[0],
                "bytes_out": one.out[1],
                "packets_in": one.into[0],
                "bytes_in": one.into[1],
                "dropped_out": {reason.value: count for reason, count in one.dropped_out.items()},
                "dropped_in": {reason.value: count for reason, count in one.dropped_in.items()},
            }
            for interface, one in self._totals.items()
        }


def _add(pair: list[int], packets: int, octets: int) -> None:
    pair[0] += packets
    pair[1] += octets
