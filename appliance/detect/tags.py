"""``tag``: after an alert, more packets of the same connection or host are to be recorded."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.model.flow import Flow
    from appliance.model.packet import Packet
    from appliance.rulelang.tree import Tag as TagOption

SECOND = 1_000_000_000
# Packets that a tag without a measure is for.
DEFAULT_PACKETS = 256
# Tags of one connection or host; of several rules, the first ones stay.
TAGS_LIMIT = 50


class Tag:
    """One tag: what is left of it. The packet that set it is its first one."""

    __slots__ = ("left", "metric", "until")

    def __init__(self, option: TagOption, packet: Packet, now: int) -> None:
        """Begin with the packet that the rule matched on."""
        self.metric = option.metric if option.count else "packets"
        count = option.count or DEFAULT_PACKETS
        self.left = count - (packet.wirelen if self.metric == "bytes" else 1)
        self.until = now + count * SECOND if self.metric == "seconds" else 0

    def take(self, packet: Packet, now: int) -> bool:
        """Tell whether one more packet is within the measure."""
        if self.metric == "seconds":
            return now < self.until
        if self.left <= 0:
            return False
        self.left -= packet.wirelen if self.metric == "bytes" else 1
        return True


class Tags:
    """Tags by connection and by host; when ``limit`` are held, the one set longest ago goes."""

    def __init__(self, limit: int = 65_536) -> None:
        """Start without tags."""
        self.held: OrderedDict[int | bytes, list[Tag]] = OrderedDict()
        self.limit = limit
        self.evicted = 0

    def start(self, options: list[TagOption], ctx: Context) -> None:
        """Tag what the packet of a match belongs to."""
        for option in options:
            key = _key(option, ctx)
            if key is None:
                continue
            if key not in self.held and len(self.held) >= self.limit:
                self.held.popitem(last=False)
                self.evicted += 1
            held = self.held.setdefault(key, [])
            if len(held) < TAGS_LIMIT:
                held.append(Tag(option, ctx.packet, ctx.now))

    def follow(self, packet: Packet, flow: Flow | None, now: int) -> bool:
        """Tell whether a packet is to be recorded for an earlier alert; what is used up goes."""
        if not self.held or packet.pseudo:
            return False
        found = False
        for key in (flow.id if flow is not None else None, packet.src, packet.dst):
            held = self.held.get(key) if key is not None else None
            if held is None or key is None:
                continue
            live = [tag for tag in held if tag.take(packet, now)]
            found = found or bool(live)
            if live:
                self.held[key] = live
            else:
                del self.held[key]
        return found

    def tagged(self, flow: Flow) -> bool:
        """Tell whether a connection or one of its ends is tagged."""
        tags = self.held
        return bool(tags) and (flow.id in tags or flow.client in tags or flow.server in tags)

    def forget(self, flow: Flow) -> None:
        """Forget a connection that has ended."""
        self.held.pop(flow.id, None)

    def __len__(self) -> int:
        """Number of connections and hosts with tags."""
        return len(self.held)


def _key(option: TagOption, ctx: Context) -> int | bytes | None:
    """Name what is tagged."""
    if option.kind == "host":
        address: bytes = ctx.packet.dst if option.direction == "dst" else ctx.packet.src
        return address or None
    return None if ctx.flow is None else int(ctx.flow.id)
