"""Packets and flows that belong to another flow: ICMP errors, and connections agreed on in advance."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from appliance.config.settings import SECOND, FlowSettings
from appliance.flow.table import FlowTable
from appliance.model.flow import F_DROPPED, Flow
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_UDP, TOCLIENT, TOSERVER, Packet

# (protocol, source, destination, source port, destination port) of the packet that an error quotes.
# ICMP has type << 8 | code in the place of the source port.
Quoted = tuple[int, bytes, bytes, int, int]

_UNREACHABLE = 3
# Connections that one flow may have announced and not yet opened.
_PER_PARENT = 64
# How long an announced connection is awaited when nothing else is said.
TTL = 60 * SECOND


def related_flow(table: FlowTable, packet: Packet, quoted: Quoted | None) -> Flow | None:
    """Find the flow that an ICMP error is about, from the packet it quotes.

    An error travels against the quoted packet, and must go to the host that sent it: one that goes
    elsewhere is about no flow of ours. ``packet.direction`` is set for every error that is matched.
    ``packet.flow`` is set for ICMPv4 "destination unreachable" only: Suricata counts these
    among the flow's packets, and knows no flow for other errors.
    """
    if quoted is None:
        return None
    proto, src, dst, sport, dport = quoted
    if packet.dst != src:
        return None
    if proto in (PROTO_ICMP, PROTO_ICMPV6):
        sport, dport = sport >> 8, sport & 0xFF
    flow = table.find(proto, src, dst, sport, dport, packet)
    if flow is None:
        return None
    packet.direction = TOCLIENT if _from_client(flow, quoted) else TOSERVER
    if packet.proto == PROTO_ICMP and packet.icmp_type == _UNREACHABLE:
        packet.flow = flow
    return flow


def _from_client(flow: Flow, quoted: Quoted) -> bool:
    """Tell whether the client sent the quoted packet."""
    proto, src, _, sport, _ = quoted
    if src != flow.client:
        return False
    if flow.client != flow.server:
        return True
    return (sport >> 8 == flow.icmp_type) if proto in (PROTO_ICMP, PROTO_ICMPV6) else sport == flow.cport


class Expectation:
    """A connection that ``parent`` announced: to ``server`` and ``port``, from ``client`` or anywhere (b"").

    ``kind`` names the protocol that it will speak; ``carried`` is what the parent's
    parser hands to the parser of the new connection.
    """

    __slots__ = ("client", "due", "key", "kind", "parent", "port", "proto", "server", "carried")

    def __init__(self, key: _Key, parent: Flow, kind: str, due: int, carried: Any) -> None:
        """Announce a connection that is awaited until ``due``, nanoseconds."""
        self.key = key
        self.proto, self.server, self.port, self.client = key[:4]
        self.parent = parent
        self.kind = kind
        self.due = due
        self.carried = carried


_Key = tuple[int, bytes, int, bytes, int]


def _network(flow: Flow) -> int:
    """Number the network that a flow is in: tenant and place."""
    return flow.place << 31 | flow.tenant


class Expectations:
    """Announced connections, each good for one flow; bounded, the oldest make room.

    One flow can have 64 open announcements; its own oldest then makes room, so that no
    connection can push out what others announced.
    """

    __slots__ = ("counters", "entries", "maximum", "parents")

    def __init__(self, settings: FlowSettings) -> None:
        """Start empty, bounded by ``settings.max_expectations``."""
        self.maximum = max(1, settings.max_expectations)
        self.entries: OrderedDict[_Key, Expectation] = OrderedDict()
        self.parents: dict[int, OrderedDict[_Key, None]] = {}
        self.counters = dict.fromkeys(("announced", "matched", "evicted", "timeout", "refused"), 0)

    def __len__(self) -> int:
        """Number of announced connections."""
        return len(self.entries)

    def adopt(self, old: Expectations) -> None:
        """Take over the announcements of another table, which is not used any more."""
        self.entries, self.parents, self.counters = old.entries, old.parents, old.counters

    def expect(
        self,
        server: bytes,
        port: int,
        proto: int,
        parent: Flow,
        kind: str,
        carried: Any,
        now: int,
        ttl: int = TTL,
        client: bytes | None = None,
    ) -> bool:
        """Await a connection to ``server`` and ``port`` for ``ttl`` nanoseconds.

        Args:
            server: Address, 4 or 16 bytes.
            port: 1 to 65535.
            proto: IP protocol number.
            parent: The flow that announced it. If that was announced itself, its own parent stands in
                for it: a chain of flows could keep any number of them alive.
            kind: Protocol to be spoken ("ftp-data").
            carried: Handed to the new connection's parser.
            now: Time, nanoseconds.
            ttl: How long to wait.
            client: Who will connect; None for anybody.

        Returns:
            False when the address or the port is none; the announcement is then ignored.
        """
        if len(server) not in (4, 16) or not 0 < port <= 0xFFFF:
            self.counters["refused"] += 1
            return False
        self.expire(now)
        parent = parent.parent or parent
        key = (proto, server, port, client or b"", _network(parent))
        self._remove(key)
        siblings = self.parents.setdefault(parent.id, OrderedDict())
        if len(siblings) >= _PER_PARENT:
            self._evict(next(iter(siblings)))
        elif len(self.entries) >= self.maximum:
            self._evict(next(iter(self.entries)))
        self.entries[key] = Expectation(key, parent, kind, now + ttl, carried)
        self.parents.setdefault(parent.id, siblings)[key] = None
        self.counters["announced"] += 1
        return True

    def match(self, flow: Flow, now: int) -> Expectation | None:
        """Find out whether a new flow was announced; sets ``flow.parent`` and uses the announcement up.

        A UDP flow is matched from either end, since either may speak first. Announcements of a
        flow that has been dropped meanwhile count for nothing.
        """
        if not self.entries:
            return None
        found = self._find(flow.proto, flow.server, flow.sport, flow.client, _network(flow))
        if found is None and flow.proto == PROTO_UDP:
            found = self._find(flow.proto, flow.client, flow.cport, flow.server, _network(flow))
        if found is None or found.parent is flow:
            return None
        self._remove(found.key)
        if now >= found.due:
            self.counters["timeout"] += 1
            return None
        if found.parent.flags & F_DROPPED:
            self.counters["refused"] += 1
            return None
        flow.parent = found.parent
        self.counters["matched"] += 1
        return found

    def expire(self, now: int) -> int:
        """Forget announcements whose time is over, from the oldest on; gives how many those were."""
        gone = 0
        while self.entries:
            key, oldest = next(iter(self.entries.items()))
            if now < oldest.due:
                break
            self._remove(key)
            gone += 1
        self.counters["timeout"] += gone
        return gone

    def _find(self, proto: int, server: bytes, port: int, client: bytes, network: int) -> Expectation | None:
        found = self.entries.get((proto, server, port, client, network))
        return found if found is not None else self.entries.get((proto, server, port, b"", network))

    def _evict(self, key: _Key) -> None:
        self._remove(key)
        self.counters["evicted"] += 1

    def _remove(self, key: _Key) -> None:
        entry = self.entries.pop(key, None)
        if entry is None:
            return
        siblings = self.parents.get(entry.parent.id)
        if siblings is not None:
            siblings.pop(key, None)
            if not siblings:
                del self.parents[entry.parent.id]
