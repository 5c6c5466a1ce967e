"""What makes two packets belong to one flow, as one bytes key that both directions share.

Keys are bytes because Python hashes bytes with a secret: nobody on the wire can choose addresses
and ports whose keys collide, as would be possible with integers.
"""

from __future__ import annotations

from appliance.model.flow import Flow
from appliance.model.packet import (
    PROTO_ESP,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    TOCLIENT,
    TOSERVER,
    Packet,
)
from appliance.model.taken import taken

_NO_COUNTERPART = 0xFFFF
_HEAD = 11  # protocol, depth, length of the part that varies, two ports, tenant
_ROOM = 96  # where keys are put together: two addresses, and more tags than packets have
_MAX_CACHED = 8192

# The answer to each ICMP question, and the reverse (RFC 792, 950, 1256).
_PAIRS_V4 = {0: 8, 8: 0, 9: 10, 10: 9, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
# The same for ICMPv6 (RFC 4443, 2710, 4861, 4620, 6275).
_PAIRS_V6 = {128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135} | {
    139: 140,
    140: 139,
    144: 145,
    145: 144,
    146: 147,
    147: 146,
}
_COUNTERPARTS_V4 = [_PAIRS_V4.get(kind, -1) for kind in range(256)]
_COUNTERPARTS_V6 = [_PAIRS_V6.get(kind, -1) for kind in range(256)]
_ICMP_ERRORS = frozenset((3, 4, 5, 11, 12))  # RFC 792: they speak of another packet


def counterpart(proto: int, kind: int) -> int:
    """Give the ICMP type that answers ``kind``, or that ``kind`` answers; -1 when there is none."""
    table = _COUNTERPARTS_V4 if proto == PROTO_ICMP else _COUNTERPARTS_V6
    return table[kind & 0xFF]


def icmp_ports(proto: int, kind: int, code: int) -> int:
    """Give what stands for ports in the key of an ICMP packet: the sender's << 16 | the receiver's.

    Question and answer mirror each other. The code counts only where there is no answer, since some
    hosts answer with a code of their own.
    """
    answer = counterpart(proto, kind)
    if answer < 0:
        return (((kind & 0xFF) | (code & 0xFF) << 8) << 16) | _NO_COUNTERPART
    return (kind & 0xFF) << 16 | answer


def trackable(packet: Packet) -> bool:
    """Tell whether the packet may open a flow: it is IP and not an ICMPv4 error about another packet."""
    if not packet.src or not packet.dst or packet.proto < 0:
        return False
    return packet.proto != PROTO_ICMP or packet.icmp_type not in _ICMP_ERRORS


def esp_spi(packet: Packet) -> int:
    """Give the security parameters index of an ESP packet (RFC 4303), 0 when it is cut off."""
    spi = packet.frame[packet.l4_off : packet.l4_off + 4]
    return int.from_bytes(spi, "big") if len(spi) == 4 else 0


def direction_of(flow: Flow, packet: Packet) -> int:
    """Give the direction of a packet that is known to belong to ``flow``."""
    if packet.src != flow.client or packet.dst != flow.server:
        return TOCLIENT
    if flow.client != flow.server:
        return TOSERVER
    # A host that talks to itself: only ports tell the ends apart.
    if flow.proto in (PROTO_ICMP, PROTO_ICMPV6):
        return TOSERVER if packet.icmp_type == flow.icmp_type else TOCLIENT
    return TOSERVER if packet.sport == flow.cport else TOCLIENT


def flow_id(key: bytes, now: int, number: int) -> int:
    """Give a flow its number: positive, 53 bits, the same whenever the same capture is read.

    Args:
        key: The flow's key.
        now: Time of its first packet, nanoseconds.
        number: Number of its first packet in the capture.
    """
    # Two 32-bit multiplicative hashes side by side, so that no product exceeds 64 bits.
    mask, left, right = 0xFFFFFFFF, 0x811C9DC5, 0x9E3779B9
    factor, other = 0x9E3779B1, 0xC2B2AE35
    for byte in key:
        left = ((left ^ byte) * factor) & mask
        left ^= left >> 15
        right = ((right ^ byte) * other) & mask
        right ^= right >> 13
    for step in range(3):
        word = (number if step == 2 else now >> 32 * step) & mask
        left = ((left ^ word) * factor) & mask
        left ^= left >> 15
        right = ((right ^ word) * other) & mask
        right ^= right >> 16
    return ((left & 0x1FFFFF) << 32 | right) or 1


def place_tag(place: int) -> bytes:
    """Give the part of a key that names a place; its length is odd, so it is no VLAN id and no SPI."""
    return b"@" + place.to_bytes(8, "big")


def _put(room: bytearray, at: int, data: bytes) -> int:
    """Write ``data`` at a place, as far as there is room; gives the place behind it."""
    size = len(data)
    if at + size <= _ROOM:
        target, source = room, data  # pointers when compiled: bounds are checked above
        for i in range(size):
            target[at + i] = source[i]
    return at + size


class KeyMaker:
    """Makes keys as the settings say, and keeps one copy of what many flows share.

    ``vlan_in_key`` and ``depth_in_key`` tell whether VLAN ids and tunnel depth separate flows.
    """

    __slots__ = ("depth_in_key", "head", "macs", "place", "placed", "tags", "vlan_in_key", "vlans")

    def __init__(self, vlan_in_key: bool, depth_in_key: bool) -> None:
        """Start with empty caches."""
        self.vlan_in_key: bool = vlan_in_key
        self.depth_in_key: bool = depth_in_key
        self.head: bytearray = bytearray(_ROOM)
        self.place: int = 0  # the last one, as most packets are of the same
        self.placed: bytes = place_tag(0)
        self.tags: dict[tuple[int, ...], bytes] = {}
        self.vlans: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.macs: dict[bytes, bytes] = {}

    def same(self, other: KeyMaker) -> bool:
        """Tell whether another makes the same keys."""
        return self.vlan_in_key == other.vlan_in_key and self.depth_in_key == other.depth_in_key

    def of_packet(self, packet: Packet) -> bytes:
        """Give the key of the flow that ``packet`` belongs to."""
        proto = packet.proto
        sport, dport = packet.sport, packet.dport
        extra = b""
        if proto in (PROTO_TCP, PROTO_UDP, PROTO_SCTP):
            pass
        elif proto in (PROTO_ICMP, PROTO_ICMPV6):
            both = icmp_ports(proto, packet.icmp_type, packet.icmp_code)
            sport, dport = both >> 16, both & 0xFFFF
        else:
            sport = dport = 0
            if proto == PROTO_ESP:
                extra = esp_spi(packet).to_bytes(4, "big")
        return self.make(proto, packet.src, packet.dst, sport, dport, packet, extra)

    def of_flow(self, flow: Flow) -> bytes:
        """Give the key of a flow from its own fields."""
        sport, dport = flow.cport, flow.sport
        extra = b""
        if flow.proto in (PROTO_ICMP, PROTO_ICMPV6):
            both = icmp_ports(flow.proto, flow.icmp_type, flow.icmp_code)
            sport, dport = both >> 16, both & 0xFFFF
        elif flow.proto == PROTO_ESP:
            extra = flow.spi.to_bytes(4, "big")
        tags = self.tag(flow.vlans) + extra
        if flow.place:
            tags += self.place_of(flow.place)
        return self.join(flow.proto, flow.client, flow.server, sport, dport, flow.depth, flow.tenant, tags)

    def make(
        self, proto: int, src: bytes, dst: bytes, sport: int, dport: int, context: Packet, extra: bytes
    ) -> bytes:
        """Give the key of a tuple that is seen where ``context`` is: same VLANs, depth, tenant and place.

        ``extra`` holds what a protocol has besides ports. For ICMP the ports are those of :func:`icmp_ports`.
        """
        tags = self.tag(context.vlans) + extra if context.vlans else extra
        if context.place:
            tags += self.place_of(context.place)
        return self.join(proto, src, dst, sport, dport, context.depth, context.tenant, tags)

    def join(
        self, proto: int, src: bytes, dst: bytes, sport: int, dport: int, depth: int, tenant: int, tags: bytes
    ) -> bytes:
        """Put a key together; the end that sorts first comes first."""
        if src > dst or (sport > dport and src == dst):
            src, dst = dst, src
            sport, dport = dport, sport
        room = self.head
        head = room  # a pointer when compiled, to more than what is written here
        head[0] = proto & 0xFF
        head[1] = depth & 0xFF if self.depth_in_key else 0
        head[2] = len(tags) & 0xFF
        head[3] = (sport >> 8) & 0xFF
        head[4] = sport & 0xFF
        head[5] = (dport >> 8) & 0xFF
        head[6] = dport & 0xFF
        head[7] = (tenant >> 24) & 0xFF
        head[8] = (tenant >> 16) & 0xFF
        head[9] = (tenant >> 8) & 0xFF
        head[10] = tenant & 0xFF
        end = _put(room, _put(room, _put(room, _HEAD, tags), src), dst)
        if end > _ROOM:
            return b"".join((taken(room, _HEAD), tags, src, dst))
        return taken(room, end)

    def place_of(self, place: int) -> bytes:
        """Give :func:`place_tag` of a place."""
        if place != self.place:
            self.place, self.placed = place, place_tag(place)
        return self.placed

    def tag(self, vlans: tuple[int, ...]) -> bytes:
        """Give the part of the key that VLAN ids make up."""
        if not vlans or not self.vlan_in_key:
            return b""
        tag = self.tags.get(vlans)
        if tag is None:
            tag = b"".join([(vlan & 0xFFFF).to_bytes(2, "big") for vlan in vlans])
            if len(self.tags) >= _MAX_CACHED:
                self.tags.clear()
            self.tags[vlans] = tag
        return tag

    def shared_vlans(self, vlans: tuple[int, ...]) -> tuple[int, ...]:
        """Give an equal tuple that other flows hold too."""
        if not vlans:
            return ()
        known = self.vlans.get(vlans)
        if known is None:
            if len(self.vlans) >= _MAX_CACHED:
                self.vlans.clear()
            self.vlans[vlans] = known = vlans
        return known

    def shared_mac(self, mac: bytes) -> bytes:
        """Give an equal address that other flows hold too."""
        known = self.macs.get(mac)
        if known is None:
            if len(self.macs) >= _MAX_CACHED:
                self.macs.clear()
            self.macs[mac] = known = mac
        return known
