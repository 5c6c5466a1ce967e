"""Keywords that look at one packet or at the flow it belongs to: a table of builders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from appliance.detect.compare import Comparison, comparison_of
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP
from appliance.rulelang import tree

if TYPE_CHECKING:
    from appliance.detect.context import Context

SECOND = 1_000_000_000
Getter = Callable[["Context"], int]
# Old names of events.
_SYNONYMS = {"ipv4.opt_unknown": "ipv4.opt_invalid"}
# A getter's answer when the packet has no such field.
MISSING = -1 << 65


class Matcher:
    """Base of everything that says yes or no to a packet, a flow or a transaction."""

    __slots__ = ()

    def match(self, ctx: Context) -> bool:
        """Tell whether what ``ctx`` looks at fits."""
        raise NotImplementedError


class FieldMatcher(Matcher):
    """Compare a number of the packet or flow."""

    __slots__ = ("comparison", "getter")

    def __init__(self, getter: Getter, comparison: Comparison) -> None:
        """Compare what ``getter`` gives."""
        self.getter = getter
        self.comparison = comparison

    @override
    def match(self, ctx: Context) -> bool:
        """Compare; a missing field matches nothing."""
        value = self.getter(ctx)
        return value != MISSING and self.comparison.holds(value)


class FlagMatcher(Matcher):
    """``tcp.flags`` and ``fragbits``: bits under a modifier."""

    __slots__ = ("bits", "getter", "keep", "modifier")

    def __init__(self, getter: Getter, bits: int, modifier: str, ignore: int = 0) -> None:
        """Compare the bits that ``getter`` gives, without those to be ignored."""
        self.getter = getter
        self.bits = bits
        self.modifier = modifier
        self.keep = ~ignore

    @override
    def match(self, ctx: Context) -> bool:
        """Compare: all equal, all set, any set or not all set."""
        value = self.getter(ctx)
        if value == MISSING:
            return False
        value &= self.keep
        if self.modifier == "+":
            return value & self.bits == self.bits
        if self.modifier == "*":
            return value & self.bits != 0
        if self.modifier == "!":
            return value & self.bits != self.bits
        return value == self.bits


class OptionMatcher(Matcher):
    """``ipopts``: the packet has this IP option, or any."""

    __slots__ = ("option",)

    def __init__(self, option: int) -> None:
        """Look for an option by number; -1 is any."""
        self.option = option

    @override
    def match(self, ctx: Context) -> bool:
        """Look it up."""
        found = ctx.packet.ip_opts
        return bool(found) if self.option < 0 else self.option in found


class EventMatcher(Matcher):
    """``decode-event`` and ``stream-event``: something was noted about this packet."""

    __slots__ = ("decoder", "name")

    def __init__(self, decoder: bool, name: str) -> None:
        """Look for ``name`` among the anomalies of the decoder or the events of the stream."""
        self.decoder = decoder
        self.name = _SYNONYMS.get(name, name)

    @override
    def match(self, ctx: Context) -> bool:
        """Look it up."""
        found = ctx.packet.anomalies if self.decoder else ctx.events
        return found is not None and self.name in found


class SameAddress(Matcher):
    """``sameip``: source and destination are one address."""

    __slots__ = ()

    @override
    def match(self, ctx: Context) -> bool:
        """Compare the addresses."""
        return bool(ctx.packet.src) and ctx.packet.src == ctx.packet.dst


class VlanMatcher(Matcher):
    """``vlan.id``: compare the id of one layer, of any or of all."""

    __slots__ = ("comparison", "layer")

    def __init__(self, comparison: Comparison, layer: str) -> None:
        """``layer``: "any" (default), "all" or an index that may count from the end."""
        self.comparison = comparison
        self.layer = layer or "any"

    @override
    def match(self, ctx: Context) -> bool:
        """Compare."""
        ids = [vlan & 0xFFF for vlan in ctx.packet.vlans]
        if self.layer not in {"any", "all"}:
            place = int(self.layer)
            ids = ids[place:][:1] if -len(ids) <= place < len(ids) else []
        held = [self.comparison.holds(vlan) for vlan in ids]
        return bool(held) and (all(held) if self.layer == "all" else any(held))


class StreamSizeMatcher(Matcher):
    """``stream_size``: bytes of sequence space that one or both ends have used."""

    __slots__ = ("comparison", "direction")

    def __init__(self, node: tree.StreamSize) -> None:
        """Take over the node."""
        self.direction = node.direction
        self.comparison = Comparison(node.operator, node.size)

    @override
    def match(self, ctx: Context) -> bool:
        """Compare the sizes; there are none without a TCP session."""
        tcp = ctx.flow.tcp if ctx.flow is not None else None
        if tcp is None:
            return False
        client = self.comparison.holds((tcp.client.next_seq - tcp.client.isn) & 0xFFFFFFFF)
        server = self.comparison.holds((tcp.server.next_seq - tcp.server.isn) & 0xFFFFFFFF)
        answers = {"client": client, "server": server, "both": client and server}
        return answers.get(self.direction, client or server)


class RpcMatcher(Matcher):
    """``rpc``: a SunRPC call (RFC 5531 section 9), with a record mark before it on TCP."""

    __slots__ = ("wanted",)

    def __init__(self, node: tree.Rpc) -> None:
        """Take over program, version and procedure."""
        self.wanted = (node.program, node.version, node.procedure)

    @override
    def match(self, ctx: Context) -> bool:
        """Compare the fields that the rule names."""
        packet = ctx.packet
        call = packet.payload()[4 if packet.proto == PROTO_TCP else 0 :][:24]
        if len(call) < 24 or call[4:8] != b"\0\0\0\0" or call[8:12] != b"\0\0\0\2":
            return False
        fields = (int.from_bytes(call[i : i + 4], "big") for i in (12, 16, 20))
        return all(want in {None, field} for want, field in zip(self.wanted, fields, strict=True))


class BounceMatcher(Matcher):
    """``ftpbounce``: a PORT command (RFC 959) that names another host than the one that sends it."""

    __slots__ = ()

    @override
    def match(self, ctx: Context) -> bool:
        """Compare the address in the command with the packet's source."""
        packet = ctx.packet
        line = packet.payload()[:64].lstrip()
        if packet.ip_version != 4 or line[:5].upper() != b"PORT ":
            return False
        words = [word.strip() for word in line[5:].split(b",")[:4]]
        if len(words) < 4 or not all(word.isdigit() and len(word) <= 3 for word in words):
            return False
        return [int(word) for word in words] != list(packet.src)


def _getter(name: str, protocols: tuple[int, ...] = (), missing: int = MISSING) -> Getter:
    """Make a getter of a packet attribute that only packets of ``protocols`` have."""

    def getter(ctx: Context) -> int:
        packet = ctx.packet
        if protocols and packet.proto not in protocols:
            return MISSING
        value = getattr(packet, name)
        return MISSING if value == missing else int(value)

    return getter


def _ip(name: str, version: int = 0) -> Getter:
    """Make a getter of an IP header field."""

    def getter(ctx: Context) -> int:
        packet = ctx.packet
        if not packet.ip_version or (version and packet.ip_version != version):
            return MISSING
        return int(getattr(packet, name))

    return getter


def _flow(*names: str) -> Getter:
    """Make a getter of the sum of flow counters."""

    def getter(ctx: Context) -> int:
        flow = ctx.flow
        return MISSING if flow is None else sum(int(getattr(flow, name)) for name in names)

    return getter


def _flow_age(ctx: Context) -> int:
    flow = ctx.flow
    return MISSING if flow is None else (flow.last - flow.first) // SECOND


def _frag_bits(ctx: Context) -> int:
    packet = ctx.packet
    if packet.ip_version != 4:
        return MISSING
    return int(packet.more_frags) | int(packet.dont_frag) << 1 | int(packet.ip_reserved) << 2


def _frag_units(ctx: Context) -> int:
    """Fragment offset as on the wire: in units of 8 bytes."""
    packet = ctx.packet
    return int(packet.frag_off) >> 3 if packet.ip_version else MISSING


def _icmp6_mtu(ctx: Context) -> int:
    """Packet Too Big carries the MTU behind its checksum (RFC 4443 section 3.2)."""
    packet = ctx.packet
    if packet.proto != PROTO_ICMPV6 or packet.icmp_type != 2:
        return MISSING
    field = packet.frame[packet.l4_off + 4 : packet.l4_off + 8]
    return int.from_bytes(field, "big") if len(field) == 4 else MISSING


def _igmp_type(ctx: Context) -> int:
    packet = ctx.packet
    kind = packet.frame[packet.l4_off : packet.l4_off + 1] if packet.proto == 2 else b""
    return kind[0] if kind else MISSING


def _vlan_layers(ctx: Context) -> int:
    return len(ctx.packet.vlans)


_ICMP = (PROTO_ICMP, PROTO_ICMPV6)
FIELDS: dict[str, Getter] = {
    "dsize": _ip("payload_len"),
    "ttl": _ip("ttl"),
    "tos": _ip("tos"),
    "id": _ip("ip_id", 4),
    "fragoffset": _frag_units,
    "seq": _getter("seq", (PROTO_TCP,)),
    "tcp.seq": _getter("seq", (PROTO_TCP,)),
    "ack": _getter("ack", (PROTO_TCP,)),
    "tcp.ack": _getter("ack", (PROTO_TCP,)),
    "window": _getter("window", (PROTO_TCP,)),
    "tcp.window": _getter("window", (PROTO_TCP,)),
    "tcp.mss": _getter("mss", (PROTO_TCP,), -1),
    "tcp.wscale": _getter("wscale", (PROTO_TCP,), -1),
    "itype": _getter("icmp_type", _ICMP),
    "icode": _getter("icmp_code", _ICMP),
    "icmp_id": _getter("icmp_id", _ICMP, -1),
    "icmp_seq": _getter("icmp_seq", _ICMP, -1),
    "icmpv6.mtu": _icmp6_mtu,
    "igmp.type": _igmp_type,
    "vlan.layers": _vlan_layers,
    "flow.age": _flow_age,
    "flow.pkts_toserver": _flow("pkts_ts"),
    "flow.pkts_toclient": _flow("pkts_tc"),
    "flow.bytes_toserver": _flow("bytes_ts"),
    "flow.bytes_toclient": _flow("bytes_tc"),
}
_FLOW_SIDES: dict[str, tuple[str, str]] = {
    "flow.pkts": ("pkts_ts", "pkts_tc"),
    "flow.bytes": ("bytes_ts", "bytes_tc"),
}
IP_OPTIONS = {
    "rr": 7, "lsrr": 131, "lsrre": 131, "eol": 0, "nop": 1, "ts": 68, "sec": 130, "esec": 133,
    "ssrr": 137, "satid": 136, "any": -1,
}  # fmt: skip
TEXTS = frozenset(("ipopts", "ftpbounce", "sameip", "decode-event", "engine-event", "stream-event"))
_OTHER = frozenset(("vlan.id", "stream_size", "ip_proto", "rpc", "tcp.flags", "flags", "fragbits"))
KEYWORDS = frozenset(FIELDS) | frozenset(_FLOW_SIDES) | TEXTS | _OTHER


def build(node: Any) -> Matcher | None:
    """Make the matcher of a packet keyword; None when the node is of another kind."""
    if isinstance(node, tree.IntMatch | tree.IntSet):
        return _number(node)
    if isinstance(node, tree.TcpFlags):
        return FlagMatcher(_getter("tcp_flags", (PROTO_TCP,)), node.flags, node.modifier, node.ignore)
    if isinstance(node, tree.FragBits):
        return FlagMatcher(_frag_bits, node.bits, node.modifier)
    if isinstance(node, tree.IpProto):
        return FieldMatcher(_ip("proto"), Comparison(node.operator, node.number))
    if isinstance(node, tree.StreamSize):
        return StreamSizeMatcher(node)
    if isinstance(node, tree.Rpc):
        return RpcMatcher(node)
    return _text(node) if isinstance(node, tree.Text) else None


def _number(node: tree.IntMatch | tree.IntSet) -> Matcher | None:
    """Make the matcher of a number keyword."""
    if node.keyword == "vlan.id":
        return VlanMatcher(comparison_of(node), node.extra)
    getter = FIELDS.get(node.keyword)
    if getter is not None:
        return FieldMatcher(getter, comparison_of(node))
    sides = _FLOW_SIDES.get(node.keyword)
    return EitherSide(sides, node.extra, comparison_of(node)) if sides is not None else None


class EitherSide(Matcher):
    """``flow.pkts`` and ``flow.bytes``: compare the counter of one side, of either or of both."""

    __slots__ = ("comparison", "names", "side")

    def __init__(self, names: tuple[str, str], side: str, comparison: Comparison) -> None:
        """``side``: toserver, toclient, either or both."""
        self.names = names
        self.side = side
        self.comparison = comparison

    @override
    def match(self, ctx: Context) -> bool:
        """Compare."""
        if ctx.flow is None:
            return False
        server = self.comparison.holds(getattr(ctx.flow, self.names[0]))
        client = self.comparison.holds(getattr(ctx.flow, self.names[1]))
        answers = {"toserver": server, "toclient": client, "both": server and client}
        return answers.get(self.side, server or client)


def _text(node: tree.Text) -> Matcher | None:
    """Make the matcher of a keyword with a name as its argument."""
    if node.keyword == "ipopts":
        option = IP_OPTIONS.get(node.argument)
        return OptionMatcher(option) if option is not None else None
    if node.keyword == "ftpbounce":
        return BounceMatcher()
    if node.keyword == "sameip":
        return SameAddress()
    if node.keyword in {"decode-event", "engine-event"}:
        return EventMatcher(True, node.argument.removeprefix("decoder."))
    if node.keyword == "stream-event":
        return EventMatcher(False, node.argument.removeprefix("stream."))
    return None
