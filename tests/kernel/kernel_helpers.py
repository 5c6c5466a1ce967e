"""Worlds for tests of the kernel's state: VMs, ports and policies in a line each."""

from __future__ import annotations

import ipaddress

from appliance.config.document import parse_document
from appliance.inventory.inventory import build
from appliance.inventory.ports import NO_VLAN, Port
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.policy.bound import compile_policies
from appliance.policy.load import parse_policies

OPEN = "policies: [{name: p, default_action: allow}]\ndefault: p\n"
BRIDGE = "br0"


def prefix(text):
    if "-" in text:
        first, last = (ipaddress.ip_address(part) for part in text.split("-"))
        return Prefix(first.version, int(first), int(last))
    net = ipaddress.ip_network(text)
    return Prefix(net.version, int(net.network_address), int(net.broadcast_address))


def vm(number, name, addresses=(), tags=(), mac=None, vlan=None):
    """Give a VM with one interface, for ``inventory``."""
    owner = Vm(f"00000000-0000-0000-0000-{number:012d}", name, frozenset(tags))
    mac = mac or bytes([2, 0, 0, 0, 0, number])
    prefixes = tuple(prefix(one) for one in addresses)
    return owner, [VmInterface(0, owner, "eth0", mac, "", vlan, prefixes, frozenset(), f"tap{number}")]


def inventory(*vms):
    return build(list(vms))


def bound(text, inv, epoch=1):
    document, errors = parse_document(text.encode(), "p.yaml")
    assert not errors
    whole, errors = parse_policies([document])
    assert not errors, [str(error) for error in errors]
    return compile_policies(whole, inv, epoch)


def port(one, index=1, vlan=NO_VLAN, zone=0, name=""):
    """Give the port of an interface; an uplink is a name."""
    if isinstance(one, str):
        return Port(one, index, None, vlan, zone, BRIDGE, uplink=True)
    return Port(name or one.port, index, one, vlan, zone, BRIDGE)
