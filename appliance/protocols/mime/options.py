"""What is done with messages, under the names that Suricata's configuration gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_YES = frozenset({"yes", "true", "on", "1"})


def flag(value: Any, fallback: bool) -> bool:
    """Read a yes/no option."""
    if value is None:
        return fallback
    return value if isinstance(value, bool) else str(value).strip().lower() in _YES


def number(value: Any, fallback: int) -> int:
    """Read a count that is not negative; ``fallback`` when it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else fallback


@dataclass(frozen=True, slots=True)
class MimeOptions:
    """``value_depth`` bounds the bytes kept of a field's value, ``schemes`` are those of URLs."""

    decode: bool = True
    base64: bool = True
    quoted: bool = True
    value_depth: int = 2000
    urls: bool = True
    schemes: tuple[bytes, ...] = (b"http://",)
    log_scheme: bool = False
    body_md5: bool = False


def _scheme(name: Any) -> bytes:
    text = str(name).strip().lower().encode("utf-8", "replace")[:32]
    return text + (b":" if text == b"mailto" else b"://")


def mime_options(section: Any) -> MimeOptions:
    """Read the ``mime`` part of a protocol's options."""
    if not isinstance(section, Mapping):
        return MimeOptions()
    schemes = section.get("extract-urls-schemes")
    named = tuple(_scheme(name) for name in schemes[:16]) if isinstance(schemes, list) else ()
    return MimeOptions(
        decode=flag(section.get("decode-mime"), True),
        base64=flag(section.get("decode-base64"), True),
        quoted=flag(section.get("decode-quoted-printable"), True),
        value_depth=number(section.get("header-value-depth"), 2000) or 2000,
        urls=flag(section.get("extract-urls"), True),
        schemes=named or (b"http://",),
        log_scheme=flag(section.get("log-url-scheme"), False),
        body_md5=flag(section.get("body-md5"), False),
    )
