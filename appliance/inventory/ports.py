"""Which VM interface is behind which port of the switch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import override

from appliance.model.identity import VmInterface

NO_VLAN = -1


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a bridge, or one VLAN on a trunk port.

    ``interface`` is None for an uplink. ``index`` is the kernel's number of the device, 0 while the device
    is not there; ``vlan`` is ``NO_VLAN`` for frames without a tag. ``zone`` numbers the network segment.
    """

    name: str
    index: int
    interface: VmInterface | None = None
    vlan: int = NO_VLAN
    zone: int = 0
    bridge: str = ""
    uplink: bool = False


class PortMap:
    """All ports that traffic may use, by the kernel's device number and VLAN. It does not change."""

    __slots__ = ("_by_place", "ports")

    def __init__(self, ports: Iterable[Port] = ()) -> None:
        """Index ``ports``; of two at the same place the first counts."""
        self.ports: tuple[Port, ...] = tuple(ports)
        self._by_place: dict[tuple[int, int], Port] = {}
        for port in self.ports:
            if port.index > 0:
                self._by_place.setdefault((port.index, port.vlan), port)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortMap) and self.ports == other.ports

    @override
    def __hash__(self) -> int:
        return hash(self.ports)

    def find(self, index: int, vlan: int = NO_VLAN) -> Port | None:
        """Give the port of a device, for a frame with this VLAN tag; an untagged trunk takes all tags."""
        found = self._by_place.get((index, vlan))
        if found is None and vlan != NO_VLAN:
            found = self._by_place.get((index, NO_VLAN))
            return found if found is not None and found.uplink else None
        return found
