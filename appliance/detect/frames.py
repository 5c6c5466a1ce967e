"""Rules on frames: pieces of a flow whose place a parser has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.packetinspect import accept
from appliance.detect.steps import inspect

if TYPE_CHECKING:
    from appliance.detect.context import Context
    from appliance.detect.packetinspect import PacketInspector
    from appliance.detect.result import Filter, Match
    from appliance.detect.ruleset import Ruleset
    from appliance.detect.signature import Signature
    from appliance.detect.state import FlowDetect
    from appliance.detect.steps import Step
    from appliance.detect.transforms import Change
    from appliance.model.app import Frame, Parser

# Bytes of open frames that are kept for their rules, and of one frame that an alert tells.
KEPT = 256 << 10
TOLD = 4096
_UNKNOWN = 1 << 62  # end of a frame that has not ended


class FrameTest:
    """The frame that a rule names, and the chains that inspect it (with transforms), all the same frame."""

    __slots__ = ("chains", "name", "protocols")

    def __init__(self, protocols: frozenset[str], name: str) -> None:
        """Name the frame; chains are added."""
        self.protocols = protocols
        self.name = name
        self.chains: list[tuple[tuple[Change, ...], list[Step]]] = []

    def match(self, piece: bytes, base: int, final: bool, ctx: Context) -> bool:
        """Inspect what there is of a frame; it is transformed only as a whole."""
        for changes, chain in self.chains:
            if changes and (base or not final):
                return False
            data = piece
            for change in changes:
                data = change(data)
            if not inspect(chain, data, base, final, ctx):
                return False
        return True


class FrameInspector:
    """Evaluates the frames in the direction of a packet; those that are complete are let go then."""

    def __init__(self, ruleset: Ruleset, ctx: Context, packets: PacketInspector) -> None:
        """Share ``ctx`` with the other inspectors; ``packets`` knows stream and payload."""
        self._ruleset = ruleset
        self._ctx = ctx
        self._packets = packets
        self.log = False  # frames that are done are wanted, for records
        self.done: list[tuple[str, dict[str, object]]] = []  # of the last packet: protocol, description

    def inspect(self, state: FlowDetect, allowed: Filter | None, found: list[Match]) -> int:
        """Evaluate; gives how many bytes at the end of the stream are still of use to open frames."""
        app = self._ctx.flow.app
        keep = 0
        self.done = []
        for parser, protocol in ((app.previous, app.orig), (app.parser, app.proto)):
            if parser is not None and parser.frames:
                keep = max(keep, self._parser(parser, protocol, state, allowed, found))
        return min(keep, KEPT)

    def _parser(
        self, parser: Parser, protocol: str, state: FlowDetect, allowed: Filter | None, found: list[Match]
    ) -> int:
        ctx = self._ctx
        data, base, ended = self._bytes(state)
        earlier = (state.tails[ctx.direction].earlier if ctx.flow.tcp is not None else None) or ()
        open_frames, keep = [], 0
        for frame in parser.frames:
            if frame.direction != ctx.direction:
                open_frames.append(frame)
                continue
            for piece in earlier:
                if piece.base <= frame.offset < piece.end or frame.offset < piece.base < _end(frame):
                    whole = _end(frame) <= piece.end
                    self._frame(frame, parser, protocol, piece.data, piece.base, whole, allowed, found)
            final = ended or 0 <= frame.length <= base + len(data) - frame.offset
            self._frame(frame, parser, protocol, data, base, final, allowed, found)
            if not final:
                open_frames.append(frame)
                keep = max(keep, base + len(data) - frame.offset)
        parser.frames = open_frames
        return keep

    def _bytes(self, state: FlowDetect) -> tuple[bytes, int, bool]:
        """Give the bytes at hand, the offset of the first one and whether none can follow."""
        ctx = self._ctx
        if ctx.flow.tcp is None:
            payload = b"" if ctx.packet.pseudo else ctx.packet.payload()
            return payload, ctx.flow.app.position[ctx.direction] - len(payload), True
        tail = state.tails[ctx.direction]
        data = self._packets.payload_view()[0] if tail.waiting() else bytes(tail.data)
        return data, tail.base, tail.seen_end or ctx.packet.pseudo

    def _frame(
        self,
        frame: Frame,
        parser: Parser,
        protocol: str,
        data: bytes,
        base: int,
        final: bool,
        allowed: Filter | None,
        found: list[Match],
    ) -> None:
        """Evaluate the rules on one frame when there is more of it than before."""
        start = max(frame.offset, base)
        stop = base + len(data) if frame.length < 0 else min(base + len(data), frame.offset + frame.length)
        piece = data[start - base : max(stop - base, 0)]
        if piece and final and self.log:
            self.done.append((protocol, _told(frame, piece, final)))
        if not piece or (stop <= frame.seen and not final):
            return
        frame.seen = stop
        for index in self._ruleset.frame_rules.get((protocol, frame.name), ()):
            signature = self._ruleset.signatures[index]
            wanted = _direction_fits(signature, frame) and index not in frame.rules
            if not wanted or (allowed is not None and not allowed.enabled(index)):
                continue
            if self._holds(signature, piece, start - frame.offset, final):
                frame.rules.add(index)
                match = accept(signature, self._ctx, "frame")
                match.context["frame"] = _told(frame, piece, final)
                match.tx = next((tx for tx in parser.transactions if tx.id == frame.tx_id), None)
                found.append(match)

    def _holds(self, signature: Signature, piece: bytes, base: int, final: bool) -> bool:
        """Test what the rule says of the packet, then its chains on the frame."""
        ctx = self._ctx
        ctx.captures = []
        ctx.values = [0] * signature.variables
        if signature.frame is None or not signature.header.match(ctx):
            return False
        if not all(matcher.match(ctx) for matcher in signature.matchers):
            return False
        if not all(test.match(ctx) for test in signature.packet_tests):
            return False
        if signature.chain is not None:
            payload, offset = self._packets.payload_view()
            if not inspect(signature.chain, payload, offset, True, ctx):
                return False
        return signature.frame.match(piece, base, final, ctx)


def _end(frame: Frame) -> int:
    """Give where a frame ends in the stream, as far as that is known."""
    return frame.offset + frame.length if frame.length >= 0 else _UNKNOWN


def _direction_fits(signature: Signature, frame: Frame) -> bool:
    """Tell whether the rule looks at frames of this direction."""
    return frame.direction in signature.directions


def _told(frame: Frame, piece: bytes, final: bool) -> dict[str, object]:
    """Describe a frame for the alert."""
    out: dict[str, object] = {
        "type": frame.name,
        "id": frame.number,
        "direction": "toclient" if frame.direction else "toserver",
        "stream_offset": frame.offset,
        "length": frame.length if frame.length >= 0 else len(piece),
        "complete": final and frame.length >= 0,
    }
    if frame.tx_id >= 0:
        out["tx_id"] = frame.tx_id
    out["payload"] = piece[:TOLD]
    return out
