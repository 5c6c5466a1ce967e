"""From bytes to the few rules that could match them.

Rules are grouped by where their fast pattern is looked for; the patterns of one group are one
Hyperscan database, scanned once for each buffer. Rules without a pattern are found by port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.detect.hyperscan import Database, build, build_regexes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appliance.detect.hyperscan import PatternCache
    from appliance.detect.signature import FastPattern, Signature

# Ports that a rule may name and still be found by them.
_FEW_PORTS = 32
# Patterns up to this size are better replaced by ports, where the rule has few.
_SHORT = 3
# Groups of IP protocols: TCP, UDP, ICMP, ICMPv6 and all others.
CLASSES = (6, 17, 1, 58, 0)


def protocol_class(protocol: int) -> int:
    """Give the group of an IP protocol."""
    return protocol if protocol in {6, 17, 1, 58} else 0


class PatternTable:
    """One Hyperscan database and the rules behind each of its patterns.

    Buffers that often show the same bytes may share a database: these are then scanned once for all of them.
    """

    __slots__ = ("_database", "_shared", "overlap", "owners", "regexes")

    def __init__(
        self, database: Database, owners: list[tuple[int, ...]], regexes: bool = False, shared: bool = False
    ) -> None:
        """``owners`` are the rules of pattern 0, 1, ...; ``regexes`` says that these are no literals."""
        self._database = database
        self._shared = shared
        self.regexes = regexes
        self.owners = owners
        # Bytes before new ones that a pattern may begin in.
        self.overlap: int = database.longest - 1

    def collect(self, data: bytes, into: list[int]) -> None:
        """Append the rules whose pattern occurs in ``data``."""
        found = self._database.scan_once(data) if self._shared else self._database.scan(data)
        for pattern in found:
            into.extend(self.owners[pattern])

    def search(self, data: bytes, into: set[int]) -> None:
        """Add the rules whose pattern occurs in ``data``."""
        for pattern in self._database.scan(data):
            into.update(self.owners[pattern])


class ContentTable:
    """The patterns that payloads of packets and streams are searched for, in one Hyperscan database.

    Most packets bring what comes next in their stream, so that one scan serves both. ``packet`` and
    ``stream`` are the rules of pattern 0, 1, ...; ``on_packet`` and ``on_stream`` tell whether there are any.
    """

    __slots__ = ("_database", "on_packet", "on_stream", "overlap", "packet", "stream")

    def __init__(
        self, database: Database, packet: list[tuple[int, ...]], stream: list[tuple[int, ...]]
    ) -> None:
        """Take over a database and the rules behind its patterns."""
        self._database = database
        self.packet = packet
        self.stream = stream
        self.on_packet: bool = any(packet)
        self.on_stream: bool = any(stream)
        # Bytes before new ones that a pattern may begin in.
        self.overlap: int = database.longest - 1

    def scan(self, data: bytes | bytearray) -> list[int]:
        """Give the patterns that occur in ``data``; the list is good until the next scan."""
        return self._database.scan(data)


class ContentBuilder:
    """Collects the patterns of a :class:`ContentTable`; equal ones are searched once."""

    def __init__(self) -> None:
        """Start empty."""
        self._owners: dict[tuple[bytes, bool], tuple[list[int], list[int]]] = {}

    def add(self, signature: Signature, fast: FastPattern) -> None:
        """Add the pattern of a rule on packets, on streams or on both."""
        packet, stream = self._owners.setdefault((fast.pattern, fast.nocase), ([], []))
        if signature.on_packet:
            packet.append(signature.index)
        if signature.on_stream:
            stream.append(signature.index)

    def finish(self, cache: PatternCache | None) -> ContentTable | None:
        """Compile; None when there is nothing to search."""
        if not self._owners:
            return None
        patterns = [(number, p, nocase) for number, (p, nocase) in enumerate(self._owners)]
        owners = self._owners.values()
        packet, stream = [tuple(one) for one, _ in owners], [tuple(one) for _, one in owners]
        return ContentTable(build(patterns, cache), packet, stream)


class TableBuilder:
    """Collects patterns; equal ones are searched once."""

    def __init__(self) -> None:
        """Start empty."""
        self.literals: dict[tuple[bytes, bool], list[int]] = {}  # with the rules behind each
        self._regexes: dict[tuple[bytes, str], list[int]] = {}

    def add(self, signature: Signature) -> None:
        """Add the fast pattern of a rule."""
        fast = signature.fast
        if fast is None:
            return
        if fast.regex is not None:
            self._regexes.setdefault((fast.pattern, fast.regex), []).append(signature.index)
        else:
            self.literals.setdefault((fast.pattern, fast.nocase), []).append(signature.index)

    def finish(self, cache: PatternCache | None) -> PatternTable | None:
        """Compile the literals; None when there is nothing to search."""
        if not self.literals:
            return None
        patterns = [(number, p, nocase) for number, (p, nocase) in enumerate(self.literals)]
        return PatternTable(build(patterns, cache), [tuple(rules) for rules in self.literals.values()])

    def finish_regexes(self, cache: PatternCache | None) -> tuple[PatternTable | None, list[int]]:
        """Compile the expressions; gives the rules as well whose expression cannot be searched."""
        if not self._regexes:
            return None, []
        owners = [tuple(rules) for rules in self._regexes.values()]
        patterns = [(number, text, flags) for number, (text, flags) in enumerate(self._regexes)]
        database, refused = build_regexes(patterns, cache)
        table = PatternTable(database, owners, True) if database is not None else None
        return table, [rule for number in refused for rule in owners[number]]


def finish_together(builders: Sequence[TableBuilder], cache: PatternCache | None) -> list[PatternTable]:
    """Compile the literals of buffers that often show the same bytes as one database."""
    known = list(dict.fromkeys(literal for builder in builders for literal in builder.literals))
    database = build([(number, p, nocase) for number, (p, nocase) in enumerate(known)], cache)
    return [
        PatternTable(database, [tuple(builder.literals.get(one, ())) for one in known], shared=True)
        for builder in builders
    ]


class PortIndex:
    """Rules by the ports they name; those that name many or none are always given."""

    __slots__ = ("_destination", "_source", "always")

    def __init__(self) -> None:
        """Start empty."""
        self.always: list[int] = []
        self._destination: dict[int, list[int]] = {}
        self._source: dict[int, list[int]] = {}

    def add(self, signature: Signature) -> None:
        """Add one rule."""
        ports = named_ports(signature)
        if ports is None:
            self.always.append(signature.index)
            return
        destination, found = ports
        table = self._destination if destination else self._source
        for port in found:
            table.setdefault(port, []).append(signature.index)

    def named(self) -> tuple[set[int], set[int]]:
        """Give the source and the destination ports under which there are rules."""
        return set(self._source), set(self._destination)

    def lookup(self, source: int, destination: int, into: set[int]) -> None:
        """Add the rules that a packet with these ports may concern."""
        into.update(self.always)
        into.update(self._destination.get(destination, ()))
        into.update(self._source.get(source, ()))


def named_ports(signature: Signature) -> tuple[bool, Iterable[int]] | None:
    """Give the few ports a rule names: (of the destination, ports); None when it names many."""
    header = signature.header
    if header.both_ways or header.transaction:
        return None
    found = header.destination_ports.few(_FEW_PORTS)
    if found is not None:
        return True, found
    found = header.source_ports.few(_FEW_PORTS)
    return (False, found) if found is not None else None


class PacketGroup:
    """What one direction of one group of IP protocols is checked for, packet by packet."""

    __slots__ = ("buffers", "content", "ports", "stream_ports")

    def __init__(self) -> None:
        """Start empty."""
        self.content: ContentTable | None = None
        self.buffers: list[tuple[str, PatternTable]] = []
        self.ports = PortIndex()
        self.stream_ports = PortIndex()


class GroupBuilder:
    """Sorts the rules of one :class:`PacketGroup`."""

    def __init__(self) -> None:
        """Start empty."""
        self.group = PacketGroup()
        self._content = ContentBuilder()
        self._buffers: dict[str, TableBuilder] = {}

    def add(self, signature: Signature) -> None:
        """Sort one rule."""
        fast = signature.fast
        short = fast is not None and len(fast.pattern) <= _SHORT and named_ports(signature) is not None
        if fast is None or short:
            if signature.on_stream:
                self.group.stream_ports.add(signature)
            if signature.on_packet or not signature.on_stream:
                self.group.ports.add(signature)
        elif fast.place == "payload":
            if signature.on_stream or signature.on_packet:
                self._content.add(signature, fast)
        else:
            name = fast.place.removeprefix("packet:")
            self._buffers.setdefault(name, TableBuilder()).add(signature)

    def finish(self, cache: PatternCache | None) -> PacketGroup:
        """Compile the tables."""
        self.group.content = self._content.finish(cache)
        for name, builder in self._buffers.items():
            table = builder.finish(cache)
            if table is not None:
                self.group.buffers.append((name, table))
        return self.group
