"""Packets, bytes and drops of each VM interface."""

from __future__ import annotations

from typing import Any

from appliance.inventory.registry import Registry
from appliance.model.identity import VmInterface
from appliance.model.packet import Packet
from appliance.model.verdict import ACCEPTED, Decision, Reason, Verdict

_MAX_INDEX = 1 << 20  # far more interfaces than a host has


class InterfaceTraffic:
    """Totals of one interface.

    Out is what its VM has sent, whatever became of it; in is what was let through to it. ``dropped_out``
    and ``dropped_in`` count packets by reason.
    """

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "dropped_in",
        "dropped_out",
        "interface",
        "packets_in",
        "packets_out",
    )

    def __init__(self, interface: VmInterface) -> None:
        """Start at 0."""
        self.interface: VmInterface = interface
        self.packets_out: int = 0
        self.bytes_out: int = 0
        self.packets_in: int = 0
        self.bytes_in: int = 0
        self.dropped_out: dict[Reason, int] = {}
        self.dropped_in: dict[Reason, int] = {}


class Traffic:
    """Totals by interface; there are no more than the inventory has interfaces."""

    def __init__(self) -> None:
        """Start without traffic."""
        self._totals: dict[VmInterface, InterfaceTraffic] = {}
        self._by_index: list[InterfaceTraffic | None] = []  # those of the inventory of now

    def count(self, packet: Packet, decision: Decision) -> None:
        """Count a frame at both of its ends."""
        dropped = decision is not ACCEPTED and decision.verdict > Verdict.ACCEPT
        if packet.src_if is not None:
            self._sent(packet.src_if, 1, packet.wirelen)
            if dropped:
                _drop(self._of(packet.src_if).dropped_out, decision.reason)
        if packet.dst_if is not None:
            if dropped:
                _drop(self._of(packet.dst_if).dropped_in, decision.reason)
            else:
                self._received(packet.dst_if, 1, packet.wirelen)

    def _sent(self, interface: VmInterface, packets: int, octets: int) -> None:
        found = self._of(interface)
        found.packets_out += packets
        found.bytes_out += octets

    def _received(self, interface: VmInterface, packets: int, octets: int) -> None:
        found = self._of(interface)
        found.packets_in += packets
        found.bytes_in += octets

    def pass_unseen(
        self, source: VmInterface | None, target: VmInterface | None, packets: int, octets: int
    ) -> None:
        """Count what the kernel has let pass by itself."""
        if source is not None:
            self._sent(source, packets, octets)
        if target is not None:
            self._received(target, packets, octets)

    def _of(self, interface: VmInterface) -> InterfaceTraffic:
        index = interface.index
        if 0 <= index < len(self._by_index):
            found = self._by_index[index]
            if found is not None and found.interface is interface:
                return found
        return self._find(interface)

    def _find(self, interface: VmInterface) -> InterfaceTraffic:
        """Give the totals of an interface, and keep them where they are found at once the next time."""
        found = self._totals.get(interface)
        if found is None:
            found = self._totals[interface] = InterfaceTraffic(interface)
        if 0 <= interface.index < _MAX_INDEX:
            missing = interface.index + 1 - len(self._by_index)
            self._by_index += [None] * max(missing, 0)
            self._by_index[interface.index] = found
        return found

    def adopt(self, old: Traffic, registry: Registry | None) -> None:
        """Take over the totals of interfaces that are in the inventory of now."""
        for interface, totals in old._totals.items():
            own = registry.own(interface) if registry is not None else None
            if own is not None:
                self._totals[own] = totals
                totals.interface = own

    def values(self) -> dict[str, dict[str, Any]]:
        """Give all totals by VM and interface: ``<uuid>/<interface>``."""
        return {
            f"{interface.vm.uuid}/{interface.name}": {
                "label": interface.label,
                "packets_out": one.packets_out,
                "bytes_out": one.bytes_out,
                "packets_in": one.packets_in,
                "bytes_in": one.bytes_in,
                "dropped_out": {reason.value: count for reason, count in one.dropped_out.items()},
                "dropped_in": {reason.value: count for reason, count in one.dropped_in.items()},
            }
            for interface, one in self._totals.items()
        }


def _drop(counts: dict[Reason, int], reason: Reason) -> None:
    counts[reason] = counts.get(reason, 0) + 1
