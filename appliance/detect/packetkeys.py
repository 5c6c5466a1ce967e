"""Keywords that look at one packet or at the flow it belongs to: a table of builders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect.compare import Comparison, comparison_of
from appliance.detect.matchers import (
    CHECKSUMS,
    MISSING,
    BounceMatcher,
    ChecksumMatcher,
    EitherSide,
    EventMatcher,
    FieldMatcher,
    FlagMatcher,
    Getter,
    Matcher,
    OptionMatcher,
    OtherSize,
    RpcMatcher,
    SameAddress,
    StreamSizeMatcher,
    VersionMatcher,
    VlanMatcher,
)
from appliance.model.packet import PROTO_ICMP, PROTO_ICMPV6, PROTO_IGMP, PROTO_TCP
from appliance.rulelang import tree

if TYPE_CHECKING:
    from appliance.detect.context import Context

SECOND = 1_000_000_000


def _getter(name: str, protocols: tuple[int, ...] = (), missing: int = MISSING) -> Getter:
    """Make a getter of a packet attribute that only whole packets of ``protocols`` have."""

    def getter(ctx: Context) -> int:
        packet = ctx.packet
        if protocols and (packet.proto not in protocols or packet.is_fragment()):
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


def _igmp(place: int) -> Getter:
    """Make a getter of one byte of the header of IGMP (RFC 3376 section 4): type, then code."""

    def getter(ctx: Context) -> int:
        packet = ctx.packet
        at = packet.l4_off + place
        field = packet.frame[at : at + 1] if packet.proto == PROTO_IGMP else b""
        return field[0] if field else MISSING

    return getter


def _vni(ctx: Context) -> int:
    """Network identifier of the VXLAN header (RFC 7348 section 5), for what it carries as well."""
    packet = ctx.packet
    if packet.tunnel == "vxlan" and packet.outer is not None:
        packet = packet.outer
    elif packet.inner is None or packet.inner.tunnel != "vxlan":
        return MISSING
    return int.from_bytes(packet.frame[packet.payload_off + 4 : packet.payload_off + 7], "big")


def _vlan_layers(ctx: Context) -> int:
    return len(ctx.packet.vlans)


_ICMP = (PROTO_ICMP, PROTO_ICMPV6)
# The flags of a TCP header; whole packets of TCP alone have them.
tcp_flags = _getter("tcp_flags", (PROTO_TCP,))
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
    "igmp.type": _igmp(0),
    "igmp.code": _igmp(1),
    "vxlan_vni": _vni,
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
TEXTS = frozenset(
    ("ipopts", "ftpbounce", "sameip", "l3_proto", "decode-event", "engine-event", "stream-event")
)
_OTHER = frozenset(("vlan.id", "stream_size", "ip_proto", "rpc", "tcp.flags", "flags", "fragbits"))
KEYWORDS = frozenset(FIELDS) | frozenset(_FLOW_SIDES) | TEXTS | _OTHER | frozenset(CHECKSUMS)


def build(node: Any) -> Matcher | None:
    """Make the matcher of a packet keyword; None when the node is of another kind."""
    if isinstance(node, tree.IntMatch | tree.IntSet):
        return _number(node)
    if isinstance(node, tree.TcpFlags):
        return FlagMatcher(tcp_flags, node.flags, node.modifier, node.ignore)
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
    if node.keyword == "dsize" and isinstance(node, tree.IntMatch) and node.operator == "!=":
        return OtherSize(FIELDS["dsize"], comparison_of(node))
    if getter is not None:
        return FieldMatcher(getter, comparison_of(node))
    sides = _FLOW_SIDES.get(node.keyword)
    return EitherSide(sides, node.extra, comparison_of(node)) if sides is not None else None


def _text(node: tree.Text) -> Matcher | None:
    """Make the matcher of a keyword with a name as its argument."""
    if node.keyword == "ipopts":
        option = IP_OPTIONS.get(node.argument)
        return OptionMatcher(option) if option is not None else None
    if node.keyword in CHECKSUMS:
        return ChecksumMatcher(node)
    if node.keyword == "ftpbounce":
        return BounceMatcher()
    if node.keyword == "l3_proto":
        return VersionMatcher(node.argument)
    if node.keyword == "sameip":
        return SameAddress()
    if node.keyword in {"decode-event", "engine-event"}:
        return EventMatcher(True, node.argument.removeprefix("decoder."))
    if node.keyword == "stream-event":
        return EventMatcher(False, node.argument.removeprefix("stream."))
    return None
