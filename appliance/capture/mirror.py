"""Whose frame a copy is: by the port it was copied from, and by its MACs."""

from __future__ import annotations

from appliance.capture.place import CHECKED, SEGMENTS
from appliance.inventory.ports import NO_VLAN, Port, PortMap
from appliance.model.identity import VmInterface
from appliance.model.origin import Origin

_MOST = 4096  # remembered origins; more than that are forgotten all at once


class Mirror:
    """Finds both ends of copied frames.

    The end at a VM's own port is told by the port. The other end, and both of a mirror port, are told by
    the MAC within the segment (``zone``): what is no VM's is behind an uplink.
    """

    def __init__(self, ports: PortMap) -> None:
        """Index ``ports`` by MAC; of two interfaces with one MAC in a segment neither is told by it."""
        self._ports = ports
        self._known: dict[tuple[int, bool, int, int, bytes], Origin] = {}
        self._by_mac: dict[tuple[int, bytes], VmInterface | None] = {}
        for port in ports.ports:
            if port.interface is not None:
                key = (port.zone, port.interface.mac)
                known = self._by_mac.get(key, port.interface)
                self._by_mac[key] = port.interface if known is port.interface else None

    def origin(self, index: int, sent: bool, vlan: int, frame: bytes, info: int) -> Origin:
        """Give the origin of a frame copied at the device with this number.

        ``sent`` says that the host sent it out of the device, ``info`` is as in ``Place.origin``.
        """
        key = (index, sent, vlan, info, frame[:12])
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[key] = self._origin(index, sent, vlan, frame, info)
        return found

    def _origin(self, index: int, sent: bool, vlan: int, frame: bytes, info: int) -> Origin:
        port = self._ports.find(index, vlan or NO_VLAN)
        zone = port.zone if port is not None else 0
        source = self._by_mac.get((zone, frame[6:12]))
        target = self._by_mac.get((zone, frame[0:6]))
        if _vm(port) is not None:
            if sent:
                target = _vm(port)
            else:
                source = _vm(port)
        origin = Origin(source, target, zone)
        origin.checked = bool(info & CHECKED)
        origin.segments = bool(info & SEGMENTS)
        return origin


def _vm(port: Port | None) -> VmInterface | None:
    return port.interface if port is not None else None
