"""Recognition of a protocol by what it says: patterns on any port, probing functions by port."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probe, Probing, ProtocolSpec

FAILED = "failed"
UNKNOWN = ""

_PORTS = 1 << 16
# Pairs of ports whose probing functions are remembered; beyond that the memory starts anew.
_MAX_PAIRS = 4096


class Entry:
    """A protocol and its pattern, ready to be compared where the pattern has one place.

    ``head`` is then what has to stand at ``offset``, in lower case if ``nocase``; -1 is no such place.
    """

    __slots__ = ("confirm", "head", "name", "nocase", "offset", "pattern", "size")

    def __init__(self, name: str, pattern: Pattern) -> None:
        """Take over the pattern of a protocol."""
        fixed = not pattern.mask and pattern.end == pattern.offset + len(pattern.data)
        self.name: str = name
        self.pattern: Pattern = pattern
        self.nocase: bool = pattern.nocase
        self.head: bytes = pattern.data.lower() if pattern.nocase else pattern.data
        self.offset: int = pattern.offset if fixed else -1
        self.size: int = len(pattern.data)
        self.confirm: Probe | None = pattern.confirm

    def match(self, data: bytes) -> int:
        """Say what :func:`match_pattern` says."""
        if self.offset < 0:
            return match_pattern(self.pattern, data)
        raw, wanted, start = data, self.head, self.offset
        there = min(self.size, len(data) - start)
        for at in range(there):
            byte = raw[start + at]
            if self.nocase and 65 <= byte <= 90:
                byte += 32
            if byte != wanted[at]:
                return PROBE_NO
        if there < self.size:
            return PROBE_MAYBE
        return PROBE_YES if self.confirm is None else self.confirm(data)


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
        self._anchored: tuple[dict[int, list[Entry]], dict[int, list[Entry]]] = ({}, {})
        self._floating: tuple[list[Entry], list[Entry]] = ([], [])
        self._by_port: tuple[dict[int, list[tuple[str, Probing]]], ...] = ({}, {})
        self._ranges: tuple[list[tuple[str, Probing]], list[tuple[str, Probing]]] = ([], [])
        self._anywhere: tuple[list[tuple[str, Probing]], list[tuple[str, Probing]]] = ([], [])
        for spec in specs:
            if transport in spec.transports and not spec.follows:
                self._add(spec, transport)
        # By direction: what may begin with each byte; ports that some probing function names; what to ask.
        self._starting = [
            [self._anchored[side].get(byte, []) + self._floating[side] for byte in range(256)]
            for side in (0, 1)
        ]
        self._named: list[bytes] = [self._ports_named(side) for side in (0, 1)]
        self._pairs: dict[int, list[tuple[str, Probing]]] = {}

    def _add(self, spec: ProtocolSpec, transport: str) -> None:
        for direction in (0, 1):
            for pattern in spec.patterns[direction]:
                self._add_pattern(direction, spec.name, pattern)
        for probing in spec.probings:
            if probing.transport in {"", transport}:
                self._add_probing(spec.name, probing)

    def _add_pattern(self, direction: int, name: str, pattern: Pattern) -> None:
        """Sort a pattern by its first byte where it can only be at the very start."""
        entry = Entry(name, pattern)
        if entry.offset == 0:
            for letter in _first_bytes(pattern):
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

    def _ports_named(self, direction: int) -> bytes:
        """Mark the ports on which there is something to ask besides what is asked on any."""
        named = bytearray(_PORTS)
        for port in self._by_port[direction]:
            named[port] = 1
        for _, probing in self._ranges[direction]:
            for low, high in probing.ports:
                named[low : high + 1] = b"\1" * (high + 1 - low)
        return bytes(named)

    def _asked(self, direction: int, server_port: int, client_port: int) -> list[tuple[str, Probing]]:
        """Give the probing functions to ask; they are looked for once for each pair of ports."""
        named = self._named[direction]
        server = server_port if named[server_port & 0xFFFF] else _PORTS
        client = client_port if named[client_port & 0xFFFF] else _PORTS
        key = (direction << 17 | server) << 17 | client
        found = self._pairs.get(key)
        if found is None:
            if len(self._pairs) >= _MAX_PAIRS:
                self._pairs.clear()
            found = self._pairs[key] = self._probes(direction, server_port, client_port)
        return found

    def _probes(self, direction: int, server_port: int, client_port: int) -> list[tuple[str, Probing]]:
        """Find the probing functions to ask; the server's port comes before the client's."""
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
        if len(data) > self.limit:
            data = data[: self.limit]
        open_ = False
        entries = self._starting[direction][data[0]]
        for entry in entries:
            answer = entry.match(data)
            if answer == PROBE_YES:
                return entry.name
            open_ = open_ or answer == PROBE_MAYBE
        for name, probing in self._asked(direction, server_port, client_port):
            answer = probing.probe(data)
            if answer == PROBE_YES:
                return name
            open_ = open_ or answer == PROBE_MAYBE
        return UNKNOWN if open_ and len(data) < self.limit else FAILED
