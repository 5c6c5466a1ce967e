"""Many literals at once: the only place that knows Hyperscan."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import hyperscan as hs

if TYPE_CHECKING:
    from collections.abc import Sequence

# Version of the way patterns are written, part of the cache key.
_FORM = b"2"


class PatternCache(Protocol):
    """Keeps compiled databases between runs."""

    def load(self, key: str) -> bytes | None:
        """Give what was stored under ``key``, None when there is nothing usable."""

    def store(self, key: str, data: bytes) -> None:
        """Keep ``data`` under ``key``; failing to is no error."""


def escape(pattern: bytes) -> bytes:
    """Write a literal as an expression of hexadecimal escapes: only so NUL and metacharacters survive."""
    return b"".join(b"\\x%02x" % byte for byte in pattern)


class Database:
    """A set of literals; scanning gives the ids of those that occur."""

    __slots__ = ("_database", "_found", "longest")

    def __init__(self, database: hs.Database, longest: int) -> None:
        """Wrap a compiled database whose longest literal has ``longest`` bytes."""
        self._database = database
        self._found: list[int] = []
        self.longest = longest

    def scan(self, data: bytes) -> list[int]:
        """Give the ids of the literals in ``data``, each once and in no particular order."""
        self._found = []
        self._database.scan(data, match_event_handler=self._note)
        return self._found

    def _note(self, pattern: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        self._found.append(pattern)


def build(patterns: Sequence[tuple[int, bytes, bool]], cache: PatternCache | None) -> Database:
    """Compile ``(id, literal, nocase)`` entries, or take the result from the cache.

    A cached entry that Hyperscan refuses (another version or processor, damage) is compiled anew.
    """
    longest = max(len(literal) for _, literal, _ in patterns)
    if cache is None:
        return Database(_compile(patterns), longest)
    key = _key(patterns)
    stored = cache.load(key)
    database = _load(stored) if stored is not None else None
    if database is None:
        database = _compile(patterns)
        cache.store(key, hs.dumpb(database))
    return Database(database, longest)


def _compile(patterns: Sequence[tuple[int, bytes, bool]]) -> hs.Database:
    """Compile in block mode; a literal is reported once for each scan."""
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    base = hs.HS_FLAG_SINGLEMATCH | hs.HS_FLAG_DOTALL
    database.compile(
        expressions=[escape(literal) for _, literal, _ in patterns],
        ids=[number for number, _, _ in patterns],
        elements=len(patterns),
        flags=[base | hs.HS_FLAG_CASELESS if nocase else base for _, _, nocase in patterns],
    )
    return database


def _load(stored: bytes) -> hs.Database | None:
    """Bring back a serialised database; None when it does not fit."""
    try:
        database = hs.loadb(stored, hs.HS_MODE_BLOCK)
        database.scratch = hs.Scratch(database)
    except (hs.error, ValueError, TypeError):
        return None
    return database


def _key(patterns: Sequence[tuple[int, bytes, bool]]) -> str:
    """Name the content: patterns in order, their flags, the version of Hyperscan."""
    digest = hashlib.sha256(_FORM)
    digest.update(b"%s\n" % version("hyperscan").encode())
    for number, literal, nocase in patterns:
        digest.update(b"%d %d %d " % (number, nocase, len(literal)))
        digest.update(literal)
    return digest.hexdigest()
