"""Settings of the kernel below /proc/sys, in the network namespace of the calling thread."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from appliance.kernel.base import KernelError
from appliance.kernel.state import Sysctl

_ROOT = Path("/proc/sys")
_MODULES = {"net/bridge": "br_netfilter", "net/netfilter": "nf_conntrack"}


def read(key: str) -> int | None:
    """Read a setting; None where there is none."""
    try:
        return int((_ROOT / key).read_text())
    except (OSError, ValueError):
        return None


def wrong(settings: Iterable[Sysctl]) -> list[Sysctl]:
    """Give the settings that are not as they should be, and the required ones that are not there."""
    found = []
    for one in settings:
        value = read(one.key)
        if value is None:
            found += [one] if one.required else []
        elif value != one.value and not (one.at_least and value > one.value):
            found.append(one)
    return found


def apply(settings: Iterable[Sysctl]) -> dict[str, int]:
    """Set what is wrong; give what was there before.

    Raises:
        KernelError: a required setting is not there, or may not be written.
    """
    before: dict[str, int] = {}
    for one in wrong(settings):
        value = read(one.key)
        if write(one) and value is not None:
            before[one.key] = value
    return before


def write(one: Sysctl) -> bool:
    """Write a setting; False when it is refused and not required."""
    try:
        (_ROOT / one.key).write_text(str(one.value))
    except OSError as error:
        if not one.required:
            return False
        module = next((name for prefix, name in _MODULES.items() if one.key.startswith(prefix)), "")
        hint = f"; load the module {module}" if module and isinstance(error, FileNotFoundError) else ""
        name = one.key.replace("/", ".")
        raise KernelError(f"cannot set {name} to {one.value}: {error.strerror}{hint}") from error
    return True


def restore(before: dict[str, int]) -> None:
    """Set back what :func:`apply` changed."""
    for key, value in before.items():
        write(Sysctl(key, value, required=False))
