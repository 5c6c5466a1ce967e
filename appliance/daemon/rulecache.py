"""Rules that were read once need not be read again: one cache entry for each rule file.

The name of an entry is a hash of everything its content depends on (the text and name of the file, the
variables, classes and references it was read against, the code that read it), so an entry is right or not
found.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from functools import lru_cache
from pathlib import Path

from appliance import rulelang
from appliance.config.settings import DetectSettings
from appliance.daemon.filecache import FileCache
from appliance.rulelang.codec import decode, encode
from appliance.rulelang.context import ParseResult, RuleContext
from appliance.rulelang.parse import parse_file


@lru_cache(maxsize=1)
def _code() -> bytes:
    """Hash the code that reads rules, and the Python that wrote the entry."""
    digest = hashlib.sha256(repr((sys.version_info[:3], marshal.version)).encode())
    for path in sorted(Path(rulelang.__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()


class RuleReader:
    """Reads rule files against one context, through a cache where there is one."""

    def __init__(self, context: RuleContext, settings: DetectSettings, cache: FileCache | None) -> None:
        """Share ``context`` among all files; ``settings`` are those it was made from."""
        self._context = context
        self._cache = cache
        self._base = self._fingerprint(settings) if cache is not None else b""

    def _fingerprint(self, settings: DetectSettings) -> bytes:
        context = self._context
        against = (
            settings.address_vars,
            settings.port_vars,
            sorted(context.classifications.items()),
            sorted(context.references.items()),
            context.version,
            sorted(context.features),
        )
        return hashlib.sha256(_code() + repr(against).encode("utf-8", "surrogateescape")).digest()

    def read(self, text: str, file: str) -> ParseResult:
        """Give the rules of a file with ``text``."""
        if self._cache is None:
            return parse_file(text, file, self._context)
        key = self._key(text, file)
        stored = self._cache.load(key)
        known = decode(stored, file) if stored is not None else None
        if known is not None:
            return known
        result = parse_file(text, file, self._context)
        self._cache.store(key, encode(result))
        return result

    def _key(self, text: str, file: str) -> str:
        name = file.encode("utf-8", "surrogateescape")
        digest = hashlib.sha256(self._base + len(name).to_bytes(4, "big") + name)
        digest.update(text.encode("utf-8", "surrogatepass"))
        return "rules-" + digest.hexdigest()
