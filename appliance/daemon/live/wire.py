"""Values as they go over a channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.inventory.ports import Port, PortMap
from appliance.inventory.registry import Registry


def pack_ports(ports: Iterable[Port]) -> list[list[Any]]:
    """Write ports as plain lists; interfaces by UUID and name."""
    return [
        [
            port.name,
            port.index,
            port.interface.vm.uuid if port.interface is not None else "",
            port.interface.name if port.interface is not None else "",
            port.vlan,
            port.zone,
            port.bridge,
            port.uplink,
        ]
        for port in ports
    ]


def unpack_ports(data: list[list[Any]], registry: Registry | None) -> PortMap:
    """Read ports; one whose interface ``registry`` does not know is left out, so that nothing passes."""
    ports = []
    for name, index, uuid, interface, vlan, zone, bridge, uplink in data:
        found = registry.find(uuid, interface) if registry is not None else None
        if found is not None or uplink:
            ports.append(Port(name, index, found, vlan, zone, bridge, uplink))
    return PortMap(ports)
