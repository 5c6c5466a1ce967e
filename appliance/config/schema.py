"""Our own settings file: a pydantic model made from the settings classes, so the two cannot differ.

Keys are the field names with dashes. Sizes and times may have units.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, BeforeValidator, Field, create_model

from appliance.config.settings import (
    AppSettings,
    DecodeSettings,
    DefragSettings,
    EveOutput,
    FlowSettings,
    Settings,
    StreamSettings,
)
from appliance.config.units import Duration, Size
from appliance.config.validate import Strict

_DURATIONS = frozenset(
    ("timeout", "protect", "notice_interval", "new", "established", "closed", "bypassed", "settled")
)
_SIZES = frozenset(
    (
        "max_bytes",
        "max_held",
        "max_total",
        "depth",
        "window",
        "file_limit",
        "probe_limit",
        "stream_depth",
        "bulk",
    )
)
_FLOW_POLICY = Literal["ignore", "drop-flow", "pass-flow", "bypass", "drop-packet", "pass-packet", "reject"]
_PACKET_POLICY = Literal["ignore", "drop-packet", "pass-packet", "reject"]
_CHOICES: dict[tuple[type, str], Any] = {
    (Settings, "mode"): Literal["detect", "prevent"],
    (DecodeSettings, "checksums"): Literal["all", "none", "mark", "auto"],
    (DefragSettings, "memcap_policy"): _PACKET_POLICY,
    (DefragSettings, "unjudged"): Literal["accept", "drop"],
    (FlowSettings, "memcap_policy"): _PACKET_POLICY,
    (StreamSettings, "urgent"): Literal["oob", "inline", "drop", "gap"],
    (StreamSettings, "midstream_policy"): Literal["ignore", "drop-flow", "pass-flow", "bypass", "reject"],
    (StreamSettings, "reassembly_policy"): _FLOW_POLICY,
    (StreamSettings, "memcap_policy"): _FLOW_POLICY,
    (AppSettings, "error_policy"): _FLOW_POLICY,
    (AppSettings, "force_hashes"): frozenset[Literal["md5", "sha1", "sha256"]],
}
# Pairs that people write as a mapping.
_PAIRS = frozenset(("address_vars", "port_vars", "host_os", "host_timeouts"))
_NOT_WRITTEN = frozenset(("unused", "magic", "spool", "frames"))


def _pairs(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("must be a mapping")  # noqa: TRY004 - pydantic reports ValueError
    return tuple((str(key), item) for key, item in value.items())


def _pair_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Text = Annotated[str, BeforeValidator(_pair_text)]
_Number = Annotated[int, Field(ge=0, lt=1 << 62)]
_Port = Annotated[int, Field(gt=0, lt=65_536)]


def _annotation(owner: type, name: str, hint: Any) -> Any:
    """Give the type of a field in a document."""
    if (owner, name) in _CHOICES:
        return _CHOICES[owner, name]
    if name == "host_timeouts":
        return Annotated[tuple[tuple[str, Duration], ...], BeforeValidator(_pairs)]
    if name in _PAIRS:
        return Annotated[tuple[tuple[str, _Text], ...], BeforeValidator(_pairs)]
    if name.endswith("_ports"):
        return tuple[_Port, ...]
    if hint is int:
        return Duration if name in _DURATIONS else Size if name in _SIZES else _Number
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return model_of(hint)
    if hint == tuple[EveOutput, ...]:
        return tuple[model_of(EveOutput), ...]  # type: ignore[misc]
    return hint


@cache
def model_of(owner: type) -> type[BaseModel]:
    """Make the document model of a settings class. Every field may be left out."""
    fields: dict[str, Any] = {}
    hints = get_type_hints(owner)
    for item in dataclasses.fields(owner):
        if item.name not in _NOT_WRITTEN:
            kind = _annotation(owner, item.name, hints[item.name])
            fields[item.name] = (kind, Field(default=None, alias=item.name.replace("_", "-")))
    made: type[BaseModel] = create_model(owner.__name__ + "Document", __base__=Strict, **fields)
    return made


def overlay(base: Any, document: BaseModel) -> Any:
    """Put what a document says on settings, section by section; what it leaves out stays."""
    changes: dict[str, Any] = {}
    for name in document.model_fields_set:
        value, old = getattr(document, name), getattr(base, name)
        if isinstance(value, BaseModel):
            value = overlay(old, value)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            value = tuple(overlay(EveOutput(), item) for item in value)
        changes[name] = value
    return dataclasses.replace(base, **changes)
