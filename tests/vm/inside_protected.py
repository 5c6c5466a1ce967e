"""A switch whose bridge the appliance's kernel part protects, in a guest: datapath "nft"."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernel"))

from inside_queue import GSO, Queue
from inside_switch import Switch, Trunk, inside
from kernel_helpers import bound, inventory, vm

from appliance.daemon.live.document import BridgeDocument
from appliance.daemon.live.places import Device, locate
from appliance.inventory.inventory import build
from appliance.inventory.ports import NO_VLAN, Port
from appliance.kernel.driver import KernelDriver
from appliance.kernel.options import Datapath, KernelOptions
from appliance.kernel.plan import desired
from appliance.model.identity import VmInterface

CLOSED = "policies: [{name: p, default_action: allow}]\ndefault: p\n"
OPEN = "policies: [{name: p, default_action: allow, fail: open}]\ndefault: p\n"


def unplugged(one: VmInterface) -> VmInterface:
    """Give the same interface where nobody says which port it has."""
    return VmInterface(one.index, one.vm, one.name, one.mac, one.network, one.vlan, one.addresses, one.tags)


class Protected:
    """A switch and the driver of its kernel state. ``ports`` are those of all machines but ``strangers``."""

    def __init__(
        self, switch: Switch, policies: str, zones: Iterable[int], options: dict[str, object]
    ) -> None:
        self.switch = switch
        self.policies = policies
        self.inventory = inventory(
            *(
                vm(place, f"vm{place}", (one.address, one.address6), mac=one.mac_bytes)
                for place, one in enumerate(switch.machines, 1)
            )
        )
        self.interfaces = sorted(self.inventory.interfaces, key=lambda one: one.index)
        self.ports = [
            Port(one.port, index_of(switch, one.port), interface, NO_VLAN, zone, "br0")
            for one, interface, zone in zip(switch.machines, self.interfaces, zones, strict=True)
        ]
        self.options = replace(KernelOptions(Datapath.NFT, ibrname=True), **options)
        self.driver = KernelDriver(switch.namespace)

    def apply(self, epoch: int = 1) -> None:
        """Bring the kernel there."""
        policies = bound(self.policies, self.inventory, epoch)
        self.driver.apply(desired(self.ports, policies, self.options, ["br0"]))

    def counter(self, name: str) -> int:
        """Give the packets of a counter."""
        return self.driver.counters()[name].packets

    @contextlib.contextmanager
    def queue(self, number: int = 0, flags: int = GSO) -> Iterator[Queue]:
        """Read a queue of the switch."""
        with inside(self.switch.namespace):
            made = Queue(number, flags)
        with made:
            yield made


def index_of(switch: Switch, device: str) -> int:
    """Give the number of a device of the switch."""
    with inside(switch.namespace):
        return socket.if_nametoindex(device)


@contextlib.contextmanager
def stitched(policies: str = CLOSED, machines: int = 2) -> Iterator[Protected]:
    """Give an appliance on a trunk, placed by VLAN as ``eastwall run`` does it."""
    with Trunk(machines) as switch:
        made = Protected(switch, policies, (0,) * machines, {})
        vlans = {one.port: int(one.port.split(".")[1]) for one in switch.machines}
        known = inventory(
            *(
                vm(place, f"vm{place}", (one.address, one.address6), mac=one.mac_bytes, vlan=vlans[one.port])
                for place, one in enumerate(switch.machines, 1)
            )
        )
        made.inventory = build(
            [(v.vm, [unplugged(v)]) for v in sorted(known.interfaces, key=lambda one: one.index)]
        )
        devices = [Device(name, index_of(switch, name), b"", "br0", vlan) for name, vlan in vlans.items()]
        found = locate(devices, [BridgeDocument(name="br0")], made.inventory, {})
        made.ports = list(found.ports.ports)
        made.apply()
        yield made


@contextlib.contextmanager
def protected(
    policies: str = CLOSED,
    machines: int = 2,
    zones: Iterable[int] = (),
    apply: bool = True,
    **options: object,
) -> Iterator[Protected]:
    """Give a switch that is protected by ``policies``."""
    with Switch(machines) as switch:
        made = Protected(switch, policies, tuple(zones) or (0,) * machines, options)
        if apply:
            made.apply()
        yield made


def until(condition: object, seconds: float = 5.0) -> bool:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())
