"""Conditions on packets that need more than a header field: header buffers and the application's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from appliance.detect.buffers import PACKET_BUFFERS
from appliance.detect.matchers import Matcher
from appliance.detect.steps import Step, inspect

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.detect.context import Context
    from appliance.detect.transforms import Change
    from appliance.rulelang.tree import AppProtocol


# What the application is while it has not been recognised.
UNKNOWN = "unknown"


class PacketBufferTest:
    """A chain of steps on a header of the packet."""

    __slots__ = ("absent", "chain", "changes", "name", "or_else")

    def __init__(
        self, name: str, changes: tuple[Change, ...], chain: list[Step], absent: bool, or_else: bool
    ) -> None:
        """Inspect the header buffer ``name``, transformed."""
        self.name = name
        self.changes = changes
        self.chain = chain
        self.absent = absent
        self.or_else = or_else

    def match(self, ctx: Context) -> bool:
        """Fetch and inspect."""
        data = PACKET_BUFFERS[self.name](ctx.packet)
        if data is None:
            return self.absent
        if self.absent and not self.or_else:
            return False
        for change in self.changes:
            data = change(data)
        return inspect(self.chain, data, 0, True, ctx)


class AppProtocolMatcher(Matcher):
    """``app-layer-protocol``: what the flow was recognised as."""

    __slots__ = ("mode", "names", "negated")

    def __init__(self, node: AppProtocol, resolve: Callable[[str], tuple[str, ...]]) -> None:
        """Take over the node."""
        special = node.name in {"failed", "unknown"}
        self.names = frozenset((node.name,) if special else resolve(node.name) or (node.name,))
        self.negated = node.negated
        self.mode = node.mode

    @override
    def match(self, ctx: Context) -> bool:
        """Compare; "not" needs a protocol that is known."""
        if ctx.flow is None:
            return False
        found = self._found(ctx)
        if self.negated:
            known = [name for name in found if name != UNKNOWN]
            return bool(known) and not self.names.issuperset(known)
        return not self.names.isdisjoint(found)

    def _found(self, ctx: Context) -> tuple[str, ...]:
        """Give the names that count in this mode."""
        app = ctx.flow.app
        if app is None:
            return (UNKNOWN,)
        if self.mode == "final":
            return (app.proto or UNKNOWN,)
        if self.mode == "original":
            return (app.orig or UNKNOWN,)
        if self.mode == "either":
            return (_recognised(ctx, 0), _recognised(ctx, 1))
        ways = {"to_server": 0, "to_client": 1}
        return (_recognised(ctx, ways.get(self.mode, ctx.direction)),)


def _recognised(ctx: Context, direction: int) -> str:
    """Say what one direction was recognised as; of datagrams, one direction tells for both."""
    app = ctx.flow.app
    if ctx.flow.tcp is not None and not app.done[direction]:
        return UNKNOWN
    return (app.tc if direction else app.ts) or app.proto or UNKNOWN


class HookMatcher(Matcher):
    """Hook of a rule on packets: ``flow_start`` is the first packet of a flow, the others are all."""

    __slots__ = ("first",)

    def __init__(self, hook: str) -> None:
        """Take over the name."""
        self.first = hook == "flow_start"

    @override
    def match(self, ctx: Context) -> bool:
        """Count the packets of the flow so far, this one included."""
        if not self.first:
            return not ctx.packet.pseudo
        flow = ctx.flow
        return flow is not None and not ctx.packet.pseudo and flow.pkts_ts + flow.pkts_tc <= 1


class AppEventMatcher(Matcher):
    """``app-layer-event`` of protocol recognition itself, such as a mismatch of directions."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Look for ``name``."""
        self.name = name

    @override
    def match(self, ctx: Context) -> bool:
        """Look it up among those that were noted since the packet before."""
        flow = ctx.flow
        if flow is None or flow.app is None:
            return False
        return self.name in flow.app.events[flow.detect.noted :]
