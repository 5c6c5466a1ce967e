"""What detection remembers of a flow and of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.detect.txgroup import TxEntry, TxScope
    from appliance.model.chunk import Chunk

# Stream bytes of one direction that may wait for a packet to be inspected with.
PENDING_LIMIT = 1 << 20
# The variables of rules that have none.
_NO_VALUES: list[int] = []


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
    serve for another of the same rule. ``scanned`` is the offset of the first byte not yet searched for
    patterns, and ``found`` says of those found before it up to which offset they may reach. ``latest`` are
    the bytes that came last, until they are inspected.
    """

    __slots__ = ("base", "data", "earlier", "found", "fresh", "hits", "latest", "lost", "scanned", "seen_end")

    def __init__(self) -> None:
        """Start at the beginning of the stream."""
        self.data = bytearray()
        self.latest: bytes = b""
        self.base: int = 0
        self.fresh: int = 0
        self.hits: dict[int, int] = {}
        self.earlier: list[StreamPiece] = []
        self.lost: int = 0
        self.seen_end: bool = False
        self.scanned: int = 0
        self.found: dict[int, int] = {}

    @property
    def end(self) -> int:
        """Stream offset behind the last byte."""
        return self.base + len(self.data)

    def add(self, chunk: Chunk) -> None:
        """Append a piece; nothing matches across a hole."""
        if chunk.gap or chunk.offset != self.base + len(self.data):
            self._restart(chunk.offset + chunk.gap)
        self.data += chunk.data
        if chunk.data:
            self.latest = chunk.data
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

    def unsearched(self, overlap: int) -> bytes | bytearray:
        """Give the bytes not yet searched for patterns, and ``overlap`` before them."""
        start = self.scanned - overlap - self.base
        return self.data[start:] if start > 0 else self.data

    def settle(self, window: int) -> None:
        """Note that all was inspected, and keep at most ``window`` bytes of it."""
        end = self.fresh = self.base + len(self.data)
        self.latest = b""
        if self.earlier:
            self.earlier = [piece for piece in self.earlier if piece.end > end - window]
        self._drop(len(self.data) - window)
        if self.hits:
            self.hits = {rule: end for rule, end in self.hits.items() if end > self.base}

    def _drop(self, count: int) -> None:
        """Forget the first ``count`` bytes."""
        if count > 0:
            del self.data[:count]
            self.base += count
            if self.found:
                self.found = {pattern: end for pattern, end in self.found.items() if end > self.base}

    def _restart(self, offset: int) -> None:
        """Go on behind a hole; what stands before it is inspected as a piece of its own."""
        if self.data:
            self._set_aside(StreamPiece(self.base, bytes(self.data), self.fresh, self.hits))
        self.data.clear()
        self.latest = b""
        self.base = self.fresh = self.scanned = offset
        self.hits = {}
        self.found.clear()

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

    def search_anew(self) -> None:
        """Search all bytes again: for the patterns of the other direction, or of other rules."""
        self.scanned = self.base
        self.found.clear()


class FlowDetect:
    """Detection's part of a flow: stream tails, what fired once, whether inspection has ended.

    ``established`` is what the flow was after the packet before, ``inspected`` that there was one; ``names``
    says whose indexes those of rules are (:class:`~appliance.detect.handover.RuleNames`). ``recognised`` are
    directions whose recognition has ended, for the next packet that goes their way. ``scopes`` say for each
    direction what its transactions are checked for, once that was found out.
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
        "scopes",
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
        self.scopes: list[TxScope | None] = [None, None]

    def turn(self) -> None:
        """Exchange the directions: the flow was found to run the other way."""
        self.tails.reverse()
        for tail in self.tails:
            tail.search_anew()
        self.recognised.reverse()
        self.again.reverse()
        self.events_seen.reverse()
        self.scopes = [None, None]


class RuleState:
    """Progress of one rule in one transaction: which of its tests hold already.

    ``fed`` is how much data of the direction there was when a rule matched that may match again, else -1.
    """

    __slots__ = ("fed", "held", "values")

    def __init__(self, variables: int) -> None:
        """Start with no test passed and all variables 0."""
        self.fed: int = -1
        self.held: int = 0
        self.values: list[int] = [0] * variables if variables else _NO_VALUES


class TxSide:
    """Inspection state of one direction of a transaction.

    ``final`` counts the tables of the scope that were searched when the value of their buffer was final;
    ``sizes`` gives those of the others, as far as they were searched. ``pending`` holds the candidate rules
    by their index; ``done`` are those that matched or no longer can. ``before`` are the numbers of
    the buffers that were final under the name that the protocol had before.
    """

    __slots__ = ("before", "done", "final", "pending", "scope", "sizes", "started")

    def __init__(self) -> None:
        """Start with nothing searched."""
        self.scope: TxScope | None = None
        self.before: set[int] | None = None
        self.final: int = 0
        self.sizes: dict[TxEntry, tuple[int, ...]] | None = None
        # Most transactions have no candidates: both are made for the first one.
        self.pending: dict[int, RuleState] | None = None
        self.done: set[int] | None = None
        self.started: bool = False

    def enter(self, scope: TxScope) -> None:
        """Go by another scope: at first use, and when the protocol has got another name (DNS over HTTPS)."""
        if self.scope is not None:
            searched = [entry.key.number for entry in self.scope.tables[: self.final]]
            self.before = {*searched, *(self.before or ())}
        self.scope = scope
        self.final = 0
        self.sizes = None

    def decide(self, index: int) -> None:
        """Note that a rule which waited has matched or no longer can."""
        if self.pending is not None:
            del self.pending[index]
        if self.done is None:
            self.done = set()
        self.done.add(index)

    def renew(self) -> None:
        """Search anew: other rules are in force."""
        self.scope = None
        self.before = None
        self.final = 0
        self.sizes = None
        self.started = False


class TxDetect:
    """Inspection state of a transaction; ``both`` holds rules that span both directions."""

    __slots__ = ("both", "sides")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.sides: list[TxSide | None] = [None, None]
        self.both: TxSide | None = None

    def side(self, direction: int) -> TxSide:
        """Give the state of one direction."""
        found = self.sides[direction]
        if found is None:
            found = self.sides[direction] = TxSide()
        return found

    def spanning(self) -> TxSide:
        """Give the state of the rules that span both directions."""
        if self.both is None:
            self.both = TxSide()
        return self.both
