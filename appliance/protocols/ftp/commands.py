"""Commands and replies of FTP (RFC 959, RFC 2428, RFC 4217)."""

from __future__ import annotations

# Commands that move a file, and the kind by which rules know the transfer.
TRANSFERS = {b"RETR": "retr", b"STOR": "stor", b"STOU": "stor", b"APPE": "stor"}
LISTINGS = frozenset((b"LIST", b"NLST", b"MLSD"))
ACTIVE = frozenset((b"PORT", b"EPRT"))
PASSIVE = frozenset((b"PASV", b"EPSV"))

MAX_COMMAND = 32  # bytes kept of a verb
_MAX_TEXT = 1024
_SEPARATED = bytes(byte if byte in b"0123456789," else 0x20 for byte in range(256))


def split(line: bytes) -> tuple[bytes, bytes]:
    """Give the verb in capitals and what follows it."""
    verb, _, rest = line.strip(b" \t").partition(b" ")
    return verb[:MAX_COMMAND].upper(), rest


def numbers(text: bytes) -> list[int] | None:
    """Read the first ``h1,h2,h3,h4,p1,p2`` in the beginning of a text; None when there is none."""
    for run in _runs(text[:_MAX_TEXT]):
        parts = run.split(b",")
        if len(parts) >= 6 and all(0 < len(part) < 4 for part in parts[:6]):
            found = [int(part) for part in parts[:6]]
            return found if max(found) < 256 else None
    return None


def _runs(text: bytes) -> list[bytes]:
    """Give the pieces of a text that are digits and commas only, without commas around them."""
    return [run.strip(b",") for run in text.translate(_SEPARATED).split()]


def port_of(text: bytes) -> int:
    """Give the port of a PORT command or of a 227 reply (RFC 959 section 4.1.2), 0 when there is none."""
    found = numbers(text)
    return found[4] << 8 | found[5] if found else 0


def extended_port(text: bytes) -> int:
    """Give the port of EPRT or of a 229 reply (RFC 2428): ``|1|address|port|``, ``(|||port|)``."""
    start = text.find(b"(")
    body = text[start + 1 :] if start >= 0 else text.lstrip()
    delimiter = body[:1]
    if not delimiter or delimiter.isdigit():
        return 0
    parts = body[:256].split(delimiter)
    word = parts[3] if len(parts) > 3 else b""
    port = int(word) if 0 < len(word) < 6 and word.isdigit() else 0
    return port if port <= 0xFFFF else 0


def reply_code(line: bytes) -> bytes:
    """Give the three digits with which a reply begins, empty when it does not."""
    code = line[:3]
    return code if len(code) == 3 and code.isdigit() and line[3:4] in {b"", b" ", b"-"} else b""
