"""The bounded table of flows: who is talking, since when, and when it is over."""

from __future__ import annotations

from appliance.config.settings import FlowSettings, Timeouts
from appliance.flow.key import KeyMaker, direction_of, esp_spi, flow_id, icmp_ports, trackable
from appliance.flow.queues import FlowQueues
from appliance.model.flow import F_EVICTED, F_SWAPPED, Flow
from appliance.model.identity import VmInterface
from appliance.model.mark import SETTLED
from appliance.model.packet import (
    PROTO_ESP,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    TH_ACK,
    TH_SYN,
    TOCLIENT,
    TOSERVER,
    Packet,
)

# Flow.state, as plain integers for the packet's way (see FlowState).
_NEW, _ESTABLISHED, _CLOSED, _BYPASSED = 0, 1, 2, 3
# Queues are class * 4 + state; behind them that of flows which the kernel lets pass, or drops, by itself.
_TCP, _UDP, _ICMP, _OTHER, _SETTLED = 0, 4, 8, 12, 16
_QUEUES = 17

# A handshake younger than this is not yet a sign of a flood.
_HANDSHAKE = 1_000_000_000
# Flows with a time in the future that one call moves out of the way, for each queue.
_MAX_ROTATE = 64
# Flows that may wait for somebody to log them.
_MAX_ENDED = 65_536

_HALF_OPEN_QUEUES = [_TCP + _NEW]
_NEW_QUEUES = [_TCP + _NEW, _UDP + _NEW, _ICMP + _NEW, _OTHER + _NEW]
_CLOSED_QUEUES = [_TCP + _CLOSED, _UDP + _CLOSED, _ICMP + _CLOSED, _OTHER + _CLOSED]
_SETTLED_QUEUES = [_SETTLED]
_PSEUDO_QUEUES = [_UDP + _ESTABLISHED, _ICMP + _ESTABLISHED, _OTHER + _ESTABLISHED]
_KEPT_QUEUES = [
    _TCP + _ESTABLISHED,
    _TCP + _BYPASSED,
    _UDP + _BYPASSED,
    _ICMP + _BYPASSED,
    _OTHER + _BYPASSED,
]

# What an eviction from each queue counts as.
_BY_STATE = ["evicted_new", "evicted_established", "evicted_closed", "evicted_established"]
_EVICTED = ["evicted_halfopen", *_BY_STATE[1:], *_BY_STATE, *_BY_STATE, *_BY_STATE, "evicted_settled"]
_COUNTERS = (
    *("timeout", "reopened", "full", "unlogged"),
    *("evicted_halfopen", "evicted_new", "evicted_closed", "evicted_settled", "evicted_established"),
)


class FlowTable:
    """Finds and opens flows, counts their packets, and ends them in time.

    Full, it gives up a flow to make room, in this order: the one closed the longest; the oldest TCP
    handshake that is more than a second old; the oldest flow that has seen no answer; the one whose packets
    the kernel passes by itself for the longest; then, when
    idle for ``settings.protect``, the UDP, ICMP or other flow idle the longest, and at last the TCP
    (or bypassed) one. When all are busy it refuses the new flow, so that a flood cannot push out
    connections that are in use. ``counters`` tells how often each happened.

    Flows that end while packets are looked up (evicted, timed out, reopened) wait for :meth:`drain`,
    and come with the next :meth:`expire` or :meth:`flush` otherwise.
    """

    __slots__ = (
        "counters",
        "ended",
        "keys",
        "max_flows",
        "missed",
        "missed_key",
        "protect",
        "queues",
        "table",
        "timeouts",
        "turn",
    )

    def __init__(self, settings: FlowSettings) -> None:
        """Make an empty table bounded by ``settings.max_flows``."""
        self.max_flows: int = max(1, settings.max_flows)
        self.protect: int = settings.protect
        self.keys: KeyMaker = KeyMaker(settings.vlan_in_key, settings.depth_in_key)
        self.timeouts: list[int] = []
        for timeouts in (settings.tcp, settings.udp, settings.icmp, settings.other):
            self.timeouts += _in_order(timeouts)
        self.timeouts.append(settings.settled)
        self.table: dict[bytes, Flow] = {}
        self.queues: FlowQueues = FlowQueues(_QUEUES)
        self.ended: list[Flow] = []
        self.turn: int = 0
        self.missed: Packet | None = None  # the packet looked up last that has no flow yet, and its key
        self.missed_key: bytes = b""
        self.counters: dict[str, int] = dict.fromkeys(_COUNTERS, 0)

    def __len__(self) -> int:
        """Number of live flows."""
        return len(self.table)

    def flows(self) -> list[Flow]:
        """Give all live flows, in the order they were opened."""
        return list(self.table.values())

    def lookup(self, packet: Packet, now: int) -> Flow | None:
        """Find the flow of ``packet``; sets ``packet.flow`` and ``packet.direction``.

        A flow whose time is over is not found any more: the packet opens a new one.
        """
        packet.flow = None
        packet.direction = TOSERVER
        if not packet.src:
            return None
        key = self.keys.of_packet(packet)
        flow = self.table.get(key)
        if flow is None:
            self.missed, self.missed_key = packet, key
            return None
        if now > flow.last and now - flow.last >= flow.timeout:
            self._end(flow, "timeout")
            return None
        packet.flow = flow
        packet.direction = direction_of(flow, packet)
        return flow

    def create(self, packet: Packet, now: int) -> Flow | None:
        """Open a flow for ``packet``; sets ``packet.flow`` and ``packet.direction``.

        The sender is the client, unless it sends a SYN+ACK. A live flow with the same key ends. The
        packet is not counted in yet: :meth:`touch` does that.

        Returns:
            None when the packet opens no flow (see :func:`~appliance.flow.key.trackable`), or when
            the table is full of flows in use (counted as ``full``).
        """
        if not trackable(packet):
            return None
        key = self.missed_key if packet is self.missed else self.keys.of_packet(packet)
        self.missed = None
        old = self.table.get(key)
        if old is not None:
            self._end(old, "forced")
        elif len(self.table) >= self.max_flows and not self._make_room(now):
            return None
        flow = self._record(packet, now)
        flow.key = key
        flow.id = flow_id(key, now, packet.number)
        self.table[key] = flow
        self._place(flow)
        packet.flow = flow
        packet.direction = TOSERVER
        if packet.proto == PROTO_TCP and packet.tcp_flags & (TH_SYN | TH_ACK) == TH_SYN | TH_ACK:
            self.swap(flow)
            packet.direction = TOCLIENT
        return flow

    def reopen(self, flow: Flow, packet: Packet, now: int) -> Flow | None:
        """End ``flow`` and open a new one for ``packet``, which begins a new connection on the same ports."""
        self._end(flow, "timeout")
        self.counters["reopened"] += 1
        return self.create(packet, now)

    def insert(self, flow: Flow) -> bool:
        """Take in a flow that lived elsewhere; refuses one that is known or finds no room."""
        key = self.keys.of_flow(flow)
        if key in self.table:
            return False
        if len(self.table) >= self.max_flows and not self._make_room(flow.last):
            return False
        flow.key = key
        self.table[key] = flow
        self._place(flow)
        return True

    def twin(self, flow: Flow) -> Flow | None:
        """Give the flow in this table that has the same ends as one which is in none."""
        return self.table.get(self.keys.of_flow(flow))

    def adopt(self, old: FlowTable) -> None:
        """Take over all flows of another table, which is not used any more.

        Where keys are made in another way now, flows that get the same key end, but one. A smaller table
        gives up the surplus as new flows come.
        """
        self.queues, self.ended, self.counters, self.turn = old.queues, old.ended, old.counters, old.turn
        self.table = old.table
        if self.timeouts != old.timeouts:
            for flow in self.flows():
                flow.timeout = self.timeouts[flow.queue]
        if old.keys.same(self.keys):
            self.keys = old.keys
            return
        flows = self.flows()
        self.table = {}
        for flow in flows:
            flow.key = self.keys.of_flow(flow)
            if flow.key in self.table:
                self._end(self.table[flow.key], "forced")
            self.table[flow.key] = flow

    def touch(self, flow: Flow, packet: Packet, now: int) -> None:
        """Count a packet in and put off the flow's end.

        Frames count with their length on the wire, packets from tunnels and datagrams put together
        from fragments with the length of their own. Anything but TCP is established once both
        ends have sent.
        """
        length = _length(packet)
        if packet.direction == TOSERVER:
            flow.pkts_ts += 1
            flow.bytes_ts += length
            flow.ttl_min_ts = min(flow.ttl_min_ts, packet.ttl)
            flow.ttl_max_ts = max(flow.ttl_max_ts, packet.ttl)
        else:
            flow.pkts_tc += 1
            flow.bytes_tc += length
            flow.ttl_min_tc = min(flow.ttl_min_tc, packet.ttl)
            flow.ttl_max_tc = max(flow.ttl_max_tc, packet.ttl)
        flow.last = max(flow.last, now)
        if flow.state == _NEW and flow.proto != PROTO_TCP and flow.pkts_ts and flow.pkts_tc:
            flow.state = _ESTABLISHED
        if flow.queue >= 0:
            self._place(flow)

    def retime(self, flow: Flow) -> None:
        """Take note that ``flow.state`` was changed: another timeout applies."""
        if 0 <= flow.queue < _SETTLED and flow.queue & 3 != flow.state:
            self._place(flow)

    def settle(self, flow: Flow, kernel: int) -> None:
        """Take note of what the kernel remembers of a flow, which ends with the kernel's entry."""
        flow.kernel = kernel
        if flow.queue >= 0:
            self._place(flow)

    def swap(self, flow: Flow) -> None:
        """Make the client the server and the reverse, counters and identities included."""
        flow.client, flow.server = flow.server, flow.client
        flow.cport, flow.sport = flow.sport, flow.cport
        flow.pkts_ts, flow.pkts_tc = flow.pkts_tc, flow.pkts_ts
        flow.bytes_ts, flow.bytes_tc = flow.bytes_tc, flow.bytes_ts
        flow.ttl_min_ts, flow.ttl_min_tc = flow.ttl_min_tc, flow.ttl_min_ts
        flow.ttl_max_ts, flow.ttl_max_tc = flow.ttl_max_tc, flow.ttl_max_ts
        flow.client_if, flow.server_if = flow.server_if, flow.client_if
        flow.ether_client, flow.ether_server = flow.ether_server, flow.ether_client
        flow.flags ^= F_SWAPPED

    def find(
        self, proto: int, src: bytes, dst: bytes, sport: int, dport: int, context: Packet
    ) -> Flow | None:
        """Find the flow of a tuple seen where ``context`` is (same VLANs, depth and tenant).

        For ICMP ``sport`` is the type and ``dport`` the code.
        """
        extra = b""
        if proto in (PROTO_ICMP, PROTO_ICMPV6):
            both = icmp_ports(proto, sport, dport)
            sport, dport = both >> 16, both & 0xFFFF
        return self.table.get(self.keys.make(proto, src, dst, sport, dport, context, extra))

    def of_tuple(
        self,
        proto: int,
        ends: tuple[bytes, bytes],
        ports: tuple[int, int],
        place: int,
        vlans: tuple[int, ...],
    ) -> Flow | None:
        """Find the flow of a tuple outside of tunnels, given in either direction.

        For ICMP the ports are type and code.
        """
        probe = Packet(b"", 0, 0, 0)
        probe.place, probe.vlans = place, vlans
        return self.find(proto, ends[0], ends[1], ports[0], ports[1], probe)

    def remove(self, flow: Flow) -> bool:
        """Take a flow out at once, unlogged; tells whether it was in the table."""
        if flow.queue < 0:
            return False
        self.queues.remove(flow)
        self.table.pop(flow.key, None)
        return True

    def drain(self) -> list[Flow]:
        """Give the flows that ended since the last call, ``end_reason`` set."""
        ended = self.ended
        self.ended = []
        return ended

    def expire(self, now: int, limit: int) -> list[Flow]:
        """End flows that had no packet for as long as their timeout, ``limit`` of them at most.

        Flows that :meth:`drain` would give come first and do not count. Costs a constant and then a
        constant for each flow that ends.
        """
        ended = self.drain()
        limit += len(ended)
        for step in range(_QUEUES):
            self._expire_queue((self.turn + step) % _QUEUES, now, limit, ended)
        self.turn = (self.turn + 1) % _QUEUES
        return ended

    def flush(self) -> list[Flow]:
        """End everything ("shutdown"), in the order in which the flows were opened."""
        for flow in self.flows():
            self.queues.remove(flow)
            flow.end_reason = "shutdown"
        ended = self.drain() + self.flows()
        self.table = {}
        return ended

    def _expire_queue(self, queue: int, now: int, limit: int, ended: list[Flow]) -> None:
        rotated = 0
        while len(ended) < limit:
            flow = self.queues.oldest[queue]
            if flow is None:
                return
            if flow.last > now:
                # Time went back. A flow from the future must not hold up those behind it.
                rotated += 1
                if rotated > _MAX_ROTATE:
                    return
                self.queues.move(flow, queue)
            elif now - flow.last >= flow.timeout:
                self.remove(flow)
                flow.end_reason = "timeout"
                self.counters["timeout"] += 1
                ended.append(flow)
            else:
                return

    def _record(self, packet: Packet, now: int) -> Flow:
        flow = Flow.__new__(Flow)
        flow.begin(packet.proto, packet.src, packet.dst, 0, 0)
        if packet.proto in (PROTO_TCP, PROTO_UDP, PROTO_SCTP):
            flow.cport, flow.sport = packet.sport, packet.dport
        elif packet.proto in (PROTO_ICMP, PROTO_ICMPV6):
            flow.icmp_type, flow.icmp_code = packet.icmp_type, packet.icmp_code
        elif packet.proto == PROTO_ESP:
            flow.spi = esp_spi(packet)
        flow.vlans = self.keys.shared_vlans(packet.vlans)
        flow.tenant, flow.depth, flow.place = packet.tenant, packet.depth, packet.place
        flow.first = flow.last = now
        flow.first_number = packet.number
        flow.client_if, flow.server_if = packet.src_if, packet.dst_if
        flow.ether_client = self._mac(packet.src_if, packet.eth_src)
        flow.ether_server = self._mac(packet.dst_if, packet.eth_dst)
        return flow

    def _mac(self, interface: VmInterface | None, mac: bytes) -> bytes:
        """Give an address that other flows hold too: the interface's own where it is that."""
        if interface is not None and interface.mac == mac:
            return interface.mac
        return self.keys.shared_mac(mac)

    def _place(self, flow: Flow) -> None:
        kernel = flow.kernel
        if kernel and (kernel & SETTLED or flow.state == _ESTABLISHED):
            queue = _SETTLED
        else:
            queue = _queue_class(flow.proto) + (flow.state & 3)
        flow.timeout = self.timeouts[queue]
        self.queues.move(flow, queue)

    def _make_room(self, now: int) -> bool:
        victim = self._victim(now)
        if victim is None:
            self.counters["full"] += 1
            return False
        self.counters[_EVICTED[victim.queue]] += 1
        victim.flags |= F_EVICTED
        self._end(victim, "forced")
        return True

    def _victim(self, now: int) -> Flow | None:
        victim = self._idlest(_CLOSED_QUEUES, now, -1)
        if victim is None:
            victim = self._idlest(_HALF_OPEN_QUEUES, now, _HANDSHAKE)
        if victim is None:
            victim = self._idlest(_NEW_QUEUES, now, -1)
        if victim is None:
            victim = self._idlest(_SETTLED_QUEUES, now, -1)
        if victim is None:
            victim = self._idlest(_PSEUDO_QUEUES, now, self.protect)
        if victim is None:
            victim = self._idlest(_KEPT_QUEUES, now, self.protect)
        return victim

    def _idlest(self, queues: list[int], now: int, idle: int) -> Flow | None:
        """Give the flow longest without a packet in ``queues``, if for ``idle`` at least; -1 is any."""
        best = None
        for queue in queues:
            flow = self.queues.oldest[queue]
            if flow is None or (idle >= 0 and now - flow.last < idle):
                continue
            if best is None or flow.last < best.last:
                best = flow
        return best

    def _end(self, flow: Flow, reason: str) -> None:
        self.remove(flow)
        flow.end_reason = reason
        if reason == "timeout":
            self.counters["timeout"] += 1
        if len(self.ended) < _MAX_ENDED:
            self.ended.append(flow)
        else:
            self.counters["unlogged"] += 1


def _in_order(timeouts: Timeouts) -> list[int]:
    """Give the timeouts by state."""
    return [timeouts.new, timeouts.established, timeouts.closed, timeouts.bypassed]


def _queue_class(proto: int) -> int:
    """Give the first queue of a protocol."""
    if proto == PROTO_TCP:
        return _TCP
    if proto == PROTO_UDP:
        return _UDP
    return _ICMP if proto in (PROTO_ICMP, PROTO_ICMPV6) else _OTHER


def _length(packet: Packet) -> int:
    """Give the length by which a packet counts: the frame's, or its own when a tunnel carries it."""
    if packet.start == 0:
        return packet.wirelen
    length = packet.payload_off + packet.payload_len - packet.start
    return max(length, 0)
