"""All protocols known to the appliance, by name.

A protocol is added by importing its module here and naming it in ``_PARSED``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from appliance.config.settings import AppSettings
from appliance.model.app import BufferSpec, ValueSpec
from appliance.protocols import (
    bittorrent_dht,
    dcerpc,
    dhcp,
    dnp3,
    dns,
    enip,
    ftp,
    http1,
    http2,
    ike,
    krb5,
    ldap,
    modbus,
    mqtt,
    mysql,
    nfs,
    ntp,
    pgsql,
    pop3,
    quic,
    rdp,
    redis,
    rfb,
    sip,
    smb,
    smtp,
    snmp,
    ssh,
    telnet,
    tftp,
    tls,
    websocket,
)
from appliance.protocols.recognised import SPECS
from appliance.protocols.spec import STATES, ProtocolSpec

# Protocols with a parser. A protocol that is also in the recognised-only list is taken from here.
# SIP comes before HTTP, with which it shares method names but not versions.
_PARSED: tuple[ProtocolSpec, ...] = (
    *dcerpc.SPECS,
    *dns.SPECS,
    *smb.SPECS,
    sip.SPEC,
    *http2.SPECS,
    http1.SPEC,
    smtp.SPEC,
    *ftp.SPECS,
    pop3.SPEC,
    telnet.SPEC,
    tftp.SPEC,
    *ssh.SPECS,
    *tls.SPECS,
    *quic.SPECS,
    *websocket.SPECS,
    *krb5.SPECS,
    mqtt.SPEC,
    *ldap.SPECS,
    rfb.SPEC,
    modbus.SPEC,
    *snmp.SPECS,
    *ntp.SPECS,
    *dhcp.SPECS,
    *bittorrent_dht.SPECS,
    enip.SPEC,
    *ike.SPECS,
    pgsql.SPEC,
    *rdp.SPECS,
    dnp3.SPEC,
    nfs.SPEC,
    redis.SPEC,
    mysql.SPEC,
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


def state(protocol: str, name: str) -> tuple[int, int] | None:
    """Give direction and progress of a step by its name; None when the protocol has no such step."""
    spec = ALL.get(protocol)
    return None if spec is None else spec.states.get(name) or STATES.get(name)


def frames(protocol: str) -> frozenset[str]:
    """Give the names of the frames that a protocol's parser finds."""
    spec = ALL.get(protocol)
    return frozenset() if spec is None or spec.parser is None else spec.frames | {"stream"}


def enabled(settings: AppSettings) -> dict[str, ProtocolSpec]:
    """Give the protocols that the settings leave switched on, probed on the ports that they name."""
    return {
        name: _on_ports(_over_transports(spec, settings), settings.options(name))
        for name, spec in ALL.items()
        if name not in settings.disabled and (spec.default_enabled or name in settings.enabled)
    }


def _over_transports(spec: ProtocolSpec, settings: AppSettings) -> ProtocolSpec:
    """Leave out the transports that are switched off by themselves (``dns/udp``)."""
    left = tuple(one for one in spec.transports if f"{spec.name}/{one}" not in settings.disabled)
    return spec if len(left) == len(spec.transports) else replace(spec, transports=left)


def _on_ports(spec: ProtocolSpec, options: dict[str, Any]) -> ProtocolSpec:
    """Put ``detection-ports`` of the options in the place of a protocol's own ports."""
    wanted = {transport: _ports(options, transport) for transport in spec.transports}
    if not spec.probings or not any(wanted.values()):
        return spec
    probings = []
    for one in spec.probings:
        for transport in [one.transport] if one.transport else spec.transports:
            ports = wanted.get(transport, ())
            # A probe that serves any port already has no use for a list.
            keep = not one.ports or not ports
            probings.append(replace(one, transport=transport, ports=one.ports if keep else ports))
    return replace(spec, probings=tuple(probings))


def _ports(options: dict[str, Any], transport: str) -> tuple[tuple[int, int], ...]:
    """Read the ports set for one transport and those for both: ``53, 5300:5310``."""
    found: list[tuple[int, int]] = []
    for place in (options.get(transport), options):
        ports = place.get("detection-ports") if isinstance(place, dict) else None
        text = str(ports.get("dp", "")) if isinstance(ports, dict) else ""
        for piece in text.strip("[] ").split(","):
            low, _, high = piece.strip().partition(":")
            if low.isdigit() and (not high or high.isdigit()):
                found.append((int(low), int(high or low)))
    return tuple(found)
