"""Rules without a pattern, by the shape of a packet: ports, flags and options say which can match at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.matchers import FlagMatcher, OptionMatcher, SameAddress
from appliance.detect.packetkeys import tcp_flags

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.detect.matchers import Matcher
    from appliance.detect.prefilter import PacketGroup
    from appliance.detect.signature import Signature
    from appliance.model.packet import Packet

_PORTS = 1 << 16
# Shapes remembered; senders choose ports and flags, so that the memory starts anew beyond that.
MAX_SHAPES = 4096


class Shapes:
    """What one :class:`PacketGroup` has for packets of each shape, found once and remembered.

    A shape is all that the answer depends on, so that two packets of one shape have the same answer: ports
    as far as rules name them, IP version, TCP flags, whether the packet is a fragment, has IP options, or has
    one address as source and destination.
    """

    __slots__ = ("_destinations", "_group", "_known", "_last", "_last_key", "_signatures", "_sources")

    def __init__(self, group: PacketGroup, signatures: list[Signature]) -> None:
        """Look at the rules of ``group``, which are numbers in ``signatures``."""
        self._group = group
        self._signatures = signatures
        self._known: dict[int, tuple[Signature, ...]] = {}
        # The shape asked for last, and its rules: most packets of a connection have the same.
        self._last_key: int = -1
        self._last: tuple[Signature, ...] = ()
        sources: set[int] = set()
        destinations: set[int] = set()
        for index in (group.ports, group.stream_ports):
            source, destination = index.named()
            sources |= source
            destinations |= destination
        self._sources: bytes = _table(sources)
        self._destinations: bytes = _table(destinations)

    def find(self, ctx: Context, packet: Packet, own: bool, stream: bool) -> tuple[Signature, ...]:
        """Give the rules to try on the packet in ``ctx``, in the order of their evaluation.

        ``own`` asks for those on the packet, ``stream`` for those on the bytes that it brought to its stream.
        """
        key = self._key(packet, own, stream)
        if key == self._last_key:
            return self._last
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_SHAPES:
                self._known.clear()
            found = self._known[key] = self._choose(ctx, packet, own, stream)
        self._last_key, self._last = key, found
        return found

    def _key(self, packet: Packet, own: bool, stream: bool) -> int:
        """Write the shape of a packet as a number."""
        sport, dport = packet.sport & 0xFFFF, packet.dport & 0xFFFF
        key = packet.tcp_flags & 0xFFF
        key = key << 1 | (1 if own else 0)
        key = key << 1 | (1 if stream else 0)
        key = key << 1 | (1 if packet.ip_version == 4 else 0)
        key = key << 1 | (1 if packet.ip_opts else 0)
        key = key << 1 | (1 if packet.more_frags or packet.frag_off > 0 else 0)
        key = key << 1 | (1 if packet.src == packet.dst else 0)
        key = key << 17 | (sport if self._sources and self._sources[sport] else _PORTS)
        return key << 17 | (dport if self._destinations and self._destinations[dport] else _PORTS)

    def _choose(self, ctx: Context, packet: Packet, own: bool, stream: bool) -> tuple[Signature, ...]:
        """Find the rules for the shape of this packet."""
        places: set[int] = set()
        if own:
            self._group.ports.lookup(packet.sport, packet.dport, places)
        if stream:
            self._group.stream_ports.lookup(packet.sport, packet.dport, places)
        found = [self._signatures[place] for place in places]
        return tuple(sorted((one for one in found if _possible(one, ctx, packet)), key=_rank))


def _table(ports: set[int]) -> bytes:
    """Make a table of ports; none at all for no ports."""
    if not ports:
        return b""
    table = bytearray(_PORTS)
    for port in ports:
        table[port] = 1
    return bytes(table)


def _possible(signature: Signature, ctx: Context, packet: Packet) -> bool:
    """Tell whether a rule can match any packet of this one's shape."""
    version = signature.header.version
    if version and packet.ip_version != version:
        return False
    return not any(_excludes(matcher, ctx, packet) for matcher in signature.matchers)


def _excludes(matcher: Matcher, ctx: Context, packet: Packet) -> bool:
    """Tell whether the shape alone fails a condition."""
    if isinstance(matcher, OptionMatcher):
        return not packet.ip_opts
    if isinstance(matcher, SameAddress):
        return packet.src != packet.dst
    if isinstance(matcher, FlagMatcher) and matcher.getter is tcp_flags:
        return not matcher.match(ctx)
    return False


def _rank(signature: Signature) -> int:
    return signature.rank
