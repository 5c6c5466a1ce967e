"""What the map of ports says of the way of a frame: between which two ports, for whom, with which MACs."""

from __future__ import annotations

from appliance.inventory.ports import NO_VLAN, Port, PortMap
from appliance.model.mark import GROUP, KNOWN, RELATED, REPLY
from appliance.model.origin import ORIGINAL, Origin
from appliance.model.origin import REPLY as REVERSE

NO_MAC = b"\x02\x00\x00\x00\x00\x00"
"""Stands for a MAC that nobody told: locally administered, and no VM's (RFC 7042 section 2.1)."""

CHECKED = 1
SEGMENTS = 2
_FLAGS = 64
_PLACES = 4096  # remembered ways; more than that are forgotten all at once


class Place:
    """A pair of ports that frames use, with one origin for each kind of packet."""

    __slots__ = (
        "egress",
        "from_uplink",
        "header4",
        "header6",
        "indev",
        "name",
        "origins",
        "outdev",
        "source",
        "source_mac",
        "target",
        "target_mac",
        "to_uplink",
        "vlan",
    )

    def __init__(self, ports: PortMap, indev: int, outdev: int, vlan: int) -> None:
        """Look up both devices; 0 is a device that nobody named."""
        self.indev: int = indev
        self.outdev: int = outdev
        self.vlan: int = vlan
        self.source: Port | None = ports.find(indev, vlan)
        self.target: Port | None = ports.find(outdev, vlan)
        self.name: str | None = self.source.name if self.source is not None else None
        self.egress: str | None = self.target.name if self.target is not None else None
        self.source_mac: bytes = _mac(self.source)
        self.target_mac: bytes = _mac(self.target)
        self.header4: bytes = self.target_mac + self.source_mac + b"\x08\x00"
        self.header6: bytes = self.target_mac + self.source_mac + b"\x86\xdd"
        self.from_uplink: bool = self.source is not None and self.source.interface is None
        self.to_uplink: bool = self.target is not None and self.target.interface is None
        self.origins: list[Origin | None] = [None] * _FLAGS

    def origin(self, mark: int, info: int) -> Origin:
        """Give the origin of a packet with this mark; ``info`` is ``CHECKED``, ``SEGMENTS``, both or 0."""
        index = (mark >> 3 & 33) | (mark >> 4 & 6) | info << 3
        found = self.origins[index]
        if found is None:
            found = self.origins[index] = self.make(mark, info)
        return found

    def make(self, mark: int, info: int) -> Origin:
        """Make an origin of its own for a packet, which the caller may change."""
        source, target = self.source, self.target
        origin = Origin(
            source.interface if source is not None else None,
            target.interface if target is not None else None,
            _zone(source, target),
            REVERSE if mark & REPLY else ORIGINAL,
        )
        origin.known = bool(mark & KNOWN)
        origin.related = bool(mark & RELATED)
        origin.copy = self.outdev if mark & GROUP else 0
        origin.checked = bool(info & CHECKED)
        origin.segments = bool(info & SEGMENTS)
        origin.unmapped = _unmapped(source) or (self.outdev != 0 and _unmapped(target))
        return origin


class Places:
    """The ways that frames used lately, each looked up once; the last two are at hand: there and back."""

    __slots__ = ("_before", "_known", "_last", "_ports")

    def __init__(self, ports: PortMap) -> None:
        """Use these ports."""
        self._ports: PortMap = ports
        self._known: dict[tuple[int, int, int], Place] = {}
        self._last: Place = Place(ports, 0, 0, NO_VLAN)
        self._before: Place = self._last

    def find(self, indev: int, outdev: int, vlan: int) -> Place:
        """Give the way from one device to the other."""
        last = self._last
        if last.indev == indev and last.outdev == outdev and last.vlan == vlan:
            return last
        self._last, self._before = self._before, last
        last = self._last
        if last.indev == indev and last.outdev == outdev and last.vlan == vlan:
            return last
        key = (indev, outdev, vlan)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _PLACES:
                self._known.clear()
            found = self._known[key] = Place(self._ports, indev, outdev, vlan)
        self._last = found
        return found


def _mac(port: Port | None) -> bytes:
    mac = port.interface.mac if port is not None and port.interface is not None else NO_MAC
    return mac if len(mac) == 6 else NO_MAC


def _unmapped(port: Port | None) -> bool:
    return port is None or (port.interface is None and not port.uplink)


def _zone(source: Port | None, target: Port | None) -> int:
    """Give the segment: both ports are in the same one, and the one that is known tells it."""
    if source is not None:
        return source.zone
    return target.zone if target is not None else 0


def group_mac(data: bytearray, at: int, version: int) -> bytes | None:
    """Give the MAC of the group that an IP packet is for, None if it is for one receiver.

    ``at`` is where the IP header begins, which must be there as a whole. Groups of
    IPv4: RFC 1112 section 6.4, of IPv6: RFC 2464 section 7; the limited broadcast: RFC 919 section 7.
    """
    if version == 6:
        return b"\x33\x33" + bytes(data[at + 36 : at + 40]) if data[at + 24] == 0xFF else None
    first = data[at + 16]
    if first == 0xFF and data[at + 17 : at + 20] == b"\xff\xff\xff":
        return BROADCAST
    if first & 0xF0 == 0xE0:
        return b"\x01\x00\x5e" + bytes((data[at + 17] & 0x7F, data[at + 18], data[at + 19]))
    return None


BROADCAST = b"\xff\xff\xff\xff\xff\xff"
