"""All protocols known to the appliance, by name.

A protocol is added by importing its module here and naming it in ``_PARSED``.
"""

from __future__ import annotations

from appliance.config.settings import AppSettings
from appliance.model.app import BufferSpec, ValueSpec
from appliance.protocols import dcerpc, dns, http1, krb5, sip, smb, ssh, tls
from appliance.protocols.recognised import SPECS
from appliance.protocols.spec import ProtocolSpec

# Protocols with a parser. A protocol that is also in the recognised-only list is taken from here.
# SIP comes before HTTP, with which it shares method names but not versions.
_PARSED: tuple[ProtocolSpec, ...] = (
    *dcerpc.SPECS,
    *dns.SPECS,
    *smb.SPECS,
    sip.SPEC,
    http1.SPEC,
    *ssh.SPECS,
    *tls.SPECS,
    *krb5.SPECS,
)

ALL: dict[str, ProtocolSpec] = {spec.name: spec for spec in (*SPECS, *_PARSED)}

# Every name by which rules refer to a protocol, to the protocols it stands for.
_NAMES: dict[str, tuple[str, ...]] = {}
for _spec in ALL.values():
    for _name in (_spec.name, *_spec.aliases):
        _NAMES[_name] = (*_NAMES.get(_name, ()), _spec.name)


def resolve(name: str) -> tuple[str, ...]:
    """Give the protocols that the rule protocol ``name`` stands for ("http": HTTP/1 and HTTP/2)."""
    return _NAMES.get(name, ())


def buffers() -> dict[str, tuple[BufferSpec, ...]]:
    """Give the sticky buffers by name; several protocols may offer one of the same name."""
    found: dict[str, tuple[BufferSpec, ...]] = {}
    for spec in ALL.values():
        for item in spec.buffers:
            found[item.name] = (*found.get(item.name, ()), item)
    return found


def values() -> dict[str, tuple[ValueSpec, ...]]:
    """Give the comparing keywords by name."""
    found: dict[str, tuple[ValueSpec, ...]] = {}
    for spec in ALL.values():
        for item in spec.values:
            found[item.keyword] = (*found.get(item.keyword, ()), item)
    return found


def enabled(settings: AppSettings) -> dict[str, ProtocolSpec]:
    """Give the protocols that the settings leave switched on."""
    return {
        name: spec
        for name, spec in ALL.items()
        if name not in settings.disabled and (spec.default_enabled or name in settings.enabled)
    }
