"""What detection remembers of a flow and of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cython

if TYPE_CHECKING:
    from appliance.detect.txgroup import TxEntry, TxScope
    from appliance.model.chunk import Chunk

# Stream bytes of one direction that may wait for a packet to be inspected with.
PENDING_LIMIT = 1 << 20
_PENDING = PENDING_LIMIT  # the same as a number of C
# The variables of rules that have none.
_NO_VALUES: list[int] = []


# Pieces before holes that are kept of one direction.
PIECES = 64


class StreamPiece:
    """What stands before a hole: bytes from ``base`` on, inspected up to ``fresh``; ``hits`` as of a tail."""

    __slots__ = ("base", "data", "fresh", "hits")

    def __init__(self, base: int, data: bytes, fresh: int, hits: dict[int, int] | None) -> None:
        """Take over the end of a tail."""
        self.base = base
        self.data = data
        self.fresh = fresh
        self.hits = hits

    @property
    def end(self) -> int:
        """Stream offset behind the last byte."""
        return self.base + len(self.data)


@cython.freelist(16)
@cython.final
@cython.cclass
class StreamTail:
    """The end of one direction of a stream: what was inspected last and what was not yet.

    ``earlier`` are the pieces before holes, which are inspected each on its own and kept as long as the tail
    would have been. Most streams have none, nor matches in them: what holds these is made for the first one.

    ``base`` is the stream offset of the first byte kept, ``fresh`` that of the first one not yet
    inspected. ``hits`` says up to which offset a rule has used the stream: the bytes of one match do not
    serve for another of the same rule. ``scanned`` is the offset of the first byte not yet searched for
    patterns, and ``found`` says of those found before it up to which offset they may reach. ``latest`` are
    the bytes that came last, until they are inspected.
    """

    __slots__ = ("base", "data", "earlier", "found", "fresh", "hits", "latest", "lost", "scanned", "seen_end")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start at the beginning of the stream; with ``__new__`` it is a constructor without arguments."""
        self.data = bytearray()
        self.latest: bytes = b""
        self.base: int = 0
        self.fresh: int = 0
        self.hits: dict[int, int] | None = None
        self.earlier: list[StreamPiece] | None = None
        self.lost: int = 0
        self.seen_end: bool = False
        self.scanned: int = 0
        self.found: dict[int, int] | None = None

    @property
    def end(self) -> int:
        """Stream offset behind the last byte."""
        return self.base + len(self.data)

    def add(self, chunk: Chunk) -> None:
        """Append a piece; nothing matches across a hole."""
        if chunk.gap or chunk.offset != self.base + len(self.data):
            self._restart(chunk.offset + chunk.gap)
        if chunk.data:
            self.data += chunk.data
            self.latest = chunk.data
            if len(self.data) > _PENDING:
                self._lose(len(self.data) - _PENDING)
        if chunk.eof:
            self.seen_end = True

    def _lose(self, excess: int) -> None:
        """Forget the oldest bytes of too many, inspected or not."""
        lost = max(self.base + excess - self.fresh, 0)
        self.lost += lost
        self.fresh += lost
        self._drop(excess)

    def waiting(self) -> bool:
        """Tell whether there is something that was not inspected."""
        return self.fresh < self.base + len(self.data)

    def unsearched(self, overlap: int) -> bytes | bytearray:
        """Give the bytes not yet searched for patterns, and ``overlap`` before them."""
        start = self.scanned - overlap - self.base
        return _behind(self.data, start) if start > 0 else self.data

    def settle(self, window: int) -> None:
        """Note that all was inspected, and keep at most ``window`` bytes of it."""
        end = self.fresh = self.base + len(self.data)
        self.latest = b""
        if self.earlier:
            self.earlier = [piece for piece in self.earlier if piece.end > end - window]
        if len(self.data) > window:
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
        self.hits = self.found = None

    def _set_aside(self, piece: StreamPiece) -> None:
        """Keep a piece; the oldest go when there are too many or too many bytes."""
        if self.earlier is None:
            self.earlier = []
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
        for piece in reversed(self.earlier or ()):
            if parts:
                parts.append(b"[%d bytes missing]" % (after - piece.end))
            parts.append(piece.data[-most:])
            after = piece.base
        return b"".join(reversed(parts))[-most:]

    def search_anew(self) -> None:
        """Search all bytes again: for the patterns of the other direction, or of other rules."""
        self.scanned = self.base
        self.found = None


@cython.freelist(8)
@cython.final
@cython.cclass
class FlowDetect:
    """Detection's part of a flow: stream tails, what rules have found, whether inspection has ended.

    ``established`` is what the flow was after the packet before, ``inspected`` that there was one; ``names``
    says whose indexes those of rules are (:class:`~appliance.detect.handover.RuleNames`). ``recognised`` has
    a bit (1 << direction) for each direction whose recognition has ended, for the next packet that goes its
    way; ``again`` has one where the packet after that is to be looked at once more.

    Found out once: ``scope_ts`` and ``scope_tc`` say what the transactions of each direction are checked for,
    ``unnamed`` that no rule on addresses alone names an end of the flow.
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
        "recognised",
        "scope_tc",
        "scope_ts",
        "tail_tc",
        "tail_ts",
        "unnamed",
    )

    def __init__(self) -> None:
        self.begin(None)

    def begin(self, names: Any) -> None:
        """Start with nothing seen; with ``__new__`` it is a constructor."""
        self.tail_ts: StreamTail | None = None
        self.tail_tc: StreamTail | None = None
        self.recognised: int = 0
        self.again: int = 0
        self.noted: int = 0  # events of recognition that were there before this packet
        # Alerts that name a transaction by a guess, by its number.
        self.guessed: dict[int, int] | None = None
        # Of the parser, by direction; few have any.
        self.events_seen: list[int] | None = None
        self.ended: bool = False
        self.names: Any = names
        self.established: bool = False
        self.inspected: bool = False
        self.forget_rules()

    def tail(self, direction: int) -> StreamTail | None:
        """Give the end of the stream of one direction, None where there was no stream."""
        return self.tail_tc if direction else self.tail_ts

    def made(self, direction: int) -> StreamTail:
        """Give the end of the stream of one direction, of one that begins."""
        found = self.tail(direction)
        if found is None:
            found = StreamTail.__new__(StreamTail)
            found.begin()
            if direction:
                self.tail_tc = found
            else:
                self.tail_ts = found
        return found

    @property
    def tails(self) -> list[StreamTail]:
        """The ends of both streams, by direction."""
        return [self.made(0), self.made(1)]

    def waiting(self) -> bool:
        """Tell whether one of the streams has something that was not inspected."""
        for direction in (0, 1):
            tail = self.tail(direction)
            if tail is not None and (tail.earlier or tail.waiting()):
                return True
        return False

    def forget_rules(self) -> None:
        """Find out anew what the rules have to do with the flow."""
        self.scope_ts: TxScope | None = None
        self.scope_tc: TxScope | None = None
        self.unnamed: bool = False

    def turn(self) -> None:
        """Exchange the directions: the flow was found to run the other way."""
        self.tail_ts, self.tail_tc = self.tail_tc, self.tail_ts
        for tail in self.tails:
            tail.search_anew()
        self.recognised = _exchanged(self.recognised)
        self.again = _exchanged(self.again)
        if self.events_seen is not None:
            self.events_seen.reverse()
        self.forget_rules()


def _behind(room: bytearray, start: int) -> bytes:
    """Give ``room[start:]`` at the cost of a copy when compiled; slicing makes more."""
    size = len(room)
    if start < 0 or start >= size:
        return b""
    if not cython.compiled:
        return bytes(room[start:])
    base: Any = room  # a pointer, and what is cut from it bytes
    made: bytes = base[start:size]
    return made


def _exchanged(bits: int) -> int:
    """Exchange the bits of the two directions."""
    return (bits & 1) << 1 | bits >> 1


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


@cython.freelist(8)
@cython.final
@cython.cclass
class TxSide:
    """Inspection state of one direction of a transaction.

    ``final`` counts the tables of the scope that were searched when the value of their buffer was final;
    ``sizes`` gives those of the others, as far as they were searched. ``pending`` holds the candidate rules
    by their index; ``done`` are those that matched or no longer can. ``before`` are the numbers of
    the buffers that were final under the name that the protocol had before.
    """

    __slots__ = ("before", "done", "final", "pending", "scope", "sizes", "started")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with nothing searched; with ``__new__`` it is a constructor without arguments."""
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


@cython.freelist(8)
@cython.final
@cython.cclass
class TxDetect:
    """Inspection state of a transaction by direction; ``both`` holds rules that span both directions."""

    __slots__ = ("both", "client", "server")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with nothing seen; with ``__new__`` it is a constructor without arguments."""
        self.server: TxSide | None = None  # what goes to the server
        self.client: TxSide | None = None
        self.both: TxSide | None = None

    def side(self, direction: int) -> TxSide:
        """Give the state of one direction."""
        found = self.client if direction else self.server
        if found is None:
            found = TxSide.__new__(TxSide)
            found.begin()
            if direction:
                self.client = found
            else:
                self.server = found
        return found

    def spanning(self) -> TxSide:
        """Give the state of the rules that span both directions."""
        if self.both is None:
            self.both = TxSide()
        return self.both
