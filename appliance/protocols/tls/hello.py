"""ClientHello and ServerHello, with what is derived from them: JA3, JA3S and JA4.

Sources: RFC 8446 section 4.1, RFC 6066 section 3 (SNI), RFC 7301 (ALPN), the published descriptions of the
fingerprints.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

EXT_SNI, EXT_GROUPS, EXT_POINTS, EXT_SIGNATURES, EXT_ALPN, EXT_VERSIONS = 0, 10, 11, 13, 16, 43


def is_grease(value: int) -> bool:
    """Tell whether a number is one of those reserved to keep implementations honest (RFC 8701)."""
    return (value & 0x0F0F) == 0x0A0A and value >> 8 == value & 0xFF


@dataclass(slots=True)
class Hello:
    """A hello message; lists hold wire numbers in wire order, GREASE included."""

    client: bool
    version: int = 0
    random: bytes = b""
    session_id: bytes = b""
    ciphers: list[int] = field(default_factory=list)
    extensions: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    signatures: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    alpn: list[bytes] = field(default_factory=list)
    sni: bytes = b""
    events: list[str] = field(default_factory=list)
    datagram: bool = False  # of DTLS, whose versions count downwards

    def negotiated(self) -> int:
        """Give the version that counts: of a server the chosen one, of a client the announced one."""
        return self.versions[0] if self.versions and not self.client else self.version

    def ja3(self) -> str:
        """Give the fingerprint's text: five fields of a client, three of a server."""
        if not self.client:
            return f"{self.version},{self.ciphers[0] if self.ciphers else 0},{_dashes(self.extensions)}"
        fields = (self.ciphers, self.extensions, self.groups, self.points)
        return ",".join([str(self.version), *(_dashes(numbers) for numbers in fields)])

    def ja4(self, transport: str = "") -> str:
        """Give the JA4 fingerprint of a client; ``transport`` is "q" for QUIC, else that of TLS or DTLS."""
        return _ja4(self, transport or ("d" if self.datagram else "t"))


def _dashes(numbers: list[int]) -> str:
    return "-".join(str(number) for number in numbers if not is_grease(number))


class _Cursor:
    """Reads fields; past the end everything is empty and ``short`` is set."""

    __slots__ = ("at", "data", "short")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.short = False

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        self.at += size
        self.short = self.short or len(piece) < size
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    @property
    def more(self) -> bool:
        return self.at < len(self.data)


def _numbers(data: bytes, size: int = 2) -> list[int]:
    return [int.from_bytes(data[i : i + size], "big") for i in range(0, len(data) - size + 1, size)]


def parse_hello(body: bytes, *, client: bool, datagram: bool = False) -> Hello:
    """Read a hello message, ``datagram`` one of DTLS; what is cut short is noted and the rest left empty."""
    hello, cursor = Hello(client, datagram=datagram), _Cursor(body)
    hello.version = cursor.number(2)
    hello.random = cursor.take(32)
    if client or datagram or hello.version < 0x0304:
        hello.session_id = cursor.vector(1)
    if client and datagram:
        cursor.vector(1)  # the cookie
    if client:
        hello.ciphers = _numbers(cursor.vector(2))
        cursor.vector(1)
    else:
        hello.ciphers = [cursor.number(2)]
        cursor.take(1)
    if cursor.more:
        _extensions(hello, cursor.vector(2))
    if cursor.short:
        hello.events.append("handshake_invalid_length")
    return hello


def _extensions(hello: Hello, data: bytes) -> None:
    cursor = _Cursor(data)
    while cursor.more:
        kind = cursor.number(2)
        body = cursor.vector(2)
        if cursor.short:
            hello.events.append("handshake_invalid_length")
            return
        if kind == EXT_SNI and kind in hello.extensions:
            hello.events.append("multiple_sni_extensions")
        hello.extensions.append(kind)
        _extension(hello, kind, body)


def _extension(hello: Hello, kind: int, body: bytes) -> None:
    if kind == EXT_SNI and hello.client:
        _server_name(hello, body)
    elif kind == EXT_GROUPS:
        hello.groups = _numbers(body[2:])
    elif kind == EXT_POINTS:
        hello.points = _numbers(body[1:], 1)
    elif kind == EXT_SIGNATURES:
        hello.signatures = _numbers(body[2:])
    elif kind == EXT_VERSIONS:
        hello.versions = _numbers(body[1:] if hello.client else body)
    elif kind == EXT_ALPN:
        cursor = _Cursor(body[2:])
        while cursor.more:
            name = cursor.vector(1)
            if name:
                hello.alpn.append(name)


def _server_name(hello: Hello, body: bytes) -> None:
    if len(body) < 5 or hello.sni:
        return
    if body[2] != 0:
        hello.events.append("invalid_sni_type")
        return
    length = (body[3] << 8) | body[4]
    if length > len(body) - 5:
        hello.events.append("invalid_sni_length")
        return
    hello.sni = body[5 : 5 + length]


_JA4_VERSIONS = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}


def _ja4(hello: Hello, transport: str) -> str:
    offered = [version for version in hello.versions if not is_grease(version)]
    newest = min if hello.datagram else max
    version = _JA4_VERSIONS.get(newest(offered) if offered else hello.version, "00")
    ciphers = [cipher for cipher in hello.ciphers if not is_grease(cipher)]
    extensions = [kind for kind in hello.extensions if not is_grease(kind)]
    name = "d" if hello.sni or EXT_SNI in hello.extensions else "i"
    head = (
        f"{transport}{version}{name}{min(len(ciphers), 99):02}{min(len(extensions), 99):02}{_ja4_alpn(hello)}"
    )
    hashed = sorted(kind for kind in extensions if kind not in {EXT_SNI, EXT_ALPN})
    tail = _hex(hashed)
    if hello.signatures:
        tail += "_" + _hex([number for number in hello.signatures if not is_grease(number)])
    return f"{head}_{_short_hash(_hex(sorted(ciphers)))}_{_short_hash(tail)}"


def _ja4_alpn(hello: Hello) -> str:
    if not hello.alpn:
        return "00"
    first, last = hello.alpn[0][:1], hello.alpn[0][-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    return first.hex()[0] + last.hex()[1]


def _hex(numbers: list[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
