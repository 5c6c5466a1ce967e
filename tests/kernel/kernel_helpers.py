"""Worlds for tests of the kernel's state: VMs, ports and policies in a line each."""

from __future__ import annotations

import ipaddress

from appliance.config.document import parse_document
from appliance.inventory.inventory import build
from appliance.inventory.ports import NO_VLAN, Port
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.plan import desired
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.policy.bound import compile_policies
from appliance.policy.load import parse_policies

BRIDGE = "br0"


XT = KernelOptions()
NFT = KernelOptions(Datapath.NFT, ibrname=True)
POLICIES = """
policies:
  - name: strict
    default_action: deny
    firewall:
      infrastructure:
        - {name: arp, action: allow, frame: [arp, rarp]}
        - {name: lldp, action: allow, frame: 0x88cc, direction: in}
        - {name: ip, action: allow}
  - name: loose
    default_action: allow
    fail: open
    spoof_protection: false
    guard: {dhcp_server: true, router: true, ethertypes: [0x88e5]}
  - name: timed
    default_action: allow
    firewall:
      default:
        - {name: night, action: deny, frame: arp, schedule: night}
schedules:
  night: {hours: "22:00-06:00"}
bindings:
  - {name: "loose*", policy: loose}
  - {name: "timed*", policy: timed}
default: strict
unknown: deny
"""


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


VMS = (
    vm(1, "strict-1", ["10.0.0.1", "fd00::1"]),
    vm(2, "loose-1"),
    vm(3, "strict-2", ["10.0.0.3", "10.1.0.0/16", "fd00::3", "fd01::/64"]),
    vm(4, "strict-3"),
)


def world(options=XT, **keywords):
    inv = inventory(*VMS)
    ports = [port(one, 10 + one.index) for one in inv.interfaces]
    return desired([*ports, port("eth0", 2)], bound(POLICIES, inv), options, **keywords)
