"""State that rules keep for each other: flowbits, flowint, xbits and hostbits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.matchers import Matcher

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.detect.hosttable import HostTable
    from appliance.model.packet import Packet
    from appliance.rulelang.tree import Bits, FlowInt

SECOND = 1_000_000_000
# Bits and integers of one flow, above which no new ones are kept.
FLOW_LIMIT = 256
_CHECKS = frozenset(("isset", "isnotset"))
_INT_CHECKS = frozenset(("<", ">", "<=", ">=", "==", "!=", "isset", "notset", "isnotset"))
_UINT32 = 0xFFFFFFFF


class Effect:
    """Something a rule does when it has matched."""

    __slots__ = ()

    def apply(self, ctx: Context) -> None:
        """Do it."""
        raise NotImplementedError


class KeepEffect(Effect):
    """``tls.store``: the certificates of the connection are to be in its record."""

    __slots__ = ()

    @override
    def apply(self, ctx: Context) -> None:
        """Tell the transaction that has matched, or the last one of the flow."""
        app = ctx.flow.app if ctx.flow is not None else None
        if ctx.tx is not None:
            ctx.tx.keep()
        elif app is not None and app.parser is not None and app.parser.transactions:
            app.parser.transactions[-1].keep()


def is_check(node: Bits | FlowInt) -> bool:
    """Tell whether the node is a condition, and not an effect."""
    if hasattr(node, "command"):
        return node.command in _CHECKS
    return node.modifier in _INT_CHECKS


class FlowBitCheck(Matcher):
    """``flowbits:isset`` and ``isnotset``, with alternatives."""

    __slots__ = ("names", "wanted")

    def __init__(self, node: Bits) -> None:
        """Take over the names."""
        self.names = node.names
        self.wanted = node.command == "isset"

    @override
    def match(self, ctx: Context) -> bool:
        """One of the names has to be set (or not set)."""
        flow = ctx.flow
        if flow is None:
            return False
        bits = flow.bits or ()
        for name in self.names:  # noqa: SIM110 - a generator would not compile
            if (name in bits) == self.wanted:
                return True
        return False


class FlowBitEffect(Effect):
    """``flowbits:set``, ``unset`` and ``toggle``."""

    __slots__ = ("command", "names")

    def __init__(self, node: Bits) -> None:
        """Take over the names."""
        self.command = node.command
        self.names = node.names

    @override
    def apply(self, ctx: Context) -> None:
        """Change the bits of the flow, if there is one."""
        flow = ctx.flow
        if flow is None:
            return
        bits = flow.bits
        if bits is None:
            bits = flow.bits = set()
        for name in self.names:
            if self.command == "unset" or (self.command == "toggle" and name in bits):
                bits.discard(name)
            elif len(bits) < FLOW_LIMIT:
                bits.add(name)


class FlowIntCheck(Matcher):
    """``flowint`` comparisons; a variable that is not set satisfies only ``notset``."""

    __slots__ = ("modifier", "name", "value")

    def __init__(self, node: FlowInt) -> None:
        """Take over the node."""
        self.name = node.name
        self.modifier = node.modifier
        self.value = node.value

    @override
    def match(self, ctx: Context) -> bool:
        """Compare with a constant or another variable of the flow."""
        if ctx.flow is None:
            return False
        ints: dict[str, int] = ctx.flow.ints or {}
        if self.modifier in {"notset", "isnotset"}:
            return self.name not in ints
        if self.modifier == "isset":
            return self.name in ints
        left = ints.get(self.name)
        right = self.value if isinstance(self.value, int) else ints.get(self.value)
        if left is None or right is None:
            return False
        if self.modifier == "<":
            return left < right
        if self.modifier == ">":
            return left > right
        if self.modifier == "<=":
            return left <= right
        if self.modifier == ">=":
            return left >= right
        return (left == right) == (self.modifier == "==")


class FlowIntEffect(Effect):
    """``flowint`` assignments: 32-bit, saturating at both ends."""

    __slots__ = ("modifier", "name", "value")

    def __init__(self, node: FlowInt) -> None:
        """Take over the node."""
        self.name = node.name
        self.modifier = node.modifier
        self.value = node.value

    @override
    def apply(self, ctx: Context) -> None:
        """Assign, add or subtract."""
        flow = ctx.flow
        if flow is None:
            return
        if flow.ints is None:
            flow.ints = {}
        ints = flow.ints
        value = self.value if isinstance(self.value, int) else ints.get(self.value)
        if value is None or (self.name not in ints and len(ints) >= FLOW_LIMIT):
            return
        before = ints.get(self.name, 0)
        change = {"+": before + value, "-": before - value}
        ints[self.name] = min(max(change.get(self.modifier, value), 0), _UINT32)


def host_key(track: str, ctx: Context) -> bytes:
    """Name the host (or pair of hosts) whose bits are meant."""
    packet: Packet = ctx.packet
    segment = (packet.place >> 32).to_bytes(2, "big") if packet.place else b""
    if track in {"ip_src", "src"}:
        return b"h" + packet.src + segment
    if track in {"ip_dst", "dst"}:
        return b"h" + packet.dst + segment
    return b"p" + min(packet.src, packet.dst) + max(packet.src, packet.dst) + segment


class HostBitCheck(Matcher):
    """``xbits`` and ``hostbits``: isset and isnotset."""

    __slots__ = ("names", "table", "track", "wanted")

    def __init__(self, node: Bits, table: HostTable) -> None:
        """Look into ``table``."""
        self.names = node.names
        self.track = node.track
        self.wanted = node.command == "isset"
        self.table = table

    @override
    def match(self, ctx: Context) -> bool:
        """One of the names has to be set (or not set) for one of the tracked hosts."""
        if self.track == "tx":
            return self._in_tx(tx_bits(ctx))
        tracks = ("ip_src", "ip_dst") if self.track == "both" else (self.track or "ip_src",)
        for track in tracks:  # noqa: SIM110 - a generator would not compile
            if self._on_host(host_key(track, ctx), ctx.now):
                return True
        return False

    def _in_tx(self, bits: set[str]) -> bool:
        """Look at the bits of the transaction."""
        return any((f"tx:{name}" in bits) == self.wanted for name in self.names)

    def _on_host(self, key: bytes, now: int) -> bool:
        """Look at the bits of one host or pair."""
        return any(self.table.isset(key, name, now) == self.wanted for name in self.names)


class HostBitEffect(Effect):
    """``xbits`` and ``hostbits``: set, unset and toggle."""

    __slots__ = ("command", "names", "seconds", "table", "track")

    def __init__(self, node: Bits, table: HostTable) -> None:
        """Change ``table``; without an expiry a bit lasts five minutes."""
        self.command = node.command
        self.names = node.names
        self.track = node.track
        self.seconds = node.expire or 300
        self.table = table

    @override
    def apply(self, ctx: Context) -> None:
        """Change the bits of each tracked host."""
        if self.track == "tx":
            self._apply_tx(ctx)
            return
        tracks = ("ip_src", "ip_dst") if self.track == "both" else (self.track or "ip_src",)
        for track in tracks:
            key = host_key(track, ctx)
            for name in self.names:
                there = self.table.isset(key, name, ctx.now)
                if self.command == "unset" or (self.command == "toggle" and there):
                    self.table.clear(key, name)
                else:
                    self.table.set(key, name, ctx.now, ctx.now + self.seconds * SECOND)

    def _apply_tx(self, ctx: Context) -> None:
        """Change bits that live as long as the transaction."""
        bits = tx_bits(ctx)
        for name in self.names:
            label = f"tx:{name}"
            if self.command == "unset" or (self.command == "toggle" and label in bits):
                bits.discard(label)
            elif len(bits) < FLOW_LIMIT:
                bits.add(label)


def tx_bits(ctx: Context) -> set[str]:
    """Give the bits of the transaction under inspection; an empty set outside of one."""
    if ctx.tx is None:
        return set()
    if ctx.tx.matched is None:
        ctx.tx.matched = set()
    bits: set[str] = ctx.tx.matched
    return bits
