"""Options of the HTTP/1 parser, under the names that Suricata's configuration gives them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.config.settings import AppSettings
from appliance.protocols.files import FileTracker

_MOST = 1 << 62  # compiled, limits are 64 bits wide
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mb": 1 << 20}
_UNITS |= {"mib": 1 << 20, "g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30}
_YES = frozenset({"yes", "true", "on", "1"})


def size(text: Any, fallback: int) -> int:
    """Read a size such as ``4096``, ``"100 KiB"`` or ``"1mb"``; ``fallback`` when it is none."""
    if isinstance(text, int):
        return text
    word = str(text).strip().lower()
    digits = word.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = word[len(digits) :].strip()
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS:
        return fallback
    return int(digits) * _UNITS[unit]


def flag(text: Any, fallback: bool) -> bool:
    """Read a yes/no option."""
    if text is None:
        return fallback
    return text if isinstance(text, bool) else str(text).strip().lower() in _YES


@dataclass(frozen=True, slots=True)
class Config:
    """What the parser does with what it sees. Limits of 0 mean none."""

    request_body_limit: int = 100 << 10
    response_body_limit: int = 100 << 10
    layer_limit: int = 2  # content codings undone, one inside the other
    bomb_limit: int = 1 << 20  # decoded bytes from which the ratio is looked at
    lzma: bool = False
    field_limit: int = 18_000  # bytes of one line
    headers_limit: int = 1024  # fields of one message
    max_tx: int = 512  # unanswered requests
    double_decode_path: bool = False
    double_decode_query: bool = False
    plus_to_space: bool = False
    backslash: bool = True
    compress_slashes: bool = True
    lowercase_path: bool = False
    u_encoding: bool = True
    nul_encoded_terminates: bool = False
    nul_raw_terminates: bool = False
    include_all: bool = False


_FLAGS = {
    "double-decode-path": "double_decode_path",
    "double-decode-query": "double_decode_query",
    "query-plusspace-decode": "plus_to_space",
    "path-convert-backslash-separators": "backslash",
    "path-separators-compress": "compress_slashes",
    "path-convert-lowercase": "lowercase_path",
    "path-u-encoding-decode": "u_encoding",
    "path-nul-encoded-terminates": "nul_encoded_terminates",
    "path-nul-raw-terminates": "nul_raw_terminates",
    "uri-include-all": "include_all",
    "lzma-enabled": "lzma",
}
_SIZES = {
    "request-body-limit": "request_body_limit",
    "response-body-limit": "response_body_limit",
    "response-body-decompress-layer-limit": "layer_limit",
    "compression-bomb-limit": "bomb_limit",
    "meta-field-limit": "field_limit",
    "headers-limit": "headers_limit",
    "max-tx": "max_tx",
}
# What a personality changes; others are as the defaults.
_PLAIN = {"backslash": False, "compress_slashes": False, "u_encoding": False}
_PERSONALITIES: dict[str, dict[str, bool]] = {
    "minimal": _PLAIN,
    "generic": {"u_encoding": False},
    "apache_2": {"backslash": False, "u_encoding": False},
    "apache": {"backslash": False, "u_encoding": False},
    "tomcat_6_0": {"backslash": True, "u_encoding": False},
}


def parse(section: Mapping[str, Any]) -> Config:
    """Make a configuration from one ``default-config`` or ``server-config`` section."""
    personality = str(section.get("personality", "IDS")).lower()
    found: dict[str, Any] = dict(_PERSONALITIES.get(personality, {}))
    defaults = Config()
    for key, name in _FLAGS.items():
        if key in section:
            found[name] = flag(section[key], getattr(defaults, name))
    for key, name in _SIZES.items():
        if key in section:
            found[name] = size(section[key], getattr(defaults, name))
    return replace(defaults, **found)


class Limits:
    """What the parser goes by of one configuration, ready to be read for every message."""

    def __init__(self, config: Config) -> None:
        """Take over a configuration."""
        self.config: Config = config
        self.field_limit: int = min(config.field_limit, _MOST)
        self.headers_limit: int = min(config.headers_limit, _MOST)
        self.plus: bool = config.plus_to_space
        self.lowercase: bool = config.lowercase_path
        self.asked_limit: int = min(config.request_body_limit, _MOST)
        self.answered_limit: int = min(config.response_body_limit, _MOST)
        self.max_tx: int = min(config.max_tx, _MOST)
        self._app: AppSettings | None = None
        self._files: FileTracker | None = None

    def files(self, app: AppSettings) -> FileTracker:
        """Make what keeps the books of one flow's files; what it has to do is asked of ``app`` once."""
        if self._files is None or self._app is not app:
            config = self.config
            window = max(app.file_limit, config.request_body_limit, config.response_body_limit)
            self._app, self._files = app, FileTracker.of(app, window)
        return self._files.another()


class Configs:
    """The default configuration and those of particular servers."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Read the ``libhtp`` part of the protocol's options."""
        libhtp = options.get("libhtp")
        libhtp = libhtp if isinstance(libhtp, Mapping) else {}
        section = libhtp.get("default-config")
        self.default: Limits = Limits(parse(section if isinstance(section, Mapping) else {}))
        self.servers: list[tuple[Any, Limits]] = []
        for entry in _sections(libhtp.get("server-config")):
            limits = Limits(parse(entry))
            for address in _addresses(entry.get("address")):
                self.servers.append((address, limits))

    def of(self, server: bytes) -> Limits:
        """Give the configuration for a server address (4 or 16 bytes)."""
        if not self.servers:
            return self.default
        address = int.from_bytes(server, "big")
        version = 4 if len(server) == 4 else 6
        for network, limits in self.servers:
            low, high = int(network.network_address), int(network.broadcast_address)
            if network.version == version and low <= address <= high:
                return limits
        return self.default


def _sections(value: Any) -> list[Mapping[str, Any]]:
    """Give the server sections, which come as a list of one-entry mappings or as a mapping."""
    items = value if isinstance(value, list) else [value]
    return [
        section
        for item in items
        if isinstance(item, Mapping)
        for section in item.values()
        if isinstance(section, Mapping)
    ]


def _addresses(value: Any) -> list[Any]:
    """Read addresses and networks; what is none is left out."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        try:
            found.append(ipaddress.ip_network(str(item).strip(), strict=False))
        except ValueError:
            continue
    return found


_CACHE: dict[int, tuple[Any, Configs]] = {}


def configs(options: Any) -> Configs:
    """Give the parsed options; every flow is given the same mapping, so that they are parsed once."""
    known = _CACHE.get(id(options))
    if known is not None and known[0] is options:
        return known[1]
    made = Configs(options if isinstance(options, Mapping) else {})
    if len(_CACHE) >= 16:
        _CACHE.clear()
    _CACHE[id(options)] = (options, made)
    return made
