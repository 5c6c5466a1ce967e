"""Where a frame was on the switch, as only an inline source can know it."""

from __future__ import annotations

from appliance.model.identity import VmInterface
from appliance.model.packet import Packet

UNKNOWN = -1
ORIGINAL = 0
REPLY = 1


class Vouched:
    """A sender that was found to be who it says it is: the next packet of the same needs no other look.

    ``by`` is who has looked, an inventory's registry: another one looks again. ``source`` and ``target`` are
    the interfaces that it found.
    """

    __slots__ = ("address", "by", "ethertype", "mac", "source", "target")

    def __init__(self, by: object, packet: Packet) -> None:
        """Keep what ``packet`` says of its sender."""
        self.by: object = by
        self.mac: bytes = packet.eth_src
        self.address: bytes = packet.src
        self.ethertype: int = packet.ethertype
        self.source: VmInterface | None = packet.src_if
        self.target: VmInterface | None = packet.dst_if

    def covers(self, by: object, packet: Packet) -> bool:
        """Tell whether this packet is of the same sender."""
        if self.by is not by or self.ethertype != packet.ethertype:
            return False
        return self.mac == packet.eth_src and self.address == packet.src


class Origin:
    """What the kernel says of one frame, beside its bytes.

    ``source`` and ``target`` are the interfaces behind the ports that the frame came in by and goes out by,
    None for an uplink. ``zone`` numbers the network segment, so that tenants with equal addresses do not mix;
    0 is the only one. ``reply`` is conntrack's direction: ``ORIGINAL``, ``REPLY``, or ``UNKNOWN``. ``known``
    says that the kernel knew the connection before this packet, ``related`` that the packet is about one that
    the kernel knows, which may be another worker's. ``copy`` is 0, or a number of its own for
    each copy of a frame that was sent to many (broadcast, multicast): each is judged for its own receiver.
    ``checked`` says that the transport's checksum is right or is filled in later: do not verify it.
    ``segments`` says that the frame stands for several, which the kernel cuts it into and whose IP headers
    it writes: then the checksum of the IP header means nothing either. ``unmapped`` says that one of the
    two ports is neither an uplink nor known to belong to anybody, so that no policy can be applied: drop
    with ``Reason.UNKNOWN_INTERFACE``. ``unseen`` counts
    the bytes at the end of the packet that the kernel could not hand over, since one netlink attribute holds
    65,531: up to 4 of IPv4, up to 44 of IPv6, more only of jumbograms. The frame has zeros in the place of
    up to 44.

    Frames share origins: they are never changed once the source has made them, but for ``vouched``: the
    sender seen last here, where nothing was wrong with it.
    """

    __slots__ = (
        "checked",
        "copy",
        "known",
        "related",
        "reply",
        "segments",
        "source",
        "target",
        "unmapped",
        "unseen",
        "vouched",
        "zone",
    )

    def __init__(
        self,
        source: VmInterface | None = None,
        target: VmInterface | None = None,
        zone: int = 0,
        reply: int = UNKNOWN,
    ) -> None:
        """Make the origin of a frame; see the class for the meaning."""
        self.source: VmInterface | None = source
        self.target: VmInterface | None = target
        self.zone: int = zone
        self.reply: int = reply
        self.known: bool = False
        self.related: bool = False
        self.copy: int = 0
        self.checked: bool = False
        self.segments: bool = False
        self.unmapped: bool = False
        self.unseen: int = 0
        self.vouched: Vouched | None = None

    @property
    def place(self) -> int:
        """Segment and copy as one number, see ``Packet.place``; 0 for the only copy in the only segment."""
        return place_of(self)


def place_of(origin: Origin) -> int:
    """Give :attr:`Origin.place`, without the cost of a property."""
    zone = origin.zone & 0xFFFF  # 64 bits wide when compiled: the shift must not lose bits
    return zone << 32 | origin.copy & 0xFFFFFFFF
