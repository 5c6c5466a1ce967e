"""A libvirt domain's description as a machine: XML in, values out.

Tags stand in the domain's metadata, in an element ``tags`` of the namespace ``urn:eastwall``, or in its
description, in lines that begin with ``tags:``; both are lists with commas.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from appliance.config.addresses import parse_mac
from appliance.hypervisor.options import clean
from appliance.inventory.machines import MAX_NICS, Machine, Nic, Power

NAMESPACE = "{urn:eastwall}tags"
_OS_ID = "{http://libosinfo.org/xmlns/libvirt/domain/1.0}os"
_MAX_XML = 4 << 20
_MAX_TAGS = 64
_OWN_ALIAS = "ua-"  # of a name that the user has given; others are numbers that change with each start
_SYSTEMS = (("microsoft", "windows"), ("freebsd", "bsd"), ("openbsd", "bsd"), ("netbsd", "bsd"))


class DomainError(Exception):
    """The description makes no sense."""


def parse_domain(text: str, power: Power, host: str) -> Machine:
    """Read a domain's XML. Ports are named while it runs; only then it is known to be on this host.

    Raises:
        DomainError: it is no domain, or larger than one can be.
    """
    if len(text) > _MAX_XML or "<!DOCTYPE" in text:
        raise DomainError("a description that libvirt does not write")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except ET.ParseError as error:
        message = f"a description that is no XML: {error}"
        raise DomainError(message) from None
    uuid = (root.findtext("uuid") or "").strip()
    if root.tag != "domain" or not uuid:
        raise DomainError("a description of something else than a domain")
    running = power is not Power.OFF
    return Machine(
        uuid,
        clean(root.findtext("name") or uuid),
        _system(root),
        _tags(root),
        tuple(_nics(root, running=running)),
        power,
        host if running else None,
        True if running else None,
    )


def _nics(root: ET.Element, *, running: bool) -> list[Nic]:
    nics = []
    for element in root.findall("./devices/interface")[:MAX_NICS]:
        try:
            mac = parse_mac(_of(element, "mac", "address"))
        except ValueError:
            continue  # one of the host's devices, passed through: nothing of it comes by here
        port = _of(element, "target", "dev")[:15]
        alias = _of(element, "alias", "name")
        own = alias.startswith(_OWN_ALIAS)
        name = clean(alias.removeprefix(_OWN_ALIAS)) if own else mac.hex(":")
        nics.append(
            Nic(name or mac.hex(":"), mac, _network(element), _vlan(element), port=port if running else None)
        )
    return nics


def _of(element: ET.Element, child: str, attribute: str) -> str:
    found = element.find(child)
    return found.get(attribute, "") if found is not None else ""


def _network(element: ET.Element) -> str | None:
    """Name the network: libvirt's name of it, the port group in it, or the bridge."""
    network, group = _of(element, "source", "network"), _of(element, "source", "portgroup")
    if network and group:
        return clean(f"{network}/{group}")
    return clean(network or _of(element, "source", "bridge") or _of(element, "source", "dev")) or None


def _vlan(element: ET.Element) -> int | None:
    """Give the tag, where there is one: a trunk has many."""
    tags = element.findall("./vlan/tag")
    text = tags[0].get("id", "") if len(tags) == 1 else ""
    return int(text) if text.isdecimal() and int(text) < 4096 else None


def _tags(root: ET.Element) -> frozenset[str]:
    texts = [element.text or "" for element in root.findall(f"./metadata/{NAMESPACE}")]
    lines = (root.findtext("description") or "").splitlines()
    texts += [line.strip()[5:] for line in lines if line.strip().lower().startswith("tags:")]
    tags = [clean(tag.strip()) for text in texts for tag in text.split(",")]
    return frozenset([tag for tag in tags if tag][:_MAX_TAGS])


def _system(root: ET.Element) -> str | None:
    """Name the system by what libosinfo says of it."""
    found = root.find(f"./metadata/*/{_OS_ID}")
    ident = found.get("id", "").lower() if found is not None else ""
    if not ident:
        return None
    return next((name for part, name in _SYSTEMS if part in ident), "linux")
