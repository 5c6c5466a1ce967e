"""What RPC offers to rules, for all protocols that carry it."""

from __future__ import annotations

from typing import Any

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER

_BOTH = (TOSERVER, TOCLIENT)


def interface_test(value: Any, argument: str) -> bool:
    """Compare an interface with ``uuid[,<|>|=|!version][,any_frag]``.

    ``value`` is (UUID, major version, whether the call's first fragment was seen).
    """
    uuid, major, first = value
    wanted, *rest = argument.lower().split(",")
    if uuid != wanted.strip() or not (first or "any_frag" in rest):
        return False
    return all(_version_test(major, item.strip()) for item in rest if item.strip() != "any_frag")


def _version_test(major: int, condition: str) -> bool:
    operator, digits = condition[:1], condition[1:].strip()
    if not digits.isdigit():
        return False
    number = int(digits)
    return {"<": major < number, ">": major > number, "=": major == number, "!": major != number}.get(
        operator, False
    )


def buffers(protocol: str) -> tuple[BufferSpec, ...]:
    """Give the buffers of a protocol that carries RPC."""
    return (BufferSpec("dcerpc.stub_data", (protocol,), _BOTH, growing=True),)


def values(protocol: str) -> tuple[ValueSpec, ...]:
    """Give the compared keywords of a protocol that carries RPC."""
    return (
        ValueSpec("dcerpc.opnum", (protocol,), _BOTH),
        ValueSpec("dcerpc.iface", (protocol,), _BOTH, test=interface_test),
    )
