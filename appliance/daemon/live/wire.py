"""Values as they go over a channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.inventory.inventory import Inventory
from appliance.inventory.ports import Port, PortMap


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


def unpack_ports(data: list[list[Any]], inventory: Inventory) -> PortMap:
    """Read ports; one whose interface this inventory does not know is left out, so that nothing passes."""
    known = {(one.vm.uuid, one.name): one for one in inventory.interfaces}
    ports = []
    for name, index, uuid, interface, vlan, zone, bridge, uplink in data:
        found = known.get((uuid, interface))
        if found is not None or uplink:
            ports.append(Port(name, index, found, vlan, zone, bridge, uplink))
    return PortMap(ports)
