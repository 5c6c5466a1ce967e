"""Transforms of a buffer before it is matched: a table of pure functions.

Each entry prepares a transform from its argument, once, and gives a function from bytes to bytes.
None of them makes more than ``OUTPUT_LIMIT`` bytes, whatever it is given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from typing import Any

import pcre2

from appliance.config.settings import DetectSettings
from appliance.detect.domains import registered_domain, top_level
from appliance.detect.regex import RegexError, compile_regex

Change = Callable[[bytes], bytes]
OUTPUT_LIMIT = 1 << 20
_BLANKS = b" \t\n\v\f\r"
_HEX = b"0123456789abcdefABCDEF"
_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


class TransformError(ValueError):
    """A transform that does not exist or whose argument is wrong."""


def prepare(name: str, argument: str, settings: DetectSettings) -> Change:
    """Make the function that a rule's transform stands for.

    Raises:
        TransformError: unknown name or argument.
    """
    plain = _PLAIN.get(name)
    if plain is not None:
        return plain
    maker = _MAKERS.get(name)
    if maker is None:
        raise TransformError(f"transform {name} is not supported")
    try:
        change: Change = maker(argument, settings)
    except (ValueError, binascii.Error) as error:
        raise TransformError(f"{name}: {error}") from error
    return change


def names() -> frozenset[str]:
    """Give the transforms that there are."""
    return frozenset(_PLAIN) | frozenset(_MAKERS)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _dotprefix(data: bytes) -> bytes:
    return b"." + data


def _strip_whitespace(data: bytes) -> bytes:
    return data.translate(None, _BLANKS)


def _compress_whitespace(data: bytes) -> bytes:
    """Keep the first byte of each run of blanks."""
    out = bytearray()
    blank = False
    for byte in data:
        now = byte in _BLANKS
        if not (now and blank):
            out.append(byte)
        blank = now
    return bytes(out)


def _strip_pseudo_headers(data: bytes) -> bytes:
    """Drop HTTP/2 pseudo headers: lines that begin with a colon."""
    return b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(b":"))


def _header_lowercase(data: bytes) -> bytes:
    """Lower the names of header lines and leave their values."""
    out = []
    for line in data.splitlines(keepends=True):
        name, colon, value = line.partition(b":")
        out.append(name.lower() + colon + value)
    return b"".join(out)


def _url_decode(data: bytes) -> bytes:
    """Decode ``%XX`` and ``+``; what is no valid escape stays (RFC 3986 section 2.1)."""
    pieces = data.replace(b"+", b" ").split(b"%")
    out = [pieces[0]]
    for piece in pieces[1:]:
        if len(piece) >= 2 and piece[0] in _HEX and piece[1] in _HEX:
            out.append(bytes((int(piece[:2], 16),)) + piece[2:])
        else:
            out.append(b"%" + piece)
    return b"".join(out)


def _xor(argument: str, _: DetectSettings) -> Change:
    key = bytes.fromhex(argument.strip().strip('"'))
    if not key:
        raise ValueError("no key")

    def change(data: bytes) -> bytes:
        stream = (key * (len(data) // len(key) + 1))[: len(data)]
        mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(len(data), "big")

    return change


def _pcrexform(argument: str, settings: DetectSettings) -> Change:
    """Keep the first group of the expression, all data where it does not match."""
    pattern, flags = _regex_parts(argument.strip())
    regex = compile_regex(pattern, flags, settings)
    if regex.groups != 1:
        raise ValueError("exactly one group is needed")

    def change(data: bytes) -> bytes:
        try:
            found = regex.search(data)
        except pcre2.LibraryError:
            return data
        value = found.group(1) if found else None
        return data if value is None else bytes(value)

    return change


def _regex_parts(text: str) -> tuple[bytes, str]:
    """Split ``"/expression/flags"`` or a bare expression."""
    text = text.strip('"')
    if text.startswith("/") and text.rfind("/") > 0:
        end = text.rfind("/")
        return text[1:end].encode("latin-1", "replace"), text[end + 1 :]
    return text.encode("latin-1", "replace"), ""


def _subslice(argument: str, _: DetectSettings) -> Change:
    """``offset[,nbytes][,truncate]``; negative numbers count from the end."""
    words = [word.strip() for word in argument.split(",") if word.strip()]
    truncate = "truncate" in words
    values = [int(word) for word in words if word != "truncate"]
    if not 1 <= len(values) <= 2:
        raise ValueError("offset and optional size are needed")

    def change(data: bytes) -> bytes:
        return _slice(data, values, truncate)

    return change


def _slice(data: bytes, values: list[int], truncate: bool) -> bytes:
    """Cut; a slice that reaches over the end is empty unless it may be truncated."""
    size = len(data)
    first = values[0] if values[0] >= 0 else size + values[0]
    last = size
    if len(values) == 2:
        last = first + values[1] if values[1] >= 0 else size + values[1]
    outside = first < 0 or last > size or first > last
    if outside and not truncate:
        return b""
    return data[max(first, 0) : max(last, 0)]


def _inflate(window: int) -> Callable[[str, DetectSettings], Change]:
    """Make a decompressor; the argument ``max-size N`` lowers the limit of its output."""

    def maker(argument: str, _: DetectSettings) -> Change:
        words = argument.replace(",", " ").split()
        limit = 1024
        if words:
            if words[0] != "max-size" or len(words) != 2:
                raise ValueError("only max-size is known")
            limit = min(int(words[1]), OUTPUT_LIMIT)

        def change(data: bytes) -> bytes:
            try:
                return zlib.decompressobj(window).decompress(data, limit)
            except zlib.error:
                return b""

        return change

    return maker


def _from_base64(argument: str, _: DetectSettings) -> Change:
    """``bytes N, offset N, mode rfc4648|rfc2045|strict``."""
    options = {"bytes": "0", "offset": "0", "mode": "rfc4648"}
    for part in argument.split(","):
        words = part.split()
        if len(words) == 2 and words[0] in options:
            options[words[0]] = words[1]
        elif words:
            raise ValueError(f"unknown option {part.strip()}")
    count, offset, mode = int(options["bytes"]), int(options["offset"]), options["mode"].lower()
    if mode not in {"rfc4648", "rfc2045", "strict"} or count < 0 or offset < 0:
        raise ValueError("unknown mode or negative number")

    def change(data: bytes) -> bytes:
        piece = data[offset : offset + count] if count else data[offset:]
        decoded = decode_base64(piece, mode)
        return data if decoded is None else decoded

    return change


def decode_base64(data: bytes, mode: str) -> bytes | None:
    """Decode Base64: "strict" refuses any flaw, "rfc4648" stops at it, "rfc2045" skips strange bytes.

    None when nothing could be decoded.
    """
    if mode == "strict":
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error:
            return None
    if mode == "rfc2045":
        kept = bytes(byte for byte in data.partition(b"=")[0] if byte in _ALPHABET)
    else:
        end = next((i for i, byte in enumerate(data) if byte not in _ALPHABET), len(data))
        kept = data[:end]
    if len(kept) % 4 == 1:
        kept = kept[:-1]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4)) or None


_PLAIN: dict[str, Change] = {
    "to_md5": _md5,
    "to_sha1": _sha1,
    "to_sha256": _sha256,
    "to_lowercase": bytes.lower,
    "to_uppercase": bytes.upper,
    "dotprefix": _dotprefix,
    "strip_whitespace": _strip_whitespace,
    "compress_whitespace": _compress_whitespace,
    "strip_pseudo_headers": _strip_pseudo_headers,
    "header_lowercase": _header_lowercase,
    "url_decode": _url_decode,
    "domain": registered_domain,
    "tld": top_level,
}

_MAKERS: dict[str, Callable[[str, DetectSettings], Any]] = {
    "xor": _xor,
    "pcrexform": _pcrexform,
    "subslice": _subslice,
    "gunzip": _inflate(31),
    "zlib_deflate": _inflate(15),
    "from_base64": _from_base64,
}

__all__ = ["OUTPUT_LIMIT", "Change", "RegexError", "TransformError", "decode_base64", "names", "prepare"]
