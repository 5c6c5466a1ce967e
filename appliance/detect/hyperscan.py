"""Many literals at once: the only place that knows Hyperscan."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import hyperscan as hs

if TYPE_CHECKING:
    from collections.abc import Sequence

# Version of the way patterns are written, part of the cache key.
_FORM = b"2"
# Length of a match where there is no bound on it.
_UNLIMITED = 1 << 30


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
    """A set of patterns; scanning gives the ids of those that occur."""

    __slots__ = ("_database", "_found", "_handler", "_last", "_scan", "longest")

    def __init__(self, database: hs.Database, longest: int) -> None:
        """Wrap a compiled database whose longest match has ``longest`` bytes."""
        self._database = database
        self._found: list[int] = []
        # Both are made once: to bind a method costs as much as to scan a few bytes.
        self._scan: Any = database.scan
        self._handler: Any = self._note
        self._last: bytes | None = None
        self.longest: int = longest

    def scan(self, data: bytes | bytearray | memoryview) -> list[int]:
        """Give the ids of the patterns in ``data``, each once and in no particular order.

        The list is good until the next scan.
        """
        if self._found:
            self._found = []
        self._scan(data, self._handler)
        return self._found

    def scan_once(self, data: bytes) -> list[int]:
        """Give what :meth:`scan` does, for two that ask for the same bytes in turn: the second has no scan.

        Of one database only one of the two methods may be used.
        """
        again = data == self._last
        self._last = None
        if again:
            return self._found
        self.scan(data)
        self._last = data
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


def build_regexes(
    patterns: Sequence[tuple[int, bytes, str]], cache: PatternCache | None
) -> tuple[Database | None, list[int]]:
    """Compile ``(id, expression, flags)`` entries; of the flags of ``pcre``, "i", "m" and "s" count.

    A scan may find an expression where PCRE would not, never the other way round.

    Returns:
        The database, None when it would be empty, and the ids of expressions that Hyperscan does not take.
    """
    name = _key([(number, b"%b/%b" % (text, flags.encode()), True) for number, text, flags in patterns], b"r")
    stored = cache.load(name) if cache is not None else None
    database = _load(stored) if stored is not None else None
    if database is not None:
        return Database(database, _UNLIMITED), []
    refused: list[int] = []
    try:
        database = _compile_regexes(patterns)
    except hs.error:
        refused = [one[0] for one in patterns if not _usable(one)]
        patterns = [one for one in patterns if one[0] not in refused]
        database = _compile_regexes(patterns) if patterns else None
    if database is None:
        return None, refused
    if cache is not None and not refused:
        cache.store(name, hs.dumpb(database))
    return Database(database, _UNLIMITED), refused


def _usable(pattern: tuple[int, bytes, str]) -> bool:
    """Tell whether Hyperscan takes an expression."""
    try:
        _compile_regexes([pattern])
    except hs.error:
        return False
    return True


def _compile_regexes(patterns: Sequence[tuple[int, bytes, str]]) -> hs.Database:
    """Compile in block mode, as a filter: what Hyperscan cannot say exactly finds too much."""
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    base = hs.HS_FLAG_SINGLEMATCH | hs.HS_FLAG_PREFILTER
    known = {"i": hs.HS_FLAG_CASELESS, "m": hs.HS_FLAG_MULTILINE, "s": hs.HS_FLAG_DOTALL}
    database.compile(
        expressions=[text for _, text, _ in patterns],
        ids=[number for number, _, _ in patterns],
        elements=len(patterns),
        flags=[base | sum(bit for flag, bit in known.items() if flag in flags) for _, _, flags in patterns],
    )
    return database


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


def _key(patterns: Sequence[tuple[int, bytes, bool]], form: bytes = b"") -> str:
    """Name the content: patterns in order, their flags, the version of Hyperscan."""
    digest = hashlib.sha256(_FORM + form)
    digest.update(b"%s\n" % version("hyperscan").encode())
    for number, literal, nocase in patterns:
        digest.update(b"%d %d %d " % (number, nocase, len(literal)))
        digest.update(literal)
    return digest.hexdigest()
