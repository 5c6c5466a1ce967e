"""What detection remembers of a flow and of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.model.chunk import Chunk

# Stream bytes of one direction that may wait for a packet to be inspected with.
PENDING_LIMIT = 1 << 20


# Pieces before holes that are kept of one direction.
PIECES = 64


class StreamPiece:
    """What stands before a hole: bytes from ``base`` on, inspected up to ``fresh``; ``hits`` as of a tail."""

    __slots__ = ("base", "data", "fresh", "hits")

    def __init__(self, base: int, data: bytes, fresh: int, hits: dict[int, int]) -> None:
        """Take over the end of a tail."""
        self.base = base
        self.data = data
        self.fresh = fresh
        self.hits = hits

    @property
    def end(self) -> int:
        """Stream offset behind the last byte."""
        return self.base + len(self.data)


class StreamTail:
    """The end of one direction of a stream: what was inspected last and what was not yet.

    ``earlier`` are the pieces before holes, which are inspected each on its own and kept as long as the tail
    would have been.

    ``base`` is the stream offset of the first byte kept, ``fresh`` that of the first one not yet
    inspected. ``hits`` says up to which offset a rule has used the stream: the bytes of one match do not
    serve for another of the same rule.
    """

    __slots__ = ("base", "data", "earlier", "fresh", "hits", "lost", "seen_end")

    def __init__(self) -> None:
        """Start at the beginning of the stream."""
        self.data = bytearray()
        self.base = 0
        self.fresh = 0
        self.hits: dict[int, int] = {}
        self.earlier: list[StreamPiece] = []
        self.lost = 0
        self.seen_end = False

    @property
    def end(self) -> int:
        """Stream offset behind the last byte."""
        return self.base + len(self.data)

    def add(self, chunk: Chunk) -> None:
        """Append a piece; nothing matches across a hole."""
        if chunk.gap or chunk.offset != self.end:
            self._restart(chunk.offset + chunk.gap)
        self.data += chunk.data
        excess = len(self.data) - PENDING_LIMIT
        if excess > 0:
            lost = max(self.base + excess - self.fresh, 0)
            self.lost += lost
            self.fresh += lost
            self._drop(excess)
        self.seen_end = self.seen_end or chunk.eof

    def waiting(self) -> bool:
        """Tell whether there is something that was not inspected."""
        return self.fresh < self.base + len(self.data)

    def settle(self, window: int) -> None:
        """Note that all was inspected, and keep at most ``window`` bytes of it."""
        self.fresh = self.end
        if self.earlier:
            self.earlier = [piece for piece in self.earlier if piece.end > self.end - window]
        self._drop(len(self.data) - window)
        if self.hits:
            self.hits = {rule: end for rule, end in self.hits.items() if end > self.base}

    def _drop(self, count: int) -> None:
        """Forget the first ``count`` bytes."""
        if count > 0:
            del self.data[:count]
            self.base += count

    def _restart(self, offset: int) -> None:
        """Go on behind a hole; what stands before it is inspected as a piece of its own."""
        if self.data:
            self._set_aside(StreamPiece(self.base, bytes(self.data), self.fresh, self.hits))
        self.data.clear()
        self.base = self.fresh = offset
        self.hits = {}

    def _set_aside(self, piece: StreamPiece) -> None:
        """Keep a piece; the oldest go when there are too many or too many bytes."""
        self.earlier.append(piece)
        held = sum(len(one.data) for one in self.earlier)
        while len(self.earlier) > PIECES or held > PENDING_LIMIT:
            first = self.earlier.pop(0)
            held -= len(first.data)
            self.lost += max(first.end - first.fresh, 0)

    def shown(self, most: int) -> bytes:
        """Give the last ``most`` bytes for a record, with a word in the place of each hole."""
        parts: list[bytes] = []
        after = self.base
        if self.data:
            parts.append(bytes(self.data[-most:]))
        for piece in reversed(self.earlier):
            if parts:
                parts.append(b"[%d bytes missing]" % (after - piece.end))
            parts.append(piece.data[-most:])
            after = piece.base
        return b"".join(reversed(parts))[-most:]


class FlowDetect:
    """Detection's part of a flow: stream tails, what fired once, whether inspection has ended.

    ``established`` is what the flow was after the packet before, ``inspected`` that there was one; ``names``
    says whose indexes those of rules are (:class:`~appliance.detect.handover.RuleNames`). ``recognised`` are
    directions whose recognition has ended, for the next packet that goes their way.
    """

    __slots__ = (
        "again",
        "ended",
        "established",
        "events_seen",
        "guessed",
        "inspected",
        "names",
        "noted",
        "once",
        "recognised",
        "tails",
    )

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.tails: list[StreamTail] = [StreamTail(), StreamTail()]
        self.recognised: list[bool] = [False, False]
        self.again: list[bool] = [False, False]
        self.noted: int = 0  # events of recognition that were there before this packet
        self.guessed: dict[int, int] = {}  # alerts that name a transaction by a guess, by its number
        self.once: set[int] = set()
        self.events_seen: list[int] = [0, 0]
        self.ended: bool = False
        self.names: Any = None
        self.established: bool = False
        self.inspected: bool = False

    def turn(self) -> None:
        """Exchange the directions: the flow was found to run the other way."""
        self.tails.reverse()
        self.recognised.reverse()
        self.again.reverse()
        self.events_seen.reverse()


class RuleState:
    """Progress of one rule in one transaction: which of its tests hold already.

    ``fed`` is how much data of the direction there was when a rule matched that may match again, else -1.
    """

    __slots__ = ("fed", "held", "values")

    def __init__(self, variables: int) -> None:
        """Start with no test passed and all variables 0."""
        self.fed: int = -1
        self.held: int = 0
        self.values: list[int] = [0] * variables


class TxSide:
    """Inspection state of one direction of a transaction.

    ``scanned`` gives for each buffer the sizes already scanned, None when its value was final;
    ``pending`` the candidate rules; ``done`` those that matched or no longer can.
    """

    __slots__ = ("done", "pending", "scanned", "seen", "started")

    def __init__(self) -> None:
        """Start with nothing scanned."""
        self.scanned: dict[int, tuple[int, ...] | None] = {}
        self.pending: dict[int, RuleState] = {}
        self.done: set[int] = set()
        self.seen: tuple[int, ...] = ()
        self.started: bool = False


class TxDetect:
    """Inspection state of a transaction; ``both`` holds rules that span both directions."""

    __slots__ = ("both", "both_done", "sides")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.sides: list[TxSide] = [TxSide(), TxSide()]
        self.both: dict[int, RuleState] = {}
        self.both_done: set[int] = set()
