"""Recognition of a protocol by what it says: patterns on any port, probing functions by port."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

FAILED = "failed"
UNKNOWN = ""

# A protocol, its pattern and, as numbers for a quick look: the offset at which one of ``first`` has to stand
# (-1: anywhere).
_Entry = tuple[str, Pattern, int, bytes]


def _masked_at(data: bytes, pattern: Pattern, at: int) -> bool:
    """Compare under the pattern's mask at one offset."""
    size = len(pattern.data)
    if at + size > len(data):
        return False
    return all((data[at + i] ^ pattern.data[i]) & pattern.mask[i] == 0 for i in range(size))


def match_pattern(pattern: Pattern, data: bytes) -> int:
    """Say whether ``data`` shows the pattern; PROBE_MAYBE while more bytes could still complete it."""
    later = PROBE_MAYBE if len(data) < pattern.end else PROBE_NO
    last = pattern.end - len(pattern.data)
    if pattern.mask:
        found = any(_masked_at(data, pattern, at) for at in range(pattern.offset, last + 1))
    else:
        head = data[pattern.offset : pattern.end]
        found = pattern.data.lower() in head.lower() if pattern.nocase else pattern.data in head
        if not found and later and last == pattern.offset and not _could_become(pattern, head):
            return PROBE_NO
    if not found:
        return later
    return pattern.confirm(data) if pattern.confirm else PROBE_YES


def _could_become(pattern: Pattern, head: bytes) -> bool:
    """Tell whether the bytes at a fixed place are the beginning of the pattern."""
    if pattern.nocase:
        return pattern.data.lower().startswith(head.lower())
    return pattern.data.startswith(head)


def _first_bytes(pattern: Pattern) -> bytes:
    """Give the bytes that a pattern without mask may begin with."""
    head = pattern.data[:1]
    return bytes({*head, *head.lower(), *head.upper()}) if pattern.nocase else head


class Detector:
    """Patterns and probing functions of one transport, sorted for lookup."""

    def __init__(self, specs: Iterable[ProtocolSpec], transport: str, limit: int = 4096) -> None:
        """Take the protocols that may run over ``transport``; ``limit`` bounds the bytes looked at."""
        self.limit = limit
        self._anchored: tuple[dict[int, list[_Entry]], dict[int, list[_Entry]]] = ({}, {})
        self._floating: tuple[list[_Entry], list[_Entry]] = ([], [])
        self._by_port: tuple[dict[int, list[tuple[str, Probing]]], ...] = ({}, {})
        self._ranges: tuple[list[tuple[str, Probing]], list[tuple[str, Probing]]] = ([], [])
        self._anywhere: tuple[list[tuple[str, Probing]], list[tuple[str, Probing]]] = ([], [])
        for spec in specs:
            if transport in spec.transports and not spec.follows:
                self._add(spec, transport)

    def _add(self, spec: ProtocolSpec, transport: str) -> None:
        for direction in (0, 1):
            for pattern in spec.patterns[direction]:
                self._add_pattern(direction, spec.name, pattern)
        for probing in spec.probings:
            if probing.transport in {"", transport}:
                self._add_probing(spec.name, probing)

    def _add_pattern(self, direction: int, name: str, pattern: Pattern) -> None:
        """Sort a pattern by its first byte where it can only be at the very start."""
        letters = _first_bytes(pattern)
        fixed = not pattern.mask and pattern.end == pattern.offset + len(pattern.data)
        entry = (name, pattern, pattern.offset if fixed else -1, letters)
        if fixed and not pattern.offset:
            for letter in letters:
                self._anchored[direction].setdefault(letter, []).append(entry)
        else:
            self._floating[direction].append(entry)

    def _add_probing(self, name: str, probing: Probing) -> None:
        """Sort a probing function by its ports; wide ranges are kept as ranges."""
        entry = (name, probing)
        if not probing.ports:
            self._anywhere[probing.direction].append(entry)
        elif sum(high - low + 1 for low, high in probing.ports) > 64:
            self._ranges[probing.direction].append(entry)
        else:
            for low, high in probing.ports:
                for port in range(low, high + 1):
                    self._by_port[probing.direction].setdefault(port, []).append(entry)

    def _probes(self, direction: int, server_port: int, client_port: int) -> list[tuple[str, Probing]]:
        """Give the probing functions to ask; the server's port comes before the client's."""
        found = list(self._by_port[direction].get(server_port, ()))
        found += self._by_port[direction].get(client_port, ())
        for name, probing in self._ranges[direction]:
            if any(low <= server_port <= high or low <= client_port <= high for low, high in probing.ports):
                found.append((name, probing))
        return found + self._anywhere[direction]

    def recognise(self, direction: int, data: bytes, server_port: int, client_port: int) -> str:
        """Name the protocol that ``data`` from the start of one direction shows.

        Returns:
            The name, :data:`UNKNOWN` while more bytes could tell, or :data:`FAILED`.
        """
        if not data:
            return UNKNOWN
        data = data[: self.limit]
        open_ = False
        size = len(data)
        entries: list[_Entry] = [*self._anchored[direction].get(data[0], ()), *self._floating[direction]]
        for name, pattern, at, first in entries:
            if 0 <= at < size and data[at] not in first:
                continue  # what begins otherwise is not, and does not become, this pattern
            answer = match_pattern(pattern, data)
            if answer == PROBE_YES:
                return name
            open_ = open_ or answer == PROBE_MAYBE
        for name, probing in self._probes(direction, server_port, client_port):
            answer = probing.probe(data)
            if answer == PROBE_YES:
                return name
            open_ = open_ or answer == PROBE_MAYBE
        return UNKNOWN if open_ and len(data) < self.limit else FAILED
