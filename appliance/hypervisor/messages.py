"""What frames may say, checked field by field: a provider speaks for a server that may be anybody's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from appliance.config.addresses import format_range
from appliance.hypervisor.frames import VERSION, Frame
from appliance.inventory.document import MAX_RANGES, Mac, Name, Port, Range, Uuid, Vlan
from appliance.inventory.events import EventKind
from appliance.inventory.machines import MAX_NICS, Machine, Nic, Power

MAX_TAGS = 256
_Tags = Annotated[frozenset[Name], Field(max_length=MAX_TAGS)]
_Text = Annotated[str, Field(max_length=255)]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NicMessage(_Plain):
    """An interface."""

    name: Name
    mac: Mac
    network: _Text | None = None
    vlan: Vlan | None = None
    addresses: Annotated[tuple[Range, ...], Field(max_length=MAX_RANGES)] | None = None
    tags: _Tags | None = None
    port: Port | None = None


class MachineMessage(_Plain):
    """A machine."""

    uuid: Uuid
    name: Name | None = None
    os: _Text | None = None
    tags: _Tags | None = None
    nics: Annotated[tuple[NicMessage, ...], Field(max_length=MAX_NICS)] = ()
    power: Power | None = None
    host: _Text | None = None
    here: bool | None = None


class _Numbered(_Plain):
    seq: Annotated[int, Field(ge=1, lt=1 << 63)]


class Hello(_Numbered):
    """The first frame: which language is spoken."""

    say: Literal["hello"]
    version: Literal[VERSION]  # type: ignore[valid-type]


class Sync(_Numbered):
    """All machines follow, up to ``synced``."""

    say: Literal["sync"]


class Synced(_Numbered):
    """That were all machines."""

    say: Literal["synced"]


class Present(_Numbered):
    """A machine is there, or has changed."""

    say: Literal["machine"]
    machine: MachineMessage


class Gone(_Numbered):
    """A machine is not there any more."""

    say: Literal["gone"]
    uuid: Uuid


class Hint(_Numbered):
    """A move is announced, or has been said to be over."""

    say: Literal["hint"]
    kind: Literal["moving", "frozen", "moved", "dead"]
    uuid: Uuid
    host: _Text = ""
    source: _Text = ""
    here: bool | None = None


class Beat(_Numbered):
    """The provider is alive and hears of changes."""

    say: Literal["beat"]


class Trouble(_Numbered):
    """The provider hears of no changes for now."""

    say: Literal["trouble"]
    why: Annotated[str, Field(max_length=1000)]


Message = Hello | Sync | Synced | Present | Gone | Hint | Beat | Trouble
_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="say")])
_MACHINE = TypeAdapter(MachineMessage)


class MessageError(Exception):
    """A frame says what none may say; what follows may be right."""


def read_message(frame: Frame) -> Message:
    """Check a frame.

    Raises:
        MessageError: a field is wrong; it is named, what it held is not.
    """
    try:
        return _ANY.validate_python(frame)
    except (ValidationError, RecursionError) as error:
        raise MessageError(_where(error)) from None


def _where(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(step) for step in first['loc'])[:200]}: {first['type']}"


def machine_of(message: MachineMessage) -> Machine:
    """Give the plain value; of two interfaces with one name the second is renamed."""
    names: set[str] = set()
    nics = []
    for one in message.nics:
        name = one.name if one.name not in names else f"{one.name} {one.mac.hex(':')}"[:255]
        names.add(name)
        nics.append(Nic(name, one.mac, one.network, one.vlan, one.addresses, one.tags, one.port))
    return Machine(
        message.uuid, message.name, message.os, message.tags, tuple(nics),
        message.power, message.host, message.here,
    )  # fmt: skip


def read_machine(data: Any) -> Machine:
    """Read a machine that :func:`plain` has written.

    Raises:
        MessageError: it makes no sense.
    """
    try:
        return machine_of(_MACHINE.validate_python(data))
    except (ValidationError, RecursionError) as error:
        raise MessageError(_where(error)) from None


def plain(machine: Machine) -> dict[str, Any]:
    """Write a machine as JSON can carry it; nothing is written of what nobody says."""
    found: dict[str, Any] = {
        "uuid": machine.uuid,
        "name": machine.name,
        "os": machine.os,
        "tags": _sorted(machine.tags),
        "nics": [_plain_nic(nic) for nic in machine.nics],
        "power": machine.power.value if machine.power is not None else None,
        "host": machine.host,
        "here": machine.here,
    }
    return {name: value for name, value in found.items() if value is not None}


def _plain_nic(nic: Nic) -> dict[str, Any]:
    found = {
        "name": nic.name,
        "mac": nic.mac.hex(":"),
        "network": nic.network,
        "vlan": nic.vlan,
        "addresses": None if nic.addresses is None else [format_range(one) for one in nic.addresses],
        "tags": _sorted(nic.tags),
        "port": nic.port,
    }
    return {name: value for name, value in found.items() if value is not None}


def _sorted(tags: frozenset[str] | None) -> list[str] | None:
    return None if tags is None else sorted(tags)


def hint_kind(name: str) -> EventKind:
    """Give the kind of event that a hint names."""
    return EventKind(name)
