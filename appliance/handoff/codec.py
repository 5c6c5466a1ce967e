"""What moves with an interface, as bytes: a header and a compressed body in pieces.

The body is lines of JSON, one for each entry: ``[kind, entry]``, or ``["=", digest]`` for an entry that went
along in an earlier copy and has not changed since. Both sides bound everything: pieces, bytes before and
after compression, entries, the length of one. What does not fit is left out and counted by the sender; the
receiver takes a body whole or not at all. Entries are not looked into here: who takes them in checks them.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
MAX_PIECE = 256 << 10
MAX_BODY = 64 << 20  # compressed
MAX_RAW = 256 << 20
MAX_LINE = 4 << 20
MAX_ENTRIES = 200_000
MAX_HEADER = 8 << 10
_STEP = 64 << 10
_SAME = "="
ENGINE = ("flows", "expectations", "blocks", "hosts", "thresholds")  # kinds, in the order they are taken in
KERNEL = "kernel"
OVER = "over"  # numbers of flows that have ended, from a worker to its supervisor only
KINDS = frozenset((*ENGINE, KERNEL))
_TEXT = 256

Entry = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Header:
    """What a body is, sent before it.

    ``final`` tells the state after which the source passes nothing from a copy made beforehand;
    ``revision`` is that of the ownership record which the source gives up with it. ``held`` says that the
    machine is in quarantine. ``at`` is the source's time in ns, ``lost`` counts entries that did not fit.
    """

    ident: str
    host: str
    uuid: str
    name: str
    final: bool
    revision: int
    held: bool
    at: int
    entries: int
    lost: int
    size: int
    digest: str

    @property
    def pieces(self) -> int:
        """Number of pieces of the body."""
        return -(-self.size // MAX_PIECE)

    def pack(self) -> bytes:
        """Write the header."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({"v": VERSION, **data}, separators=(",", ":")).encode()


_TEXTS = {"ident": 64, "host": 64, "uuid": _TEXT, "name": _TEXT, "digest": 64}
_FLAGS = ("final", "held")
_NUMBERS = {
    "revision": (1 << 63) - 1,
    "at": (1 << 63) - 1,
    "entries": MAX_ENTRIES,
    "lost": 1 << 31,
    "size": MAX_BODY,
}


def read_header(data: bytes) -> Header | None:
    """Read what :meth:`Header.pack` wrote; None where it is of another version or anything is odd."""
    found = read_object(data, MAX_HEADER)
    if found is None or found.get("v") != VERSION:
        return None
    texts = all(isinstance(found.get(k), str) and 0 < len(found[k]) <= most for k, most in _TEXTS.items())
    flags = all(isinstance(found.get(name), bool) for name in _FLAGS)
    if not texts or not flags or not all(_within(found.get(k), most) for k, most in _NUMBERS.items()):
        return None
    return Header(**{name: found[name] for name in Header.__slots__})


def read_object(data: bytes, most: int) -> dict[str, Any] | None:
    """Read one JSON object of at most ``most`` bytes; None for anything else."""
    if len(data) > most:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _within(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


@dataclass(slots=True)
class Packed:
    """A body that is ready to be sent: compressed, and what its entries were, for the copy after it."""

    body: bytes
    entries: int
    lost: int
    digests: frozenset[str] = field(default_factory=frozenset)

    @property
    def digest(self) -> str:
        """Check sum of the whole body."""
        return hashlib.sha256(self.body).hexdigest()

    def piece(self, index: int) -> bytes:
        """Give one piece; empty beyond the end."""
        return self.body[index * MAX_PIECE : (index + 1) * MAX_PIECE] if index >= 0 else b""


def pack(entries: Iterable[Entry], known: frozenset[str] = frozenset()) -> Packed:
    """Write entries; of those whose digest is ``known`` to the receiver the digest alone."""
    engine = zlib.compressobj(1)
    body, digests = bytearray(), set()
    count = lost = raw = 0
    for kind, entry in entries:
        line = json.dumps([kind, entry], separators=(",", ":")).encode()
        name = _digest(line)
        said = json.dumps([_SAME, name]).encode() if name in known else line
        if (
            len(line) > MAX_LINE
            or count >= MAX_ENTRIES
            or raw + len(said) >= MAX_RAW
            or len(body) > MAX_BODY // 2
        ):
            lost += 1
            continue
        body += engine.compress(said + b"\n")
        digests.add(name)
        raw += len(said) + 1
        count += 1
    body += engine.flush()
    return Packed(bytes(body), count, lost, frozenset(digests))


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]


class BodyError(Exception):
    """A body cannot be read: it is damaged, too large, or refers to what is not here."""


def unpack(header: Header, body: bytes, known: Mapping[str, Entry]) -> dict[str, Entry]:
    """Read a whole body; gives its entries by digest, in order.

    Args:
        header: What it has to be.
        body: All pieces, one after the other.
        known: Entries of a copy that came before, by digest.

    Raises:
        BodyError: it is not what the header says, or exceeds a bound.
    """
    if len(body) != header.size or hashlib.sha256(body).hexdigest() != header.digest:
        raise BodyError("damaged on its way")
    found: dict[str, Entry] = {}
    count = 0
    for line in _lines(body):
        count += 1
        if count > MAX_ENTRIES:
            raise BodyError("too many entries")
        name, entry = _read_line(line, known)
        found[name] = entry
    if count != header.entries:
        raise BodyError("entries are missing")
    return found


def _read_line(line: bytes, known: Mapping[str, Entry]) -> tuple[str, Entry]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise BodyError("an entry that is no JSON") from None
    if not isinstance(data, list) or len(data) != 2 or not isinstance(data[0], str):
        raise BodyError("an entry without a kind")
    kind, entry = data
    if kind != _SAME:
        return _digest(line), (kind, entry)
    if not isinstance(entry, str) or entry not in known:
        raise BodyError("refers to a copy that is not here")
    return entry, known[entry]


def _lines(body: bytes) -> Iterator[bytes]:
    engine = zlib.decompressobj()
    rest, total, waiting = b"", 0, body
    while True:
        try:
            data = engine.decompress(waiting, _STEP)
        except zlib.error:
            raise BodyError("not compressed as it should be") from None
        waiting = engine.unconsumed_tail
        total += len(data)
        *lines, rest = (rest + data).split(b"\n")
        if total > MAX_RAW or len(rest) > MAX_LINE:
            raise BodyError("too large")
        yield from lines
        if engine.eof:
            break
        if not data and not waiting:
            raise BodyError("cut short")
    if rest:
        raise BodyError("cut short")


class Assembler:
    """Puts a body together from pieces that come in any order, some of them twice."""

    def __init__(self, header: Header) -> None:
        """Wait for the pieces of ``header``."""
        self.header = header
        self._pieces: dict[int, bytes] = {}

    def missing(self) -> list[int]:
        """Give the numbers of pieces that have not come."""
        return [index for index in range(self.header.pieces) if index not in self._pieces]

    def take(self, index: int, piece: bytes) -> bool:
        """Take a piece; False for one that is none of this body."""
        last = self.header.pieces - 1
        if not 0 <= index <= last:
            return False
        size = MAX_PIECE if index < last else self.header.size - last * MAX_PIECE
        if len(piece) != size:
            return False
        self._pieces.setdefault(index, piece)
        return True

    def body(self) -> bytes:
        """Give the whole body; to be called when nothing is missing."""
        return b"".join(self._pieces[index] for index in range(self.header.pieces))


def slices(entries: Iterable[Entry], version: int, size: int) -> Iterator[dict[str, Any]]:
    """Give the engine's entries as the slices that it takes: in the order of kinds, ``size`` at a time."""
    by_kind: dict[str, list[Any]] = {kind: [] for kind in ENGINE}
    for kind, entry in entries:
        if kind in by_kind:
            by_kind[kind].append(entry)
    for kind, found in by_kind.items():
        for place in range(0, len(found), size):
            yield {"v": version, "kind": kind, "entries": found[place : place + size]}


def merge(many: Iterable[Mapping[str, Any]], adopted: int) -> list[Entry]:
    """Make one list of the slices of several workers: each flow once, as the worker has it that sees it.

    ``adopted`` is the flag of flows of which a worker has seen nothing itself. Those that are over
    for another worker are left out.
    """
    flows: dict[object, tuple[bool, Any]] = {}
    others: dict[str, Entry] = {}
    over: set[object] = set()
    for part in many:
        kind = str(part.get("kind"))
        if kind == OVER:
            over.update(part.get("entries", ()))
            continue
        for entry in part.get("entries", ()):
            if kind != "flows":
                others[json.dumps([kind, entry])] = (kind, entry)
                continue
            ident = entry["flow"]["id"]
            idle = entry["flow"]["flags"] & adopted != 0
            if ident not in flows or (flows[ident][0] and not idle):
                flows[ident] = (idle, entry)
    alive = [entry for ident, (idle, entry) in flows.items() if not idle or ident not in over]
    return [("flows", entry) for entry in alive] + list(others.values())
