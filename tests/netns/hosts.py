"""Two virtual hosts with an uplink between them, and machines that move from one to the other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.netns.lab import BRIDGE, Guest, Lab, call
from tests.netns.running import Running, uuid_of

UPLINK = "up0"


class Hosts:
    """Two labs, ``one`` and ``two``. A machine's device on the host goes along when it moves.

    Devices carry the machine's MAC with ``fe`` in front, as libvirt has it, so that both hosts' inventories
    are the same.
    """

    def __init__(self, one: Lab, two: Lab) -> None:
        """Connect the bridges of two labs."""
        self.one, self.two = one, two
        self.machines: dict[str, Guest] = {}
        self.more: dict[str, list[Guest]] = {}  # further interfaces of a machine
        self.connect()

    def connect(self) -> None:
        """Have each host's uplink end at the other one."""
        peer = ("type", "veth", "peer", "name", UPLINK, "netns", self.two.host)
        self.one.ip("link", "add", UPLINK, *peer)
        for lab in (self.one, self.two):
            lab.ip("link", "set", UPLINK, "master", BRIDGE, "up")

    def vm(self, lab: Lab, name: str, number: int) -> Guest:
        """Plug in a machine with address 10.9.0.NUMBER."""
        guest = lab.vm(name, mac=f"02:00:5e:10:00:{number:02x}", addresses=[f"10.9.0.{number}/24"])
        lab.ip("link", "set", guest.port, "address", "fe" + guest.mac[2:])
        # A live migration takes no carrier from the machine, so it forgets no neighbour; a moved veth does.
        lab.sysctl(guest, {"net.ipv4.conf.all.arp_evict_nocarrier": "0"})
        self.machines[name] = guest
        return guest

    def second_interface(self, guest: Guest, lab: Lab, address: str) -> Guest:
        """Give a machine another interface ``eth1``; it is moved like a machine of its own."""
        port, mac = f"q-{guest.name}", guest.mac[:-2] + "f" + guest.mac[-1]
        # Each interface answers for its own address alone, though both are in one network.
        lab.sysctl(guest, {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"})
        peer = ("type", "veth", "peer", "name", "eth1", "netns", guest.namespace, "address", mac)
        lab.ip("link", "add", port, *peer)
        lab.ip("link", "set", port, "address", "fe" + mac[2:])
        lab.ip("link", "set", port, "master", BRIDGE, "up")
        call("ip", "-n", guest.namespace, "address", "add", f"{address}/24", "dev", "eth1")
        call("ip", "-n", guest.namespace, "link", "set", "eth1", "up")
        made = Guest(f"{guest.name}+", guest.namespace, mac, port, lab.index(port), "eth1")
        lab.guests[made.name] = made
        self.more.setdefault(guest.name, []).append(made)
        return made

    def unplug(self, guest: Guest, lab: Lab) -> None:
        """Take a machine's device away from its host; its connections stay open."""
        lab.ip("link", "set", guest.port, "netns", guest.namespace)
        lab.guests.pop(guest.name, None)

    def plug(self, guest: Guest, lab: Lab) -> None:
        """Plug a machine's device in, and have the machine announce itself."""
        call("ip", "-n", guest.namespace, "link", "set", guest.port, "netns", lab.host)
        lab.ip("link", "set", guest.port, "address", "fe" + guest.mac[2:])
        lab.ip("link", "set", guest.port, "master", BRIDGE, "up")
        lab.guests[guest.name] = guest

    def write_inventory(self, *appliances: Running) -> None:
        """Give both hosts the inventory of all machines."""
        vms = [
            {
                "uuid": uuid_of(one.name),
                "name": one.name,
                "interfaces": [
                    {"name": each.device, "mac": each.mac} for each in (one, *self.more.get(one.name, ()))
                ],
            }
            for one in self.machines.values()
        ]
        for appliance in appliances:
            (appliance.folder / "vms.yaml").write_text(yaml.safe_dump({"vms": vms}))

    def appliance(
        self, lab: Lab, folder: Path, documents: list[Any], rules: str = "", **more: Any
    ) -> Running:
        """Make an appliance for one of the hosts; it does not run yet."""
        folder.mkdir()
        bridges = [{"name": BRIDGE, "uplinks": [UPLINK]}]
        made = Running(lab, folder, documents, rules, bridges=bridges, **more)
        self.write_inventory(made)
        return made


@contextlib.contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Two hosts that are gone afterwards."""
    with Lab("one") as one, Lab("two") as two:
        yield Hosts(one, two)
