"""The sections ``outputs`` and ``metrics`` of the appliance's configuration: see ``docs/outputs.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    PlainSerializer,
    model_validator,
)

from appliance.config.validate import Strict
from appliance.config.values import parse_duration, parse_size
from appliance.sinks.kinds import CEF_KINDS, KINDS
from appliance.sinks.severity import FACILITIES

MIB = 1 << 20
_SECOND = 1_000_000_000
Network = IPv4Network | IPv6Network


def _size(value: Any) -> Any:
    read = parse_size(value) if isinstance(value, str) else value
    if read is None or isinstance(read, bool):
        raise ValueError("must be a size such as 64MB")
    return read


def _duration(value: Any) -> int:
    read = parse_duration(str(value)) if not isinstance(value, bool) else None
    if read is None:
        raise ValueError("must be a time such as 30s, 1h or 1d; a bare number is seconds")
    return read


def _absolute(path: str) -> str:
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ValueError("must be a path that begins with /, since the daemon has no folder of its own")
    return path


def _known(names: Iterable[str]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    known = frozenset(names)

    def check(given: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(given) - known)
        if unknown:
            message = f"unknown: {', '.join(unknown)} (known: {', '.join(sorted(known))})"
            raise ValueError(message)
        return given

    return check


Size = Annotated[int, BeforeValidator(_size), Field(ge=0, lt=1 << 50)]
Duration = Annotated[int, BeforeValidator(_duration), PlainSerializer(lambda time: f"{time}ns")]
Path = Annotated[str, AfterValidator(_absolute), Field(max_length=4000)]
Types = Annotated[tuple[str, ...], AfterValidator(_known(KINDS)), Field(min_length=1)]
CefTypes = Annotated[tuple[str, ...], AfterValidator(_known(CEF_KINDS)), Field(min_length=1)]
OutputName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_.:/\[\]-]*$")]
Facility = Annotated[Literal[FACILITIES], Field()]  # type: ignore[valid-type]


class RotateDocument(Strict):
    """When a file is put aside and how many of the old ones are kept."""

    size: Annotated[Size, Field(ge=64 << 10)] | None = None
    every: Annotated[Duration, Field(ge=60 * _SECOND, le=366 * 86_400 * _SECOND)] | None = None
    keep: Annotated[int, Field(ge=0, le=10_000)] = 10
    compress: bool = False

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.size is None and self.every is None:
            raise ValueError("size or every must say when to rotate")
        return self


class _FileDocument(Strict):
    name: OutputName = ""
    file: Path
    rotate: RotateDocument | None = None
    backlog: Annotated[Size, Field(ge=MIB)] = 32 * MIB

    @property
    def label(self) -> str:
        """What statistics and messages call the output."""
        return self.name or self.file


class EveDocument(_FileDocument):
    """Records as EVE JSON in a file. Without ``types`` it gets all that are made."""

    type: Literal["eve"]
    types: Types | None = None


class CefDocument(_FileDocument):
    """Events as CEF lines in a file."""

    type: Literal["cef"]
    events: CefTypes = ("alert", "drop", "eastwall")


class BufferDocument(Strict):
    """What is held back while a receiver is slow or absent."""

    memory: Annotated[Size, Field(ge=MIB)] = 16 * MIB
    disk: Size = 0
    folder: Path | None = None

    @model_validator(mode="after")
    def _folder(self) -> Self:
        if bool(self.disk) != (self.folder is not None):
            raise ValueError("disk and folder belong together")
        if self.disk and self.disk < 8 * MIB:
            raise ValueError("disk must be 8MB or more")
        return self


_PORTS = {"udp": 514, "tcp": 514, "tls": 6514}
_SIZES = {"udp": 2048, "tcp": 8192, "tls": 8192, "unix": 8192}


class SyslogDocument(Strict):
    """Events to a syslog receiver (RFC 5424)."""

    type: Literal["syslog"]
    name: OutputName = ""
    transport: Literal["udp", "tcp", "tls", "unix"]
    host: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    port: Annotated[int, Field(gt=0, lt=65_536)] | None = None
    path: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    format: Literal["eve", "cef"] = "eve"
    events: Types = ("alert", "drop", "eastwall")
    facility: Facility = "local0"
    app_name: Annotated[str, Field(pattern=r"^[!-~]{1,48}$")] = "eastwall"
    enterprise: Annotated[int, Field(ge=1, lt=1 << 32)] = 32_473
    size: Annotated[Size, Field(ge=480, le=256 << 10)] | None = None
    buffer: BufferDocument = BufferDocument()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_address()
        tls_only = [name for name in ("ca", "certificate", "key", "server_name") if getattr(self, name)]
        if tls_only and self.transport != "tls":
            message = f"{', '.join(tls_only)}: only with transport: tls"
            raise ValueError(message)
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if self.format == "cef":
            _known(CEF_KINDS)(self.events)
        if self.transport == "udp" and (self.size or 0) > 65_000:
            raise ValueError("size: a datagram holds at most 65000 bytes")
        return self

    def _check_address(self) -> None:
        if self.transport == "unix":
            if self.host is not None or self.port is not None:
                raise ValueError("transport: unix has a path, no host and no port")
        elif self.host is None:
            message = f"host is required with transport: {self.transport}"
            raise ValueError(message)
        elif self.path is not None:
            raise ValueError("path: only with transport: unix")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, or the socket's path and 0."""
        if self.transport == "unix":
            return self.path or "/dev/log", 0
        return self.host or "", self.port or _PORTS[self.transport]

    @property
    def limit(self) -> int:
        """Bytes of the longest message."""
        return self.size or _SIZES[self.transport]

    @property
    def label(self) -> str:
        """What statistics and messages call the output."""
        host, port = self.address
        return self.name or f"{self.transport}:{host}" + (f":{port}" if port else "")


OutputDocument = Annotated[EveDocument | SyslogDocument | CefDocument, Field(discriminator="type")]


def _distinct(outputs: tuple[OutputDocument, ...]) -> tuple[OutputDocument, ...]:
    """Refuse outputs that would write over each other or cannot be told apart."""
    folders = [out.buffer.folder for out in outputs if isinstance(out, SyslogDocument) and out.buffer.folder]
    files = [out.file for out in outputs if not isinstance(out, SyslogDocument)]
    for what, used in (("file", files), ("buffer.folder", folders), ("name", [out.label for out in outputs])):
        twice = sorted(name for name, uses in Counter(used).items() if uses > 1)
        if twice:
            message = f"two outputs have the same {what}: {', '.join(twice)}"
            raise ValueError(message)
    return outputs


OutputsDocument = Annotated[tuple[OutputDocument, ...], AfterValidator(_distinct), Field(max_length=32)]


class MetricsDocument(Strict):
    """Where Prometheus may ask."""

    address: IPvAnyAddress = Field(default="127.0.0.1", validate_default=True)
    port: Annotated[int, Field(gt=0, lt=65_536)] = 9797
    allow: tuple[IPvAnyNetwork, ...] = ()
    interfaces: Annotated[int, Field(ge=0, le=100_000)] = 1000
    requests: Annotated[int, Field(ge=1, le=64)] = 4
