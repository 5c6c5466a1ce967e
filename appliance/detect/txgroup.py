"""What the transactions of one protocol and direction are searched for, found out once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.ends import OTHERS
from appliance.detect.prefilter import PatternTable, TableBuilder, finish_together
from appliance.detect.signature import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.detect.hyperscan import PatternCache
    from appliance.detect.signature import Signature
    from appliance.detect.txtests import BufferKey, Place, TxTest

# Values up to this size are remembered, and so many of one buffer. Where they came again too seldom, they are
# not remembered for some time.
SMALL = 64
REMEMBERED = 256
REST = 1 << 14
NO_OVERLAP = 1 << 30
# Scopes remembered of one group; senders choose the ends of connections, so that it starts anew beyond that.
MAX_SCOPES = 256
# Buffers that mostly have the same bytes as "file.data". Up to so many patterns of each are searched with it,
# in files of other protocols as well.
_BODIES = frozenset(("http.request_body", "http.response_body"))
FEW = 32
# Protocols whose transactions tell the byte order of their numbers.
_WITH_ENDIAN = frozenset(("dcerpc", "smb"))


class TxEntry:
    """A buffer and the patterns it is searched for.

    ``place`` is what the buffer is in the protocol and direction: ``progress`` is the step at which its value
    is final, ``growing`` that it is looked at before. ``ends`` are those of its rules: a flow that has none
    of them needs no search. Many values come again and again (methods, hosts, user agents): what small ones
    gave is remembered, unless few of them do.
    """

    __slots__ = (
        "_hits",
        "_known",
        "_rest",
        "ends",
        "growing",
        "key",
        "overlap",
        "place",
        "progress",
        "regexes",
        "table",
    )

    def __init__(self, key: BufferKey, place: Place) -> None:
        """Start without patterns; ``table`` are the literals and ``regexes`` the expressions."""
        self.key = key
        self.place = place
        self.table: PatternTable | None = None
        self.regexes: PatternTable | None = None
        self.progress: int = place.progress
        self.growing: bool = place.growing
        self.ends: int = 0
        self.overlap: int = 0
        self._known: dict[bytes, tuple[int, ...]] = {}
        self._hits: int = 0
        self._rest: int = 0

    def add(self, table: PatternTable, ends: int) -> None:
        """Search for the patterns of a table as well."""
        if table.regexes:
            self.regexes = table
        else:
            self.table = table
            # Transforms may change what was searched already.
            self.overlap = NO_OVERLAP if self.key.changes else table.overlap
        self.ends |= ends

    def find(self, data: bytes) -> tuple[int, ...]:
        """Give the rules whose pattern occurs in a whole value."""
        if len(data) > SMALL or self.growing:
            return self._search(data, 0)
        if self._rest:
            self._rest -= 1
            return self._search(data, 0)
        found = self._known.get(data)
        if found is not None:
            self._hits += 1
            return found
        if len(self._known) >= REMEMBERED:
            if self._hits < REMEMBERED:
                self._rest = REST
            self._known.clear()
            self._hits = 0
        found = self._known[data] = self._search(data, 0)
        return found

    def grown(self, data: bytes, known: int) -> tuple[int, ...]:
        """Give the rules whose pattern occurs in a value of which ``known`` bytes were searched before."""
        return self._search(data, max(known - self.overlap, 0) if known <= len(data) else 0)

    def _search(self, data: bytes, start: int) -> tuple[int, ...]:
        """Search literals from ``start`` on, expressions in all of it."""
        found: list[int] = []
        if self.table is not None:
            self.table.collect(data[start:] if start else data, found)
        if self.regexes is not None:
            self.regexes.collect(data, found)
        return tuple(found) if found else ()


class TxScope:
    """What is left of a group for connections that have some of the ends of its rules.

    ``live`` are these ends; ``tables``, ``growing`` and ``always`` are those of the group without what only
    rules with other ends need.
    """

    __slots__ = ("always", "fits", "growing", "live", "protocol", "tables", "with_endian")

    def __init__(self, group: TxGroup, live: int) -> None:
        """Leave out what only rules with other ends need."""
        self.protocol = group.protocol
        self.with_endian = group.with_endian
        self.fits = group.fits
        self.live: int = live
        self.tables: list[TxEntry] = [entry for entry in group.tables if entry.ends & live]
        self.growing: list[TxEntry] = [entry for entry in self.tables if entry.growing]
        self.always = [(index, tests) for index, tests, ends in group.always if ends & live]


class TxGroup:
    """What one direction of the transactions of one protocol is checked for.

    ``tables`` are in the order in which their buffers become final. ``always`` are the rules that no buffer
    finds, each with those of its tests that may be made at any time, since they do nothing but look, and its
    ends. ``fits`` has a 1 at the index of each rule about the protocol and the direction.
    """

    __slots__ = ("_last", "_scopes", "always", "ends", "fits", "protocol", "tables", "with_endian")

    def __init__(self, protocol: str) -> None:
        """Start empty."""
        self.protocol = protocol
        self.with_endian: bool = protocol in _WITH_ENDIAN
        self.tables: list[TxEntry] = []
        self.always: list[tuple[int, list[TxTest], int]] = []
        self.fits: bytes = b""
        self.ends: int = OTHERS
        self._scopes: dict[int, TxScope] = {}
        # The one asked for last: most connections have the same ends.
        self._last: TxScope | None = None

    def scope(self, live: int) -> TxScope:
        """Give what is left for connections with the ends ``live``."""
        live &= self.ends
        last = self._last
        if last is not None and last.live == live:
            return last
        found = self._scopes.get(live)
        if found is None:
            if len(self._scopes) >= MAX_SCOPES:
                self._scopes.clear()
            found = self._scopes[live] = TxScope(self, live)
        self._last = found
        return found


class TxTables:
    """The patterns of all buffers of transactions, compiled once for all protocols."""

    __slots__ = ("_keys", "_mine", "_signatures", "_tables", "_unfound")

    def __init__(
        self, signatures: Sequence[Signature], keys: Sequence[BufferKey], cache: PatternCache | None
    ) -> None:
        """Compile one table of literals and one of expressions for each buffer and direction."""
        self._signatures: list[Signature] = list(signatures)
        self._mine: list[Signature] = [one for one in signatures if one.kind is Kind.APP]
        self._keys = keys
        self._tables: list[tuple[int, int, PatternTable]] = []
        self._unfound: set[tuple[int, int]] = set()
        builders = self._builders()
        shared = self._shared(builders, cache)
        for (number, direction), builder in sorted(builders.items()):
            literals = shared.get((number, direction)) or builder.finish(cache)
            regexes, refused = builder.finish_regexes(cache)
            self._tables += [(number, direction, table) for table in (literals, regexes) if table is not None]
            self._unfound.update((index, direction) for index in refused)

    def _shared(
        self, builders: dict[tuple[int, int], TableBuilder], cache: PatternCache | None
    ) -> dict[tuple[int, int], PatternTable]:
        """Let bodies of few patterns be searched together with the files that they bring."""
        tables: dict[tuple[int, int], PatternTable] = {}
        for direction in (0, 1):
            places = [
                place for place in sorted(builders) if place[1] == direction and self._joins(*place, builders)
            ]
            if len(places) > 1:
                made = finish_together([builders[place] for place in places], cache)
                tables.update(zip(places, made, strict=True))
        return tables

    def _joins(self, number: int, direction: int, builders: dict[tuple[int, int], TableBuilder]) -> bool:
        """Tell whether a buffer has the data of files, or of bodies and few patterns."""
        key, patterns = self._keys[number], len(builders[number, direction].literals)
        if key.changes or not patterns:
            return False
        return key.name == "file.data" or (key.name in _BODIES and patterns <= FEW)

    def _builders(self) -> dict[tuple[int, int], TableBuilder]:
        """Sort the rules that have a pattern; those on events are found by the event."""
        builders: dict[tuple[int, int], TableBuilder] = {}
        for signature in self._mine:
            fast = signature.fast
            if fast is not None and not signature.events:
                for direction in signature.directions:
                    builders.setdefault((fast.key, direction), TableBuilder()).add(signature)
        return builders

    def group(self, protocol: str, direction: int) -> TxGroup:
        """Collect what concerns one protocol in one direction."""
        group = TxGroup(protocol)
        group.fits = self._fitting(protocol, direction)
        entries: dict[int, TxEntry] = {}
        for number, way, table in self._tables:
            place = self._keys[number].place(protocol, direction)
            if way == direction and place is not None:
                owners = [i for rules in table.owners for i in rules if group.fits[i]]
                if owners:
                    new = TxEntry(self._keys[number], place)
                    entries.setdefault(number, new).add(table, self._ends(owners))
        group.tables = sorted(entries.values(), key=_final)
        self._complete(group, protocol, direction)
        return group

    def _complete(self, group: TxGroup, protocol: str, direction: int) -> None:
        """Find the rules that no buffer finds, and the ends of all."""
        for signature in self._mine:
            if group.fits[signature.index]:
                group.ends |= signature.ends
                if self._always(signature, protocol, direction):
                    group.always.append((signature.index, _looking(signature), signature.ends))

    def _fitting(self, protocol: str, direction: int) -> bytes:
        """Tell of each rule whether it is about the protocol and the direction."""
        fits = bytearray(len(self._signatures))
        for signature in self._mine:
            known = signature.protocols
            if (known is None or protocol in known) and direction in signature.directions:
                fits[signature.index] = 1
        return bytes(fits)

    def _always(self, signature: Signature, protocol: str, direction: int) -> bool:
        """Tell whether a rule can only be found by trying it, and may hold."""
        found = signature.fast is not None and (signature.index, direction) not in self._unfound
        if signature.events or found:
            return False
        return signature.spans or all(test.possible(protocol, direction) for test in signature.tx_tests)

    def _ends(self, rules: list[int]) -> int:
        """Give the ends of some rules."""
        found = 0
        signature: Signature
        for index in rules:
            signature = self._signatures[index]
            found |= signature.ends
        return found


def _looking(signature: Signature) -> list[TxTest]:
    """Give the tests of a rule that neither do anything nor need what another has found."""
    if signature.spans or signature.variables or signature.matchers:
        return []
    return [test for test in signature.tx_tests if test.looks]


def _final(entry: TxEntry) -> int:
    return entry.progress
