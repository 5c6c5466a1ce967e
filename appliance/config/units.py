"""Sizes and times as fields of documents: written with units, read as bytes and nanoseconds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from appliance.config.values import parse_duration, parse_size


def _size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    read = parse_size(value)
    if read is None:
        raise ValueError("must be a size such as 64 MiB")
    return read


def _duration(value: Any) -> Any:
    read = parse_duration(str(value)) if not isinstance(value, bool) else None
    if read is None:
        raise ValueError("must be a time such as 30s or 5m; a bare number is seconds")
    return read


Size = Annotated[int, BeforeValidator(_size), Field(ge=0, lt=1 << 62)]
Duration = Annotated[int, BeforeValidator(_duration)]
