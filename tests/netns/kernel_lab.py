"""A lab under the kernel's state: guests, policies, the driver that has applied them."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernel_helpers import BRIDGE, bound, inventory, vm
from lab import Guest, Lab

from appliance.firewall.bound import BoundPolicies
from appliance.inventory.inventory import Inventory
from appliance.inventory.ports import Port, PortMap
from appliance.kernel import nftables
from appliance.kernel.driver import KernelDriver
from appliance.kernel.namespace import run_in
from appliance.kernel.options import KernelOptions
from appliance.kernel.plan import desired
from appliance.kernel.state import KernelState

# With no reader of the queues, what fails open passes as if there were none.
PASSING = """
policies:
  - name: plain
    default_action: allow
    fail: open
    guard: {ethertypes: [0x88b5]}
  - name: server
    inherits: [plain]
    guard: {dhcp_server: true, router: true}
  - name: trusted
    inherits: [plain]
    spoof_protection: false
bindings:
  - {name: "server*", policy: server}
  - {name: "trusted*", policy: trusted}
default: plain
unknown: plain
"""


@dataclass
class World:
    """Guests whose interfaces are known, uplinks, and the state that follows from a policy document."""

    lab: Lab
    guests: dict[str, Guest]
    inventory: Inventory
    uplinks: list[Guest] = field(default_factory=list)
    zones: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.driver = KernelDriver(self.lab.host)

    @property
    def ports(self) -> list[Port]:
        known = [
            Port(guest.port, guest.index, one, zone=self.zones.get(guest.name, 0), bridge=BRIDGE)
            for one in self.inventory.interfaces
            for guest in [self.guests[one.vm.name]]
        ]
        ups = [Port(one.port, one.index, bridge=BRIDGE, uplink=True) for one in self.uplinks]
        return known + ups

    @property
    def map(self) -> PortMap:
        return PortMap(self.ports)

    def bound(self, text: str = PASSING, epoch: int = 1) -> BoundPolicies:
        return bound(text, self.inventory, epoch)

    def state(self, text: str = PASSING, epoch: int = 1, **options: object) -> KernelState:
        return desired(self.ports, self.bound(text, epoch), KernelOptions(**options))

    def apply(self, text: str = PASSING, epoch: int = 1, **options: object) -> bool:
        return self.driver.apply(self.state(text, epoch, **options))

    def count(self, name: str) -> int:
        """Give the packets of a counter, 0 for one that is not there yet."""
        if name.startswith("drop."):  # these are all in the bridge table
            found = run_in(self.lab.host, lambda: nftables.counters(self.state().nft, {})).get(name)
        else:
            found = self.driver.counters().get(name)
        return found.packets if found is not None else 0


def plug(lab: Lab, names: dict[str, list[str]], uplinks: tuple[str, ...] = (), **zones: int) -> World:
    """Plug guests into a lab; ``names`` gives the addresses that the inventory declares for each."""
    guests = {}
    vms = []
    for number, (name, addresses) in enumerate(names.items(), 1):
        guest = lab.vm(name, addresses=[own(one) for one in addresses if "-" not in one and "/" not in one])
        guests[name] = guest
        vms.append(vm(number, name, addresses, mac=guest.address))
    return World(lab, guests, inventory(*vms), [lab.vm(name) for name in uplinks], zones)


def own(address: str) -> str:
    return f"{address}/{64 if ':' in address else 16}"
