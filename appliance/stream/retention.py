"""Memory of reassembly: what all connections hold together, and bytes kept to compare with.

Inline, bytes that were handed on are kept until the receiver acknowledged them, since until then it may
still take other bytes for them.
"""

from __future__ import annotations

from appliance.config.settings import StreamSettings
from appliance.model.tcp import TcpPeer, TcpSegment

# What a held segment costs besides its bytes, so that many small ones are counted for what they are.
OVERHEAD = 96


class Retention:
    """Counts ``total``, the memory of all connections, and keeps what was handed on."""

    __slots__ = ("max_held", "max_segments", "max_total", "overhead", "total")

    def __init__(self, settings: StreamSettings) -> None:
        """Take bounds from ``settings``."""
        self.max_segments: int = settings.max_segments
        self.max_held: int = settings.max_held
        self.max_total: int = settings.max_total
        self.overhead: int = OVERHEAD
        self.total: int = 0

    def full(self, peer: TcpPeer, size: int, count: int) -> bool:
        """Tell whether ``size`` bytes more in a list of ``count`` segments would break a bound."""
        return (
            count >= self.max_segments
            or peer.held + size > self.max_held
            or self.total + size + self.overhead > self.max_total
        )

    def keep(self, peer: TcpPeer, segment: TcpSegment) -> None:
        """Remember bytes handed on; the oldest go when there is no room."""
        if peer.buffer is None:
            peer.buffer = []
        buffer = peer.buffer
        size = segment.stop - segment.start
        buffer.append(segment)
        peer.kept += size
        self.total += size + self.overhead
        count = 0
        spare = len(buffer) - self.max_segments
        while count < len(buffer) and (
            count < spare or peer.kept > self.max_held or self.total > self.max_total
        ):
            self._drop(peer, buffer[count])
            count += 1
        if count:
            del buffer[:count]

    def _drop(self, peer: TcpPeer, segment: TcpSegment) -> None:
        size = segment.stop - segment.start
        peer.kept -= size
        self.total -= size + self.overhead

    def acknowledged(self, peer: TcpPeer, upto: int) -> None:
        """Forget what lies before position ``upto``: the receiver has it."""
        buffer = peer.buffer
        if not buffer:
            return
        count = 0
        size = len(buffer)
        while count < size:
            segment = buffer[count]
            if segment.stop > upto:
                break
            self._drop(peer, segment)
            count += 1
        if count == size:
            buffer.clear()
        elif count:
            del buffer[:count]

    def discard(self, peer: TcpPeer) -> None:
        """Throw away what waits."""
        if peer.segments:
            self.total -= peer.held + self.overhead * len(peer.segments)
        peer.segments = None
        peer.held = 0

    def forget(self, peer: TcpPeer) -> None:
        """Let go of all memory of a direction."""
        self.discard(peer)
        if peer.buffer:
            self.total -= peer.kept + self.overhead * len(peer.buffer)
        peer.buffer = None
        peer.kept = 0

    def charge(self, peer: TcpPeer) -> None:
        """Count the memory of a direction that was tracked elsewhere until now."""
        if peer.segments:
            self.total += peer.held + self.overhead * len(peer.segments)
        if peer.buffer:
            self.total += peer.kept + self.overhead * len(peer.buffer)
