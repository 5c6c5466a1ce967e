"""Content transfer encodings (RFC 2045 section 6), undone piece by piece."""

from __future__ import annotations

import binascii
from typing import Protocol

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE = b" \t\r\n"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET) - {0x3D})
_INVALID = bytes(set(_NOT_BASE64) - set(_SPACE))
_HEX = b"0123456789abcdefABCDEF"
_PAIRS = {bytes((high, low)): bytes.fromhex(chr(high) + chr(low)) for high in _HEX for low in _HEX}
_MAX_BLANKS = 76  # white space that may stand between a soft line break's "=" and the end of its line


class Transfer(Protocol):
    """Undoes one encoding. ``invalid`` tells that something was not of the encoding."""

    invalid: bool

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, give what can be decoded by now."""
        ...

    def finish(self) -> bytes:
        """Give what was held back."""
        ...


class Identity:
    """``7bit``, ``8bit``, ``binary`` and what is not known: nothing to undo."""

    __slots__ = ("invalid",)

    def __init__(self) -> None:
        self.invalid = False

    def feed(self, data: bytes) -> bytes:
        """Give the bytes as they are."""
        return data

    def finish(self) -> bytes:
        """Nothing is held back."""
        return b""


class Base64:
    """``base64``; foreign bytes are passed over, and what follows padding is decoded too."""

    __slots__ = ("_held", "invalid")

    def __init__(self) -> None:
        self._held = b""
        self.invalid = False

    def feed(self, data: bytes) -> bytes:
        """Decode all full groups of four."""
        if not self.invalid and len(data.translate(None, _INVALID)) != len(data):
            self.invalid = True
        clean = data.translate(None, _NOT_BASE64)
        if b"=" not in clean:
            return self._groups(clean)
        *padded, rest = clean.split(b"=")
        return b"".join([self._groups(part) + self.finish() for part in padded]) + self._groups(rest)

    def _groups(self, clean: bytes) -> bytes:
        """Decode full groups and hold the rest."""
        ready = self._held + clean
        cut = len(ready) & ~3
        self._held = ready[cut:]
        return binascii.a2b_base64(ready[:cut]) if cut else b""

    def finish(self) -> bytes:
        """Decode an unfinished group, as if it had been padded."""
        held, self._held = self._held, b""
        if len(held) == 1:
            self.invalid = True
        return binascii.a2b_base64(held + b"=" * (4 - len(held))) if len(held) > 1 else b""


class QuotedPrintable:
    """``quoted-printable``; an "=" that begins nothing stays as it is."""

    __slots__ = ("_held", "invalid")

    def __init__(self) -> None:
        self._held = b""
        self.invalid = False

    def feed(self, data: bytes) -> bytes:
        """Decode all but a sequence whose end has not come."""
        data = self._held + data
        last = data.rfind(b"=", max(0, len(data) - _MAX_BLANKS - 3))
        self._held = b""
        if last >= 0 and _unfinished(data[last + 1 :]):
            data, self._held = data[:last], data[last:]
        return self._decode(data)

    def _decode(self, data: bytes) -> bytes:
        parts = data.split(b"=")
        out = [parts[0]]
        out += [self._sequence(part) for part in parts[1:]]
        return b"".join(out)

    def _sequence(self, part: bytes) -> bytes:
        """Decode what follows one "=": two digits, or the end of a line."""
        known = _PAIRS.get(part[:2])
        if known is not None:
            return known + part[2:]
        end = _soft_break(part)
        if end:
            return part[end:]
        self.invalid = True
        return b"=" + part

    def finish(self) -> bytes:
        """Give an unfinished sequence; one that is only an "=" is a soft break at the very end."""
        held, self._held = self._held, b""
        if not held[1:].strip(_SPACE):
            return b""
        return self._decode(held)


def _blanks(rest: bytes) -> int:
    """Count the white space at the beginning, up to one more than there may be."""
    head = rest[: _MAX_BLANKS + 1]
    return len(head) - len(head.lstrip(b" \t"))


def _soft_break(rest: bytes) -> int:
    """Give the length of a soft line break (without its "="), 0 when it is none."""
    blanks = _blanks(rest)
    if blanks > _MAX_BLANKS:
        return 0
    if rest[blanks : blanks + 1] == b"\n":
        return blanks + 1
    return blanks + 2 if rest[blanks : blanks + 2] == b"\r\n" else 0


def _unfinished(rest: bytes) -> bool:
    """Tell whether more bytes decide what an "=" followed by ``rest`` means."""
    if len(rest) < 2 and (not rest or rest in b"0123456789abcdefABCDEF"):
        return True
    blanks = _blanks(rest)
    return blanks <= _MAX_BLANKS and rest[blanks:] in {b"", b"\r"}


def transfer(name: bytes, base64: bool = True, quoted: bool = True) -> Transfer:
    """Make the decoder for a Content-Transfer-Encoding; the flags switch decoding on."""
    if name == b"base64" and base64:
        return Base64()
    if name == b"quoted-printable" and quoted:
        return QuotedPrintable()
    return Identity()
