"""Puts the bytes of each direction in order; see ``docs/design/streams.md`` for the rules.

Positions are sequence numbers made 64-bit (``TcpPeer.position``); offsets count delivered bytes.
"""

from __future__ import annotations

from appliance.config.settings import StreamSettings
from appliance.model.chunk import Chunk
from appliance.model.cut import cut
from appliance.model.packet import TH_URG, Packet
from appliance.model.tcp import P_FIN, TcpPeer, TcpSegment
from appliance.model.verdict import Reason
from appliance.stream.overlap import POLICIES
from appliance.stream.result import StreamResult
from appliance.stream.retention import Retention
from appliance.stream.segments import (
    DIFFERENT,
    SAME,
    UNKNOWN,
    compare,
    insert,
    overlaps_differently,
    overlay,
    part,
)

# A one-sided stream has no ACK to confirm a hole: it is given up when so many segments wait behind it.
PATIENCE = 16
# Urgent bytes that one direction may take out of band; a stream of nothing else is an evasion.
MAX_URGENT = 65_536
# So far beyond the depth limit the last inspected bytes cannot be sent again: numbers may wrap from here on.
_FAR = 1 << 30
_TARGET = "stream.reassembly"
# Named since Cython makes Python objects of literals beyond 31 bits.
_MASK = 0xFFFFFFFF
_HALF = 0x80000000
_TURN = 0x100000000


class Reassembly:
    """Bytes in, chunks out. One object for all connections: it counts the memory they hold together."""

    __slots__ = (
        "default_rule",
        "depth",
        "first_rule",
        "inline",
        "memory",
        "policy",
        "urgent",
    )

    def __init__(self, settings: StreamSettings) -> None:
        """Take bounds and policies from ``settings``."""
        self.inline: bool = settings.inline
        self.depth: int = settings.depth
        self.urgent: str = settings.urgent
        self.policy: str = settings.reassembly_policy
        self.first_rule: bytes = POLICIES["first"]
        self.default_rule: bytes = POLICIES.get(settings.overlap_policy, POLICIES["bsd"])
        self.memory: Retention = Retention(settings)

    def place(self, peer: TcpPeer, seq: int) -> int:
        """Give the position of a sequence number: the one nearest to the next byte to hand on."""
        distance = (seq - peer.base_seq) & _MASK
        if distance >= _HALF:
            distance -= _TURN
        return peer.position + distance

    def accept(
        self, peer: TcpPeer, direction: int, packet: Packet, seq: int, one_sided: bool, result: StreamResult
    ) -> bool:
        """Take the payload, whose first byte has sequence number ``seq``.

        Returns False when the packet must not take effect, since there is no room to hold its bytes; inline,
        ``result.reason`` is set then. It is set as well when bytes contradict what was seen, but the rest of
        the segment counts: whether the packet is dropped or corrected, the receiver can only read that.
        """
        start = self.place(peer, seq)
        if self.depth and peer.delivered >= self.depth and start - peer.position > _FAR:
            self.memory.forget(peer)
            return True
        stop = self._stop(peer, start + packet.payload_len, result)
        begin = max(peer.position, start)
        if self.inline and (start < peer.position or peer.segments):
            self._verify(peer, packet, start, stop, result)
        if stop <= begin:
            return True
        if packet.tcp_flags & TH_URG and packet.urgent and self.urgent != "inline":
            return self._accept_urgent(peer, direction, packet, start, begin, stop, one_sided, result)
        offset = packet.payload_off - start
        data = cut(packet.frame, offset + begin, offset + stop)
        if begin == peer.position and (self.inline or one_sided) and not peer.segments:
            self._deliver(peer, direction, _segment(begin, stop, data, start, stop), not one_sided, result)
            return True
        return self._hold(peer, direction, _segment(begin, stop, data, begin, stop), one_sided, result)

    def _stop(self, peer: TcpPeer, stop: int, result: StreamResult) -> int:
        """Cut the end of a segment at the FIN and at the depth limit."""
        if peer.flags & P_FIN:
            limit = self.place(peer, peer.fin_seq)
            stop = min(stop, limit)
        if self.depth:
            limit = peer.position + self.depth - peer.delivered
            if stop > limit:
                stop = limit
                if not peer.depth_reached:
                    peer.depth_reached = True
                    result.note("reassembly_depth_reached")
        return stop

    def _verify(self, peer: TcpPeer, packet: Packet, start: int, stop: int, result: StreamResult) -> None:
        """Inline: see whether the bytes agree with those that were inspected or wait.

        What the receiver has acknowledged it will not take again, so that is not compared.
        """
        low = max(start, self.place(peer, peer.last_ack))
        high = min(peer.position, stop)
        data = packet.payload()
        outcome = compare(peer.buffer, data, start, low, high) if peer.buffer and low < high else SAME
        waiting = peer.segments
        if waiting and overlaps_differently(waiting, data, start, max(start, peer.position), stop):
            outcome = DIFFERENT
        if outcome == UNKNOWN:
            result.note("reassembly_no_segment")
            result.apply(self.policy, _TARGET)
        elif outcome == DIFFERENT:
            corrected = bytearray(data)
            if peer.buffer and low < high:
                overlay(peer.buffer, corrected, start, low, high)
            if waiting:
                overlay(waiting, corrected, start, max(start, peer.position), stop)
            result.replaced = bytes(corrected)
            self._refuse("reassembly_overlap_different_data", result)

    def _refuse(self, event: str, result: StreamResult) -> bool:
        result.note(event)
        if self.inline:
            result.reason = Reason.STREAM_REASSEMBLY
        return False

    def _accept_urgent(
        self,
        peer: TcpPeer,
        direction: int,
        packet: Packet,
        start: int,
        begin: int,
        stop: int,
        one_sided: bool,
        result: StreamResult,
    ) -> bool:
        """Take a segment with an urgent byte: it is left out, or counts as missing, or the packet is refused.

        The urgent pointer shows the byte after the urgent one, as all systems read it (RFC 6093).
        """
        if self.urgent == "drop":
            if self.inline:
                result.reason = Reason.STREAM_URGENT
            return False
        at = start + packet.urgent - 1
        filler: bytes | None = None
        if self.urgent == "oob":
            filler = b""
            if begin <= at < stop:
                peer.urgent += 1
            if peer.urgent > MAX_URGENT:
                return self._refuse("reassembly_urgent_oob_limit_reached", result)
        if not begin <= at < stop:
            at = stop
        data = packet.payload()
        first = begin - start
        pieces = (
            (begin, at, data[first : at - start]),
            (at, at + 1 if at < stop else at, filler),
            (at + 1, stop, data[at + 1 - start : stop - start]),
        )
        for low, high, piece in pieces:
            if low < high and not self._hold(
                peer, direction, TcpSegment(low, high, piece, begin, stop), one_sided, result
            ):
                return False
        return True

    def _hold(
        self, peer: TcpPeer, direction: int, new: TcpSegment, one_sided: bool, result: StreamResult
    ) -> bool:
        """Put a segment among those that wait, and hand on what that completes."""
        if peer.segments is None:
            peer.segments = []
        segments = peer.segments
        size = new.stop - new.start
        over = self.memory.full(peer, size, len(segments))
        if over and new.start > self._front(peer):
            result.apply(self.policy, _TARGET)
            return self._refuse("reassembly_no_segment", result)
        segment = segments[len(segments) - 1] if segments else new
        if segment is not new and new.start < segment.stop:
            self._overlap(peer, segments, new, result)
        else:
            segments.append(new)
            peer.held += size
            self.memory.total += size + self.memory.overhead
        if self.inline or one_sided or over:
            segment = segments[0]
            if one_sided and len(segments) > PATIENCE:
                self.release(peer, direction, segment.start, True, result)
            if segment.start <= peer.position:
                self.release(peer, direction, self._front(peer), False, result)
        return True

    def _overlap(
        self, peer: TcpPeer, segments: list[TcpSegment], new: TcpSegment, result: StreamResult
    ) -> None:
        """Insert where something may lie already. Inline, what lies there stays (and was compared)."""
        data = new.data
        if data and not self.inline and overlaps_differently(segments, data, new.start, new.start, new.stop):
            result.note("reassembly_overlap_different_data")
        rule = self.first_rule if self.inline else POLICIES.get(peer.os_policy, self.default_rule)
        count = len(segments)
        grown = insert(segments, new, rule)
        peer.held += grown
        self.memory.total += grown + self.memory.overhead * (len(segments) - count)

    def _front(self, peer: TcpPeer) -> int:
        """Give the position up to which everything is there."""
        position = peer.position
        if peer.segments is not None:
            for segment in peer.segments:
                if segment.start > position:
                    break
                position = segment.stop
        return position

    def known(self, peer: TcpPeer, seq: int) -> bool:
        """Tell whether there is no hole before sequence number ``seq``."""
        return self.place(peer, seq) <= self._front(peer)

    def release(self, peer: TcpPeer, direction: int, upto: int, gaps: bool, result: StreamResult) -> None:
        """Hand on everything before position ``upto``; a hole ends it, or is reported if ``gaps``."""
        upto = self._limit(peer, upto)
        if peer.position >= upto:
            return
        segments = peer.segments if peer.segments is not None else []
        keep = self.inline
        parts: list[bytes] = []
        count = 0
        while peer.position < upto:
            segment = segments[count] if count < len(segments) else None
            if segment is not None and segment.start <= peer.position:
                end = min(upto, segment.stop)
                if segment.data is None:
                    self._flush(peer, direction, parts, result)
                    self._gap(peer, direction, end, result)
                else:
                    parts.append(part(segment, segment.start, end))
                    self._advance(peer, end)
                self._take(peer, segment, end, keep)
                if segment.start < segment.stop:
                    break
                count += 1
            elif not gaps:
                break
            else:
                end = upto if segment is None else min(upto, segment.start)
                self._flush(peer, direction, parts, result)
                self._gap(peer, direction, end, result)
        self._flush(peer, direction, parts, result)
        if count:
            del segments[:count]
            self.memory.total -= self.memory.overhead * count

    def _limit(self, peer: TcpPeer, upto: int) -> int:
        if peer.flags & P_FIN:
            limit = self.place(peer, peer.fin_seq)
            upto = min(upto, limit)
        if self.depth:
            limit = peer.position + self.depth - peer.delivered
            upto = min(upto, limit)
        return upto

    def _take(self, peer: TcpPeer, segment: TcpSegment, end: int, keep: bool) -> None:
        """Take the part of a waiting segment before ``end`` off the books; inline, keep it to compare."""
        size = end - segment.start
        peer.held -= size
        self.memory.total -= size
        if keep:
            data = segment.data if segment.data is not None else b""
            kept = TcpSegment(segment.start, end, data, segment.first, segment.last)
            kept.skip = segment.skip
            self.memory.keep(peer, kept)
        segment.skip += size
        segment.start = end

    def _flush(self, peer: TcpPeer, direction: int, parts: list[bytes], result: StreamResult) -> None:
        """Make one chunk of the parts; ``peer.position`` stands behind them already."""
        if not parts:
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        del parts[:]
        if data:
            result.add(Chunk(direction, peer.delivered, data))
            peer.delivered += len(data)

    def _advance(self, peer: TcpPeer, end: int) -> None:
        peer.base_seq = (peer.base_seq + end - peer.position) & _MASK
        peer.position = end

    def _gap(self, peer: TcpPeer, direction: int, end: int, result: StreamResult) -> None:
        """Report that the bytes before ``end`` will not come."""
        size = end - peer.position
        result.add(Chunk(direction, peer.delivered, b"", size))
        result.note("reassembly_seq_gap")
        peer.gaps += 1
        peer.delivered += size
        self._advance(peer, end)

    def _deliver(
        self, peer: TcpPeer, direction: int, segment: TcpSegment, keep: bool, result: StreamResult
    ) -> None:
        """Hand on a segment that is next in order while nothing waits: the fast path."""
        data = segment.data
        if data is not None:
            result.add(_chunk(direction, peer.delivered, data))
            peer.delivered += len(data)
        self._advance(peer, segment.stop)
        if keep and self.inline:
            self.memory.keep(peer, segment)

    def acknowledge(self, peer: TcpPeer, direction: int, seq: int, result: StreamResult) -> None:
        """Note that the receiver has everything before ``seq``: it is handed on if it was not yet.

        Captures can show an ACK before the data it is for. So a hole is reported only when the sender itself
        has gone on behind it.
        """
        upto = self.place(peer, seq)
        if upto > peer.position:
            sent = self.place(peer, peer.next_seq)
            self.release(peer, direction, min(upto, sent), True, result)
        self.memory.acknowledged(peer, upto)

    def restart(self, peer: TcpPeer, seq: int) -> None:
        """Forget everything of a direction, and let its next byte be ``seq``."""
        self.memory.forget(peer)
        peer.base_seq = seq & _MASK

    def drain(self, peer: TcpPeer, direction: int, result: StreamResult) -> None:
        """Hand on all that waits, acknowledged or not, and end the direction."""
        if peer.segments:
            segment = peer.segments[len(peer.segments) - 1]
            self.release(peer, direction, segment.stop, True, result)
        acked = self.place(peer, peer.last_ack)
        if acked > peer.position + 1:  # one more than was seen may be a FIN
            self.release(peer, direction, acked, True, result)
        self.end(peer, direction, result)
        self.memory.forget(peer)

    def end(self, peer: TcpPeer, direction: int, result: StreamResult) -> None:
        """Mark the end of a direction, once: on its last chunk here, or with an empty one."""
        if peer.closed:
            return
        peer.closed = True
        if result.found:
            chunk = result.found[len(result.found) - 1]
            if chunk.direction == direction and chunk.data:
                chunk.eof = True
                return
        result.add(Chunk(direction, peer.delivered, b"", 0, True))


# One of each for nearly every packet: made here field by field, since calling a class makes objects of all
# numbers first.


def _segment(start: int, stop: int, data: bytes, first: int, last: int) -> TcpSegment:
    made = TcpSegment.__new__(TcpSegment)
    made.start, made.stop = start, stop
    made.first, made.last = first, last
    made.skip = 0
    made.data = data
    return made


def _chunk(direction: int, offset: int, data: bytes) -> Chunk:
    made = Chunk.__new__(Chunk)
    made.direction = direction
    made.offset = offset
    made.data = data
    made.gap = 0
    made.eof = False
    return made
