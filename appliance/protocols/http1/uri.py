"""Normalisation of request targets, as a server would read them (RFC 3986 section 6)."""

from __future__ import annotations

from appliance.protocols.http1.config import Config

_HEX: dict[int, int] = dict(zip(b"0123456789abcdefABCDEF", (*range(16), *range(10, 16)), strict=True))


class Target:
    """A request target taken apart. ``port`` is -1 when there is none, -2 when it is no port."""

    __slots__ = ("double_encoded", "host", "normal", "path", "port", "query", "userinfo")

    def __init__(self) -> None:
        """Start with a target of which nothing is known."""
        self.path: bytes = b""
        self.query: bytes | None = None
        self.host: bytes | None = None
        self.port: int = -1
        self.normal: bytes = b""
        self.double_encoded: bool = False
        self.userinfo: bytes = b""


def unescape(data: bytes, plus: bool = False, u_encoding: bool = False) -> bytes:
    """Decode ``%xx`` once; what is no valid escape stays. ``%uXXXX`` becomes its low byte if asked."""
    if b"%" not in data and not (plus and b"+" in data):
        return data
    if plus:
        data = data.replace(b"+", b" ")
    parts = data.split(b"%")
    out = bytearray(parts[0])
    for part in parts[1:]:
        if len(part) >= 2 and part[0] in _HEX and part[1] in _HEX:
            out.append(_HEX[part[0]] << 4 | _HEX[part[1]])
            out += part[2:]
        elif u_encoding and part[:1] in {b"u", b"U"} and len(part) >= 5 and all(c in _HEX for c in part[1:5]):
            out.append(_HEX[part[3]] << 4 | _HEX[part[4]])
            out += part[5:]
        else:
            out += b"%" + part
    return bytes(out)


def remove_dots(path: bytes) -> bytes:
    """Resolve ``.`` and ``..`` segments (RFC 3986 section 5.2.4)."""
    if b"." not in path:
        return path
    out: list[bytes] = []
    segments = path.split(b"/")
    last = len(segments) - 1
    for place, segment in enumerate(segments):
        if segment == b"..":
            if len(out) > 1 or (out and out[0]):
                out.pop()
            if place == last:
                out.append(b"")
        elif segment == b".":
            if place == last:
                out.append(b"")
        else:
            out.append(segment)
    if path[:1] == b"/" and out[:1] != [b""]:
        out.insert(0, b"")
    return b"/".join(out)


def _squeeze(path: bytes) -> bytes:
    """Bring runs of slashes to one, in one pass."""
    if b"//" not in path:
        return path
    lead = b"/" if path[:1] == b"/" else b""
    tail = b"/" if path[-1:] == b"/" else b""
    middle = b"/".join(part for part in path.split(b"/") if part)
    return lead + middle + tail if middle else b"/"


def normal_path(raw: bytes, config: Config) -> bytes:
    """Give the path as the server's file system would see it."""
    if config.nul_raw_terminates:
        raw = raw.split(b"\0", 1)[0]
    path = unescape(raw, u_encoding=config.u_encoding)
    if config.double_decode_path:
        path = unescape(path, u_encoding=config.u_encoding)
    if config.nul_encoded_terminates:
        path = path.split(b"\0", 1)[0]
    if config.backslash:
        path = path.replace(b"\\", b"/")
    if config.lowercase_path:
        path = path.lower()
    if config.compress_slashes:
        path = _squeeze(path)
    return remove_dots(path)


def normal_query(raw: bytes, config: Config) -> bytes:
    """Give the query decoded."""
    query = unescape(raw, config.plus_to_space)
    return unescape(query, config.plus_to_space) if config.double_decode_query else query


def split_host(authority: bytes) -> tuple[bytes, int]:
    """Take ``host[:port]`` apart; the port is -1 when missing and -2 when it is none."""
    authority = authority.strip()
    if authority[:1] == b"[":
        host, _, rest = authority.partition(b"]")
        host += b"]"
        port_text = rest[1:] if rest[:1] == b":" else b""
    else:
        host, colon, port_text = authority.partition(b":")
        if not colon:
            return host, -1
    port_text = port_text.strip()
    if not port_text:
        return host, -1
    if not port_text.isdigit() or len(port_text) > 5 or not 0 < int(port_text) <= 65_535:
        return host, -2
    return host, int(port_text)


def parse(raw: bytes, config: Config, authority_form: bool = False) -> Target:
    """Take a request target apart and normalise it. ``authority_form`` is that of CONNECT."""
    target = Target()
    if authority_form:
        target.host, target.port = split_host(raw)
        target.normal = raw
        return target
    rest = raw.split(b"#", 1)[0] if b"#" in raw else raw
    scheme, mark, after = rest.partition(b"://")
    prefix = b""
    if mark and scheme.isalnum():
        slash = min((i for i in (after.find(b"/"), after.find(b"?")) if i >= 0), default=len(after))
        authority = after[:slash]
        prefix = scheme + mark + authority
        target.userinfo, _, hostport = authority.rpartition(b"@")
        target.host, target.port = split_host(hostport)
        rest = after[slash:]
    path, question, query = rest.partition(b"?")
    target.path = normal_path(path, config)
    normal = target.path
    target.double_encoded = _escaped(path)
    if question:
        target.query = normal_query(query, config)
        target.double_encoded = target.double_encoded or _escaped(query)
        normal += b"?" + target.query
    if raw is not rest and b"#" in raw:
        normal += b"#" + raw.split(b"#", 1)[1]
    target.normal = prefix + normal if config.include_all else normal
    return target


def _escaped(raw: bytes) -> bool:
    """Tell whether escapes are left when ``raw`` is decoded."""
    if b"%" not in raw:
        return False
    parts = unescape(raw).split(b"%")[1:]
    return any(len(part) >= 2 and part[0] in _HEX and part[1] in _HEX for part in parts)
