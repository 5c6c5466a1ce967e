"""The section ``hypervisors`` of the appliance file: see ``docs/hypervisors.md``."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from appliance.config.validate import Strict

MAX_PROVIDERS = 16

_ProviderName = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9_.-]*$")]
_File = Annotated[str, Field(min_length=1, max_length=4000)]


class _ProviderDocument(Strict):
    """``name`` is what records and ``eastwall vm`` call it; that of its type where there is one of them."""

    name: _ProviderName = ""


class StaticDocument(_ProviderDocument):
    """A file as ``inventory`` names one; it is read again whenever it changes, and outweighs all others."""

    type: Literal["static"]
    file: _File


class LibvirtDocument(_ProviderDocument):
    """A libvirt daemon, as a rule that of this host."""

    type: Literal["libvirt"]
    uri: Annotated[str, Field(min_length=1, max_length=1000)] = "qemu:///system"


class VsphereDocument(_ProviderDocument):
    """A vCenter or ESXi host. ``host`` is how it calls the host that this appliance protects.

    ``credentials`` is a file with ``username`` and ``password``; without it both are in the environment.
    """

    type: Literal["vsphere"]
    server: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_.:\[\]-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    credentials: str = ""
    ca: str = ""
    host: Annotated[str, Field(max_length=255)] = ""


ProviderDocument = Annotated[StaticDocument | LibvirtDocument | VsphereDocument, Field(discriminator="type")]


def _named(many: tuple[ProviderDocument, ...]) -> tuple[ProviderDocument, ...]:
    """Give every provider a name of its own."""
    types = Counter(one.type for one in many if not one.name)
    seen: Counter[str] = Counter()
    found = []
    for one in many:
        seen[one.type] += not one.name
        own = one.type if types[one.type] == 1 else f"{one.type}-{seen[one.type]}"
        found.append(one if one.name else one.model_copy(update={"name": own}))
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        message = f"two providers have the name {twice[0]!r}; give one of them another `name`"
        raise ValueError(message)
    return tuple(found)


ProvidersDocument = Annotated[
    tuple[ProviderDocument, ...], Field(max_length=MAX_PROVIDERS), AfterValidator(_named)
]
