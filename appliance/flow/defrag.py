"""IP reassembly: fragments in, whole datagrams out (RFC 791, RFC 8200 section 4.5).

Overlaps are settled as the receiver would settle them (:mod:`appliance.flow.overlap`). RFC 5722
wants IPv6 datagrams with overlaps discarded; they are put together here all the same and reported,
because receivers that do not discard them exist.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from appliance.config.settings import DefragSettings
from appliance.flow.networks import Networks
from appliance.flow.overlap import Keeps, Pieces, policy
from appliance.model.packet import Packet

_MAX_IP = 65_535
_IPV4_HEADER = 20
_IPV6_HEADER = 40
# What a fragment takes besides its bytes, as it counts towards max_bytes.
_OVERHEAD = 128

Key = tuple[object, ...]


class Defragged:
    """A whole datagram: ``data`` from the IP header on, of which nothing says "fragment" any more.

    ``fragments`` is how many pieces came in, ``first_number`` the number of the first packet of them.
    """

    __slots__ = ("data", "first_number", "fragments", "ip_version")

    def __init__(self, data: bytes, ip_version: int, fragments: int, first_number: int) -> None:
        """Wrap a datagram."""
        self.data = data
        self.ip_version = ip_version
        self.fragments = fragments
        self.first_number = first_number


class _Datagram:
    """One datagram in the making.

    ``head`` is the header of the fragment whose byte 0 is kept: for IPv4 the header itself, for IPv6 the
    unfragmentable part with the fragment header left out. ``total`` is the length that the last
    fragment gave, -1 before it came. ``weight`` is what counts towards max_bytes.
    """

    __slots__ = ("first_number", "fragments", "head", "keeps", "last", "pieces", "timeout", "total", "weight")

    def __init__(self, keeps: Keeps, timeout: int, first_number: int) -> None:
        self.keeps = keeps
        self.timeout = timeout
        self.first_number = first_number
        self.pieces = Pieces()
        self.head = b""
        self.total = -1
        self.last = 0
        self.fragments = 0
        self.weight = 0

    def add(self, packet: Packet, start: int, data: bytes) -> bool:
        """Take a fragment in; tells whether it overlapped what was there."""
        self.fragments += 1
        before = self.pieces.held
        if not packet.more_frags:
            self.total = max(self.total, start + len(data))
        overlap = False
        if data:
            if start == 0 and self._takes_head(len(data)):
                self.head = _head4(packet) if packet.ip_version == 4 else _head6(packet)
            overlap = self.pieces.insert(start, data, self.keeps)
        self.weight += self.pieces.held - before + _OVERHEAD
        return overlap

    def complete(self) -> bool:
        """Tell whether no byte is missing."""
        return self.total >= 0 and self.pieces.whole and self.pieces.end >= self.total

    def _takes_head(self, length: int) -> bool:
        pieces = self.pieces
        if not pieces.starts or pieces.starts[0] != 0:
            return True
        return not self.keeps(0, length, 0, len(pieces.data[0]))


class Defragmenter:
    """Puts fragments together; bounded in datagrams, in pieces of each, and in bytes of all.

    The datagram longest without a fragment is given up for another. A fragment beyond the pieces
    allowed, or for which no room can be made, is ignored and noted as ``frag_ignored``.
    ``counters`` tells how often each happened.
    """

    __slots__ = ("bytes", "counters", "datagrams", "policy_for", "settings", "timeouts")

    def __init__(self, settings: DefragSettings, policy_for: Callable[[bytes], str]) -> None:
        """Make an empty reassembler.

        Args:
            settings: Its bounds and timeouts.
            policy_for: Gives the host-os-policy name for a receiver's address ("" when not known).
        """
        self.settings = settings
        self.policy_for = policy_for
        self.timeouts = Networks(settings.host_timeouts, settings.timeout)
        self.datagrams: OrderedDict[Key, _Datagram] = OrderedDict()
        self.bytes = 0
        self.counters = dict.fromkeys(
            ("fragments", "reassembled", "overlap", "too_large", "ignored", "evicted", "timeout"), 0
        )

    def __len__(self) -> int:
        """Number of datagrams in the making."""
        return len(self.datagrams)

    def adopt(self, old: Defragmenter) -> None:
        """Take over the datagrams in the making of another one, which is not used any more."""
        self.datagrams, self.bytes, self.counters = old.datagrams, old.bytes, old.counters

    def add(self, packet: Packet, now: int) -> Defragged | None:
        """Take a fragment; gives the datagram that it completes.

        Notes ``frag_overlap``, ``frag_pkt_too_large``, ``frag_invalid_length`` or ``frag_ignored`` (behind
        "ipv4." or "ipv6.") on the packet. Anything but a fragment is left alone.
        """
        if not packet.is_fragment() or packet.ip_version not in (4, 6):
            return None
        self.counters["fragments"] += 1
        self.expire(now)
        data = packet.payload()
        if not self._fits(packet, len(data)) or (not data and packet.more_frags):
            return None
        key = self._key(packet)
        datagram = self._datagram(key, packet, now)
        if datagram is None:
            return None
        weight = datagram.weight
        if datagram.add(packet, packet.frag_off, data):
            self.counters["overlap"] += 1
            _note(packet, "frag_overlap")
        self.bytes += datagram.weight - weight
        if not datagram.complete():
            return None
        self._forget(key)
        return self._rebuild(datagram, packet)

    def expire(self, now: int) -> int:
        """Give up datagrams that had no fragment for too long; gives how many those were."""
        gone = 0
        while self.datagrams:
            key = next(iter(self.datagrams))
            datagram = self.datagrams[key]
            if now - datagram.last < datagram.timeout:
                break
            self._forget(key)
            gone += 1
        self.counters["timeout"] += gone
        return gone

    def _fits(self, packet: Packet, length: int) -> bool:
        """Check the place that the fragment claims in its datagram."""
        end = packet.frag_off + length
        if (end + _IPV4_HEADER if packet.ip_version == 4 else end) > _MAX_IP:
            self.counters["too_large"] += 1
            _note(packet, "frag_pkt_too_large")
            return False
        if packet.ip_version == 6 and packet.more_frags and length % 8:
            _note(packet, "frag_invalid_length")
        return True

    def _key(self, packet: Packet) -> Key:
        """Name the datagram. The protocol tells IPv4 datagrams apart, but not those of IPv6."""
        vlans = packet.vlans if self.settings.vlan_in_key else ()
        proto = packet.proto if packet.ip_version == 4 else -1
        return packet.src, packet.dst, packet.ip_id, proto, vlans, packet.depth, packet.tenant, packet.place

    def _datagram(self, key: Key, packet: Packet, now: int) -> _Datagram | None:
        """Find or open the datagram, with room for one more fragment; None when there is none."""
        datagram = self.datagrams.get(key)
        if datagram is not None and now - datagram.last >= datagram.timeout:
            self._forget(key)
            self.counters["timeout"] += 1
            datagram = None
        if datagram is None:
            keeps = policy(self.policy_for(packet.dst))
            datagram = _Datagram(keeps, self.timeouts.value(packet.dst), packet.number)
        elif datagram.fragments >= self.settings.max_fragments:
            self._ignore(packet)
            return None
        self.datagrams[key] = datagram
        self.datagrams.move_to_end(key)
        datagram.last = max(datagram.last, now)
        if not self._make_room(key, packet.payload_len + _OVERHEAD):
            self._ignore(packet)
            return None
        return datagram

    def _make_room(self, key: Key, weight: int) -> bool:
        """Give up others until ``weight`` more bytes fit; the newest, ``key``, stays unless it is empty."""
        settings = self.settings
        while len(self.datagrams) > 1 and (
            len(self.datagrams) > settings.max_datagrams or self.bytes + weight > settings.max_bytes
        ):
            self._forget(next(iter(self.datagrams)))
            self.counters["evicted"] += 1
        if len(self.datagrams) <= settings.max_datagrams and self.bytes + weight <= settings.max_bytes:
            return True
        if not self.datagrams[key].fragments:
            self._forget(key)
        return False

    def _ignore(self, packet: Packet) -> None:
        self.counters["ignored"] += 1
        _note(packet, "frag_ignored")

    def _forget(self, key: Key) -> None:
        self.bytes -= self.datagrams.pop(key).weight

    def _rebuild(self, datagram: _Datagram, packet: Packet) -> Defragged | None:
        build = _whole4 if packet.ip_version == 4 else _whole6
        data = build(datagram.head, datagram.pieces.join())
        if data is None:
            self.counters["too_large"] += 1
            _note(packet, "frag_pkt_too_large")
            return None
        self.counters["reassembled"] += 1
        return Defragged(data, packet.ip_version, datagram.fragments, datagram.first_number)


def _note(packet: Packet, name: str) -> None:
    packet.note(("ipv4." if packet.ip_version == 4 else "ipv6.") + name)


def _head4(packet: Packet) -> bytes:
    return packet.frame[packet.ip_off : packet.ip_off + packet.ip_hlen]


def _head6(packet: Packet) -> bytes:
    """Give the unfragmentable part, chained to what follows the fragment header."""
    frame = packet.frame
    head = bytearray(frame[packet.ip_off : packet.frag_hdr])
    chain = packet.frag_prev - packet.ip_off
    if 0 <= chain < len(head) and packet.frag_hdr < len(frame):
        head[chain] = frame[packet.frag_hdr]
    return bytes(head)


def _whole4(head: bytes, payload: bytes) -> bytes | None:
    """Put header and payload together: length, flags, offset and checksum are those of a whole datagram."""
    length = len(head) + len(payload)
    if length > _MAX_IP or len(head) < _IPV4_HEADER:
        return None
    header = bytearray(head)
    header[2:4] = length.to_bytes(2, "big")
    header[6:8] = b"\0\0"
    header[10:12] = b"\0\0"
    header[10:12] = _checksum(header).to_bytes(2, "big")
    return bytes(header) + payload


def _whole6(head: bytes, payload: bytes) -> bytes | None:
    """Put the unfragmentable part and the payload together, with the payload length of both."""
    length = len(head) - _IPV6_HEADER + len(payload)
    if length > _MAX_IP or len(head) < _IPV6_HEADER:
        return None
    return head[:4] + length.to_bytes(2, "big") + head[6:] + payload


def _checksum(header: bytearray) -> int:
    """Give the checksum of an IPv4 header whose checksum field is 0 (RFC 1071)."""
    total = sum([header[at] << 8 | header[at + 1] for at in range(0, len(header) - 1, 2)])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
