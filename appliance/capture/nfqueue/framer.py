"""From a message of the queue to a whole Ethernet frame with its origin."""

from __future__ import annotations

from typing import Final

import cython

from appliance.capture.frame import Frame
from appliance.capture.neighbours import Neighbours
from appliance.capture.nfqueue import numbers as nl
from appliance.capture.nfqueue.message import Message
from appliance.capture.place import BROADCAST, NO_MAC, Place, Places, group_mac
from appliance.inventory.ports import NO_VLAN, PortMap
from appliance.model.mark import GROUP

LINKTYPE_ETHERNET: Final = 1
_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_GROUP: Final = GROUP
_PADDING: Final = 40 + 0xFFFF - nl.ATTRIBUTE_ROOM  # of the largest packet of IPv6 that is no jumbogram
_SKEW: Final = 10_000_000_000  # a stamp further off is another clock's (a send time), not that of receiving


class Framer:
    """Makes frames. ``truncated`` counts those that lack bytes."""

    __slots__ = ("_neighbours", "_places", "truncated")

    def __init__(self, ports: PortMap) -> None:
        """Use these ports."""
        self._places: Places = Places(ports)
        self._neighbours: Neighbours = Neighbours()
        self.truncated: int = 0

    def swap(self, ports: PortMap) -> None:
        """Use other ports from now on."""
        self._places = Places(ports)

    def frame(
        self, data: bytearray, view: memoryview, message: Message, now: int, number: int, token: int
    ) -> Frame:
        """Give the frame of ``message``, which was read from ``data``; ``view`` is a view of the same buffer.

        Where the kernel tells the link layer's header it is taken as it is, and the tag put back. Where it
        does not (br_netfilter) the header is made: the source's MAC is told, the receiver's is that of the
        interface behind the outgoing port, or that of the group the packet is for, or, behind an uplink, the
        one that its address was last seen with, else ``NO_MAC``.
        """
        vlan = message.vlan_tci & 0xFFF if message.vlan_tci > 0 else 0
        indev = message.physindev or message.indev
        outdev = message.physoutdev or message.outdev
        place = self._places.find(indev, outdev, vlan or NO_VLAN)
        header = _header(data, message, place, self._neighbours)
        start = message.payload_off
        size = message.payload_len
        if message.cap_len > size:
            return self._cut(header + view[start : start + size], message, place, now, number, token)
        made = Frame.__new__(Frame)  # its fields one by one: calling it makes objects of all numbers
        made.data = _joined(data, header, start, start + size)
        made.linktype = LINKTYPE_ETHERNET
        made.now = _stamp(message, now)
        made.wirelen = len(header) + size
        made.number = number
        made.interface = place.name
        made.token = token
        made.origin = place.origin(message.mark, _checked(message.info))
        made.egress = place.egress
        return made

    def _cut(self, data: bytes, message: Message, place: Place, now: int, number: int, token: int) -> Frame:
        """Make the frame of a packet that is larger than an attribute: a few zeros stand for its end."""
        self.truncated += 1
        missing = message.cap_len - message.payload_len
        wirelen = len(data) + missing
        if missing <= _PADDING:
            data += bytes(missing)
        origin = place.make(message.mark, 1 | _checked(message.info))
        origin.unseen = missing
        stamp = _stamp(message, now)
        return Frame(data, LINKTYPE_ETHERNET, stamp, wirelen, number, place.name, token, origin, place.egress)


def _joined(data: bytearray, header: bytes, start: int, stop: int) -> bytes:
    """Give ``header`` and the bytes of ``data`` from ``start`` to ``stop`` as one.

    The header is written in front of them, over attributes that have been read, so that there is one copy.
    """
    size = len(header)
    first = start - size
    if first < 0 or stop < start or stop > len(data):
        return header + bytes(data[start:stop])
    base = data  # a pointer when compiled: bounds are checked above
    for i in range(size):
        base[first + i] = header[i]
    return base[first:stop] if cython.compiled else bytes(data[first:stop])  # type: ignore[return-value]


def _checked(info: int) -> int:
    """Say of checksums what ``Place.origin`` wants to know: 1 for right, 2 for a packet still to be cut."""
    if info & 2:
        return 3
    return 0 if info & 4 else 1


def _stamp(message: Message, now: int) -> int:
    """Give the kernel's time of receiving in ns if it noted one that can be, else ``now``."""
    if message.seconds == 0:
        return now
    stamp = message.seconds * 1_000_000_000 + message.micros * 1000
    return stamp if now - _SKEW < stamp <= now else now


def _header(data: bytearray, message: Message, place: Place, neighbours: Neighbours) -> bytes:
    if message.l2_len >= 14:
        return _told(data, message)
    kind = message.hw_protocol
    source = place.source_mac
    if message.hw_len == 6 and not _same(data, message.hw_off, source):
        source = bytes(data[message.hw_off : message.hw_off + 6])
        if place.from_uplink:
            neighbours.learn(place.indev, _address(data, message, 0), source)
    target = _target(data, message, place)
    if place.to_uplink and target is place.target_mac:
        target = neighbours.find(place.outdev, _address(data, message, 1)) or target
    tagged = message.vlan_tci >= 0
    if not tagged and source is place.source_mac and target is place.target_mac:
        if kind == _IPV4:
            return place.header4
        if kind == _IPV6:
            return place.header6
    return target + source + (_tag(message) if tagged else b"") + kind.to_bytes(2, "big")


def _same(data: bytearray, at: int, mac: bytes) -> bool:
    for i in range(6):  # noqa: SIM110 - compiled, this is a loop in C; a generator is not
        if data[at + i] != mac[i]:
            return False
    return True


def _address(data: bytearray, message: Message, end: int) -> bytes:
    """Give the packet's source (0) or destination (1), empty if it is not IP."""
    at = message.payload_off
    if message.hw_protocol == _IPV4 and message.payload_len >= 20:
        return bytes(data[at + 12 + 4 * end : at + 16 + 4 * end])
    if message.hw_protocol == _IPV6 and message.payload_len >= 40:
        return bytes(data[at + 8 + 16 * end : at + 24 + 16 * end])
    return b""


def _told(data: bytearray, message: Message) -> bytes:
    header = bytes(data[message.l2_off : message.l2_off + message.l2_len])
    if message.vlan_tci < 0:
        return header
    return header[:12] + _tag(message) + header[12:]


def _tag(message: Message) -> bytes:
    return message.vlan_proto.to_bytes(2, "big") + message.vlan_tci.to_bytes(2, "big")


def _target(data: bytearray, message: Message, place: Place) -> bytes:
    """Give the MAC that the frame was most likely sent to."""
    at = message.payload_off
    group = None
    if message.hw_protocol == _IPV4 and message.payload_len >= 20 and data[at + 16] >= 0xE0:
        group = group_mac(data, at, 4)
    elif message.hw_protocol == _IPV6 and message.payload_len >= 40 and data[at + 24] == 0xFF:
        group = group_mac(data, at, 6)
    if group is not None:
        return group
    return BROADCAST if message.mark & _GROUP else place.target_mac


__all__ = ["LINKTYPE_ETHERNET", "NO_MAC", "Framer"]
