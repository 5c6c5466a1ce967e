"""The part ``cluster`` of the appliance file, as ``docs/cluster.md`` describes it to users."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from appliance.config.units import Duration
from appliance.config.validate import Strict
from appliance.handoff.machinery import Times
from appliance.handoff.store import HOST

_SECOND = 1_000_000_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,32}")


def _host(value: str) -> str:
    if not HOST.fullmatch(value):
        raise ValueError("has to be 1 to 63 letters, digits, - or _")
    return value


def _prefix(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("has to be 1 to 32 letters, digits, - or _")
    return value


def _server(value: str) -> str:
    parts = urlsplit(value)
    try:
        port = parts.port or 4222
    except ValueError:
        port = 0
    if parts.scheme not in {"nats", "tls"} or not parts.hostname or not port or parts.path not in {"", "/"}:
        raise ValueError("has to be like nats://host:4222")
    if parts.username is not None or parts.password is not None:
        raise ValueError("names a user; credentials belong into files of their own (cluster.credentials)")
    return f"nats://{_bracketed(parts.hostname)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _waits(value: int) -> int:
    if not _SECOND // 2 <= value <= 3600 * _SECOND:
        raise ValueError("has to be between half a second and an hour")
    return value


Host = Annotated[str, AfterValidator(_host)]
Server = Annotated[str, AfterValidator(_server)]
Wait = Annotated[Duration, AfterValidator(_waits)]
File = Annotated[str, Field(min_length=1, max_length=4096)]


class TlsDocument(Strict):
    """Whom to trust, and who we are. The servers' names are verified."""

    ca: File
    certificate: str = ""
    key: str = ""

    @model_validator(mode="after")
    def _both(self) -> Self:
        if bool(self.certificate) is not bool(self.key):
            raise ValueError("certificate and key belong together")
        return self


class CredentialsDocument(Strict):
    """Who this host is to the servers: one of three ways. All secrets are files that only we can read."""

    nkey: str = ""
    creds: str = ""
    user: str = ""
    password: str = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.user) is not bool(self.password):
            raise ValueError("user and password (a file) belong together")
        if sum(map(bool, (self.nkey, self.creds, self.user))) != 1:
            raise ValueError("takes one of nkey, creds, or user with password")
        return self


class FirstClaimDocument(Strict):
    """What an interface does of which the store has said nothing yet, since it is away."""

    pass_after: Wait | None = None


class TimersDocument(Strict):
    """How long an interface waits in each state."""

    expecting: Wait = 4 * _SECOND
    waiting: Wait = 2 * _SECOND
    offering: Wait = 15 * _SECOND
    frozen: Wait = 60 * _SECOND
    left: Wait = 120 * _SECOND
    given: Wait = 20 * _SECOND
    conflict: Wait = 30 * _SECOND

    def times(self) -> Times:
        """Give them in seconds."""
        return Times(**{name: getattr(self, name) / _SECOND for name in type(self).model_fields})


class ClusterDocument(Strict):
    """This host among others."""

    name: Host
    servers: Annotated[tuple[Server, ...], Field(min_length=1, max_length=16)]
    tls: TlsDocument | None = None
    credentials: CredentialsDocument | None = None
    prefix: Annotated[str, AfterValidator(_prefix)] = "eastwall"
    replicas: Literal[1, 3, 5] = 1
    follow: bool = False
    first_claim: FirstClaimDocument = FirstClaimDocument()
    timers: TimersDocument = TimersDocument()
