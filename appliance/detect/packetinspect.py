"""Rules on packets and on stream data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.buffers import PACKET_BUFFERS
from appliance.detect.prefilter import CLASSES
from appliance.detect.result import Match
from appliance.detect.shapes import Shapes
from appliance.detect.signature import Kind
from appliance.detect.state import StreamTail
from appliance.detect.steps import inspect
from appliance.model.flow import F_IPONLY_TC, F_IPONLY_TS, F_NO_PAYLOAD_INSPECT
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP, TH_SYN
from appliance.model.tcp import S_FAST_OPEN, TcpState

if TYPE_CHECKING:
    from appliance.config.settings import DetectSettings
    from appliance.detect.addresses import AddressIndex
    from appliance.detect.context import Context
    from appliance.detect.prefilter import ContentTable, PacketGroup
    from appliance.detect.profile import Profile
    from appliance.detect.result import Filter
    from appliance.detect.ruleset import Ruleset
    from appliance.detect.signature import Signature
    from appliance.detect.state import FlowDetect, StreamPiece


# Captured values that one flow keeps.
FLOW_VARIABLES = 256
_ESTABLISHED = int(TcpState.ESTABLISHED)
# Stream events of packets whose payload is taken into the stream all the same.
_ACCEPTED = ("reassembly_", "pkt_retransmission", "pkt_spurious_retransmission", "suspected_rst")


class PacketInspector:
    """Finds and evaluates the rules that one packet concerns."""

    def __init__(
        self, ruleset: Ruleset, settings: DetectSettings, ctx: Context, profile: Profile | None
    ) -> None:
        """Share ``ctx`` with the other inspectors."""
        self._ruleset = ruleset
        self._signatures: list[Signature] = ruleset.signatures
        self._settings = settings
        self._ctx: Context = ctx
        self._addresses: bool = any(one.kind is Kind.IP_ONLY for one in ruleset.signatures)
        self._address_only: AddressIndex = ruleset.address_only
        self._by_protocol: bool = bool(ruleset.protocol_only)
        self._non_ip: list[int] = ruleset.non_ip
        # By class of IP protocol and direction, as in the rule set.
        self._groups: list[PacketGroup] = []
        self._shapes: list[Shapes] = []
        for number in CLASSES:
            for direction in (0, 1):
                group = ruleset.groups[number, direction]
                self._groups.append(group)
                self._shapes.append(Shapes(group, ruleset.signatures))
        self._profile = profile
        self._payload: bytes = b""
        self._stream: bytes | None = None
        self._candidates: set[int] = set()
        self._tail: StreamTail | StreamPiece | None = None
        self._now = StreamTail()  # the tail that waits, where ``_tail`` is no piece before a hole
        self._streamed: bool = False
        self.enforcing: bool = False  # verdicts are carried out: streams do not wait for acknowledgements

    def inspect(self, state: FlowDetect | None, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate all rules but those on transactions; matches go to ``found``."""
        self._look(state)
        if state is not None:
            tail = state.tail(self._ctx.direction)
            if tail is not None and tail.earlier:
                self._before_holes(tail, allowed, found)
        candidates = self._candidates
        if candidates:
            candidates.clear()
        self._by_address(state, candidates)
        if state is not None and self._by_protocol:
            self._by_application(state, candidates)
        chosen = self._by_content(candidates)
        for signature in self._in_order(chosen, candidates) if candidates else chosen:
            if allowed is None or allowed.enabled(signature.index):
                self._try(signature, found)

    def _in_order(self, chosen: tuple[Signature, ...], candidates: set[int]) -> list[Signature]:
        """Join the rules of the packet's shape and those found by what it says, each once."""
        signatures = self._signatures
        candidates.update([signature.index for signature in chosen])
        return sorted([signatures[i] for i in candidates], key=_rank)

    def _look(self, state: FlowDetect | None) -> None:
        """Take the payload of the packet and what waits of its stream."""
        ctx = self._ctx
        packet = ctx.packet
        skip = packet.pseudo or (ctx.flow is not None and ctx.flow.flags & F_NO_PAYLOAD_INSPECT)
        self._payload = b"" if skip or not packet.payload_len else packet.payload()
        self._stream = None
        self._tail = None
        self._streamed = _in_stream(ctx)
        if state is not None:
            tail = state.tail(ctx.direction)
            if tail is not None and tail.waiting() and not _never_opened(ctx):
                self._tail = self._now = tail
                self._streamed = True

    def _before_holes(self, tail: StreamTail, allowed: Filter | None, found: list[Match]) -> None:
        """Evaluate rules on what stands before holes and was not inspected, each piece on its own."""
        ctx = self._ctx
        table: ContentTable | None = self._groups[_class(ctx.packet.proto) + ctx.direction].content
        held = self._payload, self._stream, self._tail, self._streamed
        for piece in tail.earlier or ():
            if piece.fresh >= piece.end or table is None:
                continue
            self._payload, self._stream, self._tail, self._streamed = b"", piece.data, piece, True
            candidates: set[int] = set()
            for pattern in table.scan(piece.data):
                candidates.update(table.stream[pattern])
            piece.fresh = piece.end
            for signature in self._in_order((), candidates):
                if signature.on_stream and (allowed is None or allowed.enabled(signature.index)):
                    self._try(signature, found)
        self._payload, self._stream, self._tail, self._streamed = held

    def _by_address(self, state: FlowDetect | None, candidates: set[int]) -> None:
        """Add ip-only rules, once for each direction of a flow; they are the first that are added."""
        ctx = self._ctx
        packet = ctx.packet
        if not packet.ip_version or packet.pseudo:
            return
        flow = ctx.flow
        if flow is not None:
            flag = F_IPONLY_TC if ctx.direction else F_IPONLY_TS
            if flow.flags & flag:
                return
            flow.flags |= flag
        if not self._addresses or (state is not None and state.unnamed):
            return
        self._address_only.collect(packet.src, packet.dst, candidates)
        if state is not None and not candidates:
            state.unnamed = True  # the other direction has the same two ends

    def _by_application(self, state: FlowDetect, candidates: set[int]) -> None:
        """Add rules on the application alone, once recognition of the packet's direction has ended.

        It may end with a packet of the other direction, which acknowledges data.
        """
        flow = self._ctx.flow
        app = flow.app
        if app is None or self._ctx.packet.pseudo or not self._ruleset.protocol_only:
            return
        here = self._ctx.direction
        bit = 1 << here
        for direction in (0, 1):
            if app.settled[direction]:
                app.settled[direction] = False
                state.recognised |= 1 << direction
        told, again = state.recognised & bit, state.again & bit
        state.recognised &= ~bit
        state.again &= ~bit
        if told:
            candidates.update(self._ruleset.protocol_only)
            if self.enforcing and flow.tcp is not None:
                state.again |= bit
        elif again:
            candidates.update(self._ruleset.protocol_states)

    def _by_content(self, candidates: set[int]) -> tuple[Signature, ...]:
        """Add rules whose pattern fits; give those that need none and fit the shape of the packet."""
        ctx = self._ctx
        packet = ctx.packet
        own = not packet.pseudo
        if own and self._non_ip:
            candidates.update(self._non_ip)
        if packet.anomalies is not None or ctx.events:
            self._by_event(candidates)
        if not packet.ip_version:
            return ()
        place = _class(packet.proto) + ctx.direction
        group = self._groups[place]
        if own and group.buffers:
            self._by_header(group, candidates)
        if group.content is not None:
            if self._tail is not None and group.content.on_stream:
                self._search_tail(group.content, candidates)
            elif self._payload:
                streams = self._tail is None and not self._streamed
                self._search_payload(group.content, candidates, streams)
        stream = self._tail is not None or (not self._streamed and (own or bool(self._payload)))
        shapes = self._shapes[place]
        return shapes.find(ctx, packet, own, stream)

    def _search_tail(self, table: ContentTable, candidates: set[int]) -> None:
        """Search what is new in the stream; what was found before is remembered while its bytes stay.

        The payload needs no search of its own where its bytes are those that came last to the stream.
        """
        tail = self._now
        end = tail.base + len(tail.data)
        apart = table.on_packet and self._payload != tail.latest
        for pattern in table.scan(tail.unsearched(table.overlap)):
            if table.stream[pattern]:
                if tail.found is None:
                    tail.found = {}
                tail.found[pattern] = end
            if not apart and self._payload:
                candidates.update(table.packet[pattern])
        tail.scanned = end
        tail.latest = b""
        if tail.found is not None:
            for pattern in tail.found:
                candidates.update(table.stream[pattern])
        if apart and self._payload:
            self._search_payload(table, candidates, False)

    def _search_payload(self, table: ContentTable, candidates: set[int], streams: bool) -> None:
        """Search the payload for what rules on packets want, and those on ``streams`` where it is in none."""
        if not (table.on_packet or streams):
            return
        for pattern in table.scan(self._payload):
            candidates.update(table.packet[pattern])
            if streams:
                candidates.update(table.stream[pattern])

    def _by_header(self, group: PacketGroup, candidates: set[int]) -> None:
        """Add rules whose pattern is in a header."""
        for name, table in group.buffers:
            data = PACKET_BUFFERS[name](self._ctx.packet)
            if data:
                table.search(data, candidates)

    def _by_event(self, candidates: set[int]) -> None:
        """Add rules that wait for an event which decoder or stream have noted."""
        rules = self._ruleset.packet_events
        for names in (self._ctx.packet.anomalies, self._ctx.events):
            for name in names or ():
                candidates.update(rules.get(name, ()))

    def _try(self, signature: Signature, found: list[Match]) -> None:
        """Evaluate one rule and note its match."""
        profile = self._profile
        started = profile.clock() if profile is not None else 0
        source = self._evaluate(signature)
        if profile is not None:
            profile.add(signature.index, source != "", started)
        if source:
            found.append(accept(signature, self._ctx, source))

    def _evaluate(self, signature: Signature) -> str:
        """Test header, fields, header buffers and payload; give where it matched, "" for not."""
        ctx = self._ctx
        if not signature.header.match(ctx):
            return ""
        if signature.protocols is not None and not self._application_fits(signature.protocols):
            return ""
        for matcher in signature.matchers:
            if not matcher.match(ctx):
                return ""
        if ctx.captures:
            ctx.captures = []
        if signature.variables:
            ctx.values = [0] * signature.variables
        for test in signature.packet_tests:
            if not test.match(ctx):
                return ""
        return self._evaluate_payload(signature)

    def _application_fits(self, wanted: frozenset[str]) -> bool:
        """Check the application protocol of the rule's header."""
        flow = self._ctx.flow
        app = flow.app if flow is not None else None
        if app is None or self._ctx.packet.csum:
            return False  # a packet with a wrong checksum is no part of what the application says
        return ((app.tc if self._ctx.direction else app.ts) or app.proto) in wanted

    def _evaluate_payload(self, signature: Signature) -> str:
        """Inspect the stream, then the packet where the rule or the lack of a stream wants it."""
        if signature.chain is None:
            return "stream" if signature.on_stream else "packet"
        if signature.on_stream and self._tail is not None and self._in_stream(signature, self._tail):
            # What comes with a SYN may never become part of a connection.
            return "packet" if self._ctx.packet.tcp_flags & TH_SYN else "stream"
        if self._ctx.packet.pseudo or (self._streamed and not signature.on_packet):
            return ""
        return "packet" if inspect(signature.chain, self._payload, 0, True, self._ctx) else ""

    def _in_stream(self, signature: Signature, tail: StreamTail | StreamPiece) -> bool:
        """Inspect the part of the stream that this rule has not used yet."""
        if signature.chain is None:
            return False
        base = tail.base
        data = self._bytes(tail)
        used = tail.hits.get(signature.index) if tail.hits is not None else None
        if used is not None and used > base:
            data = data[used - base :]
            base = used
        if not data or not inspect(signature.chain, data, base, True, self._ctx):
            return False
        if tail.hits is None:
            tail.hits = {}
        tail.hits[signature.index] = tail.end
        return True

    def payload_view(self) -> tuple[bytes, int]:
        """Give the bytes and their stream offset that contents of transaction rules see."""
        if self._tail is not None:
            return self._bytes(self._tail), self._tail.base
        return (b"" if self._streamed else self._payload), 0

    def _bytes(self, tail: StreamTail | StreamPiece) -> bytes:
        """Give the bytes of the stream that are at hand, copied at most once for each packet."""
        if self._stream is None:
            self._stream = bytes(tail.data)
        return self._stream


def _never_opened(ctx: Context) -> bool:
    """Tell whether a connection ends with data of its SYN only, which was looked at with that packet."""
    tcp = ctx.flow.tcp
    if tcp is None or not ctx.packet.pseudo:
        return False
    return bool(tcp.state < _ESTABLISHED and not tcp.flags & S_FAST_OPEN)


def _in_stream(ctx: Context) -> bool:
    """Tell whether the payload of a TCP packet is part of its stream, and so seen there."""
    packet, flow = ctx.packet, ctx.flow
    tcp = flow.tcp if flow is not None and packet.proto == PROTO_TCP else None
    if tcp is None:
        return False
    if packet.tcp_flags & TH_SYN:
        return bool(tcp.flags & S_FAST_OPEN and packet.payload_len)
    if tcp.state < _ESTABLISHED:
        return False
    if ctx.events is not None:
        for name in ctx.events:
            if not name.startswith(_ACCEPTED):
                return False
    return True


def accept(signature: Signature, ctx: Context, source: str) -> Match:
    """Make the match and do what the rule does when it matches."""
    for effect in signature.effects:
        effect.apply(ctx)
    match = Match(signature.rule, signature.index, signature.action, ctx.direction, source, ctx.tx)
    for name, value in ctx.captures:
        _keep(name, value, match, ctx)
    return match


def _keep(name: str, value: Any, match: Match, ctx: Context) -> None:
    """Put a captured value where its name says: to the flow, to the packet or into the alert."""
    scope, _, label = name.partition(":")
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    if scope == "pkt":
        match.context.setdefault("pktvars", []).append({label: text})
    elif scope == "alert":
        match.context[label] = text
    elif ctx.flow is not None:
        flow = ctx.flow
        flow.vars = flow.vars or {}
        kept = flow.vars.setdefault("flowvars", [])
        if {label: text} not in kept[:FLOW_VARIABLES] and len(kept) < FLOW_VARIABLES:
            kept.append({label: text})


def _class(protocol: int) -> int:
    """Give the place of an IP protocol's groups, the first of two; the order is that of ``CLASSES``."""
    if protocol == PROTO_TCP:
        return 0
    if protocol == PROTO_UDP:
        return 2
    if protocol == PROTO_ICMP:
        return 4
    return 6 if protocol == PROTO_ICMPV6 else 8


def _rank(signature: Signature) -> int:
    return signature.rank
