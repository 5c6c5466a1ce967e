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
            return "unknown" not in found and not self.names.intersection(found)
        return bool(self.names.intersection(found))

    def _found(self, ctx: Context) -> tuple[str, ...]:
        """Give the names that count in this mode."""
        app = ctx.flow.app
        if app is None:
            return ("unknown",)
        proto = app.proto
        server = app.ts or proto or "unknown"
        client = app.tc or proto or "unknown"
        modes = {
            "final": (proto or "unknown",),
            "either": (server, client),
            "to_server": (server,),
            "to_client": (client,),
            "original": (app.orig or "unknown",),
        }
        return modes.get(self.mode, (client if ctx.direction else server,))


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
        """Look it up in the flow."""
        app = ctx.flow.app if ctx.flow is not None else None
        return app is not None and self.name in app.events
