"""Conditions on the fields of a packet and on the counters of its flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.compare import Comparison
from appliance.model.packet import CSUM_BAD_IP, CSUM_BAD_L4, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from appliance.rulelang import tree

if TYPE_CHECKING:
    from appliance.detect.context import Context

Getter = Callable[["Context"], int]
_ETH_ARP = 0x0806
# A getter's answer when the packet has no such field.
MISSING = -1 << 65
# Old names of events.
_SYNONYMS = {"ipv4.opt_unknown": "ipv4.opt_invalid"}
# Layers with a checksum: IP version, protocol above it (0 for the IP header itself).
CHECKSUMS = {
    "ipv4-csum": (4, 0),
    "tcpv4-csum": (4, PROTO_TCP),
    "tcpv6-csum": (6, PROTO_TCP),
    "udpv4-csum": (4, PROTO_UDP),
    "udpv6-csum": (6, PROTO_UDP),
    "icmpv4-csum": (4, PROTO_ICMP),
    "icmpv6-csum": (6, PROTO_ICMPV6),
}


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


class OtherSize(FieldMatcher):
    """``dsize:!n``: a payload of another size; that of packets without payload is none."""

    __slots__ = ()

    @override
    def match(self, ctx: Context) -> bool:
        """Compare the size of a payload that is there."""
        if ctx.packet.payload_len <= 0:
            return False
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


class ChecksumMatcher(Matcher):
    """``ipv4-csum`` and its kin: the checksum of a layer is right or wrong, as far as it was verified."""

    __slots__ = ("bit", "invalid", "protocol", "version")

    def __init__(self, node: tree.Text) -> None:
        """Take over which layer is meant."""
        self.version, self.protocol = CHECKSUMS[node.keyword]
        self.bit = CSUM_BAD_L4 if self.protocol else CSUM_BAD_IP
        self.invalid = (node.argument.strip('"') == "invalid") != node.negated

    @override
    def match(self, ctx: Context) -> bool:
        """Compare with what the decoder noted."""
        packet = ctx.packet
        if packet.ip_version != self.version or (self.protocol and packet.proto != self.protocol):
            return False
        return bool(packet.csum & self.bit) == self.invalid


class KindMatcher(Matcher):
    """Rules for ``vxlan``, ``geneve``, ``arp`` and ``ether``: what the packet carries, or what it is."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        """Take over the protocol of the rule."""
        self.kind = kind

    @override
    def match(self, ctx: Context) -> bool:
        """Look at the packet that is carried, or at the Ethernet header."""
        packet = ctx.packet
        if self.kind == "arp":
            return bool(packet.ethertype == _ETH_ARP)
        if self.kind == "ether":
            return bool(packet.eth_src)
        return packet.inner is not None and packet.inner.tunnel == self.kind


class VersionMatcher(Matcher):
    """``l3_proto``: the version of IP."""

    __slots__ = ("version",)

    def __init__(self, name: str) -> None:
        """Take over ``ipv4``, ``ip4``, ``ipv6`` or ``ip6``."""
        self.version = int(name[-1])

    @override
    def match(self, ctx: Context) -> bool:
        """Compare."""
        return bool(ctx.packet.ip_version == self.version)


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
        fields = [int.from_bytes(call[i : i + 4], "big") for i in (12, 16, 20)]
        return _wanted(self.wanted, fields)


def _wanted(wanted: tuple[int | None, ...], fields: list[int]) -> bool:
    """Compare the fields that are not None."""
    return all(want in {None, field} for want, field in zip(wanted, fields, strict=True))


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
        if len(words) < 4 or not _numbers(words):
            return False
        return [int(word) for word in words] != list(packet.src)


def _numbers(words: list[bytes]) -> bool:
    """Tell whether all are numbers of at most three digits."""
    return all(word.isdigit() and len(word) <= 3 for word in words)


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
