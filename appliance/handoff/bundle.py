"""Policies, rules, settings and inventory of all hosts as one bundle: numbered, checked by digest, bounded.

A bundle is compressed JSON of files by name, and of which of them are what. Names stay inside of the folder
that a bundle is unpacked into.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.handoff.codec import MAX_PIECE, read_object
from appliance.handoff.store import HOST, is_count

VERSION = 1
MAX_BUNDLE = 32 << 20  # compressed
MAX_RAW = 160 << 20
MAX_FILES = 10_000
MAX_NAME = 512
MAX_MANIFEST = 2 << 10
MANY, ONE = ("policies", "rules"), ("inventory", "settings")


class BundleError(Exception):
    """What came, or is to be sent, is no bundle; the message says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the bundle of a ``number`` is. Numbers rise; ``by`` has published it at ``at`` (ns)."""

    number: int
    digest: str
    size: int
    by: str
    at: int

    @property
    def pieces(self) -> int:
        """Number of pieces it is stored in."""
        return -(-self.size // MAX_PIECE)

    def key(self, index: int) -> str:
        """Give the key of a piece."""
        return f"piece.{self.digest}.{index}"

    def pack(self) -> bytes:
        """Write the manifest."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({"v": VERSION, **data}, separators=(",", ":")).encode()


def read_manifest(data: bytes) -> Manifest | None:
    """Read what :meth:`Manifest.pack` wrote; None where anything is odd."""
    found = read_object(data, MAX_MANIFEST)
    if found is None or found.get("v") != VERSION:
        return None
    digest, by, size = found.get("digest"), found.get("by"), found.get("size")
    if (
        not all(is_count(found.get(name)) for name in ("number", "size", "at"))
        or not 0 < int(str(size)) <= MAX_BUNDLE
    ):
        return None
    hexadecimal = isinstance(digest, str) and len(digest) == 64 and not set(digest) - set("0123456789abcdef")
    if not hexadecimal or not isinstance(by, str) or not HOST.fullmatch(by):
        return None
    return Manifest(**{name: found[name] for name in Manifest.__slots__})


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files by name, and which of them are what: ``parts`` has names (or folders of names) by kind."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)

    def pack(self) -> bytes:
        """Write the bundle.

        Raises:
            BundleError: it is too large.
        """
        if len(self.files) > MAX_FILES or sum(map(len, self.files.values())) > MAX_RAW // 2:
            raise BundleError(f"too large: at most {MAX_FILES} files and {MAX_RAW >> 21} MiB in all")
        files = {name: base64.b64encode(data).decode() for name, data in sorted(self.files.items())}
        text = json.dumps({"v": VERSION, "parts": self.parts, "files": files}, sort_keys=True)
        packed = zlib.compress(text.encode(), 6)
        if len(packed) > MAX_BUNDLE:
            raise BundleError(
                f"too large: {len(packed) >> 20} MiB when compressed, at most {MAX_BUNDLE >> 20}"
            )
        return packed


def describe(packed: bytes, number: int, by: str, at: int) -> Manifest:
    """Give the manifest of a bundle that was written."""
    return Manifest(number, hashlib.sha256(packed).hexdigest(), len(packed), by, at)


def unpack(manifest: Manifest, packed: bytes) -> Bundle:
    """Read a whole bundle.

    Raises:
        BundleError: it is not what its manifest says, exceeds a bound, or names files elsewhere.
    """
    if len(packed) != manifest.size or hashlib.sha256(packed).hexdigest() != manifest.digest:
        raise BundleError("damaged on its way")
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(packed, MAX_RAW)
        found = json.loads(text) if engine.eof else None
    except (zlib.error, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise BundleError("of another version, cut short, or too large")
    return Bundle(_files_in(found.get("files")), _parts_in(found.get("parts")))


def _files_in(found: object) -> dict[str, bytes]:
    if not isinstance(found, dict) or len(found) > MAX_FILES:
        raise BundleError("has no files, or too many")
    files = {}
    for name, data in found.items():
        if not is_inside(name) or not isinstance(data, str):
            raise BundleError("names a file that would be elsewhere")
        try:
            files[name] = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise BundleError(f"{name}: cannot be read") from None
    return files


def _parts_in(found: object) -> dict[str, Any]:
    if not isinstance(found, dict) or found.keys() != {*MANY, *ONE}:
        raise BundleError("does not say what its files are")
    many = all(isinstance(found[name], list) and all(map(is_inside, found[name])) for name in MANY)
    if not many or not all(found[name] == "" or is_inside(found[name]) for name in ONE):
        raise BundleError("does not say what its files are")
    return {name: found[name] for name in (*MANY, *ONE)}


def is_inside(name: object) -> bool:
    """Tell whether this is a relative name that stays in the folder that it starts from."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or "\0" in name or not name.isprintable():
        return False
    return all(part not in {"", ".", ".."} and len(part) < 256 for part in name.split("/"))
