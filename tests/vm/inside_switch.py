"""A bridge in a network namespace and VMs around it: namespaces with one interface each."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def run(*argv: str, given: str | None = None, check: bool = True) -> str:
    """Run a program and give what it printed; a failure shows it."""
    done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout}{done.stderr}\n{given or ''}")
    return done.stdout


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Be in a network namespace for a while."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(back)
        os.close(there)
        os.close(back)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Machine:
    """A VM: a namespace with one interface ``eth0``, ``port`` is the other end of its cable."""

    def __init__(self, namespace: str, port: str, number: int) -> None:
        self.namespace = namespace
        self.port = port
        self.number = number
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.address = f"10.0.0.{number}"
        self.address6 = f"fd00::{number}"

    @property
    def mac_bytes(self) -> bytes:
        """The MAC as bytes."""
        return bytes.fromhex(self.mac.replace(":", ""))

    def ip(self, commands: str) -> None:
        """Run commands of ``ip`` there."""
        run("ip", "-n", self.namespace, "-batch", "-", given=commands)

    def socket(self, kind: int = socket.SOCK_STREAM, family: int = socket.AF_INET) -> socket.socket:
        """Make a socket there, with a time limit."""
        with inside(self.namespace):
            made = socket.socket(family, kind)
        made.settimeout(10)
        return made

    def raw(self, ethertype: int = 3, device: str = "eth0") -> socket.socket:
        """Make a socket for whole frames there."""
        with inside(self.namespace):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
            made.bind((device, ethertype))
        made.settimeout(3)
        return made

    def ping(self, address: str, count: int = 1, wait: int = 2) -> bool:
        """Tell whether an echo request is answered."""
        argv = ["ip", "netns", "exec", self.namespace, "ping", "-c", str(count), "-i", "0.2", "-W", str(wait)]
        return subprocess.run([*argv, address], capture_output=True, timeout=60, check=False).returncode == 0


class Switch:
    """The switch's namespace with bridge ``br0``, and machines on it; a context manager.

    Machine number n has the MAC 02:00:00:00:00:0n, the addresses 10.0.0.n/24 and fd00::n/64, and knows the
    others' MACs, so that a test sees only the packets that it is about.
    """

    def __init__(self, machines: int = 2, bridge: str = "", learn: bool = False) -> None:
        self.namespace = f"ew-{os.getpid()}-{next(_numbers)}"
        self.machines = [Machine(f"{self.namespace}-vm{n}", f"tap{n}", n) for n in range(1, machines + 1)]
        self._bridge = bridge
        self._learn = learn

    def __enter__(self) -> Switch:
        run("ip", "-batch", "-", given="\n".join(f"netns add {name}" for name in self._namespaces()))
        lines = [
            f"link add br0 type bridge forward_delay 0 {self._bridge}",
            "link set br0 up",
            "link set lo up",
        ]
        with inside(self.namespace):
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        self.ip("\n".join([*lines, *self._cables()]))
        for one in self.machines:
            with inside(one.namespace):
                Path("/proc/sys/net/ipv6/conf/all/accept_dad").write_text("0")
                Path("/proc/sys/net/ipv6/conf/eth0/accept_dad").write_text("0")
            one.ip("\n".join(self._machine(one)))
        return self

    def _machine(self, one: Machine) -> list[str]:
        lines = [
            "link set lo up",
            "link set eth0 up",
            f"addr add {one.address}/24 dev eth0",
            f"addr add {one.address6}/64 dev eth0 nodad",
        ]
        if not self._learn:
            for other in self.machines:
                lines += [
                    f"neigh replace {address} lladdr {other.mac} dev eth0 nud permanent"
                    for address in (other.address, other.address6)
                    if other is not one
                ]
        return lines

    def _cables(self) -> list[str]:
        return taps(self.machines)

    def __exit__(self, *_: object) -> None:
        run(
            "ip", "-force", "-batch", "-", given="\n".join(f"netns del {name}" for name in self._namespaces())
        )

    def _namespaces(self) -> list[str]:
        return [*(one.namespace for one in self.machines), self.namespace]

    def ip(self, commands: str) -> None:
        """Run commands of ``ip`` on the switch."""
        run("ip", "-n", self.namespace, "-batch", "-", given=commands)

    def run(self, *argv: str, given: str | None = None, check: bool = True) -> str:
        """Run a program on the switch."""
        with inside(self.namespace):
            return run(*argv, given=given, check=check)

    def nft(self, rules: str) -> None:
        """Load a ruleset on the switch."""
        self.run("nft", "-f", "-", given=rules)


def taps(machines: list[Machine]) -> list[str]:
    """Plug machines into ``br0``, each by a cable of its own: commands for the switch."""
    lines = []
    for one in machines:
        lines += [
            f"link add {one.port} type veth peer name eth0 netns {one.namespace} address {one.mac}",
            f"link set {one.port} master br0",
            f"link set {one.port} up",
        ]
    return lines


class Trunk(Switch):
    """The appliance as a VM on a switch that it does not own, as on ESX: ``namespace`` is the appliance's.

    The foreign switch gives each machine a VLAN of its own (100 + number) and the appliance a trunk,
    ``eth1``, with all of them. The appliance's bridge ``br0`` stitches the VLANs together: its ports are VLAN
    devices of the trunk.
    """

    def __init__(self, machines: int = 2) -> None:
        super().__init__(machines)
        self.foreign = f"{self.namespace}-esx"
        behind_vlans(self.machines)

    def _namespaces(self) -> list[str]:
        return [*super()._namespaces(), self.foreign]

    def _cables(self) -> list[str]:
        foreign_switch(self.foreign, self.namespace, self.machines)
        return stitches(self.machines, "br0")


class BothShapes(Switch):
    """One appliance with ``br0`` on the host and ``br1`` on a trunk.

    Machines 1 and 2 have taps of ``br0``; 3 and 4 are on a foreign switch, behind VLANs of ``br1``.
    """

    def __init__(self) -> None:
        super().__init__(4)
        self.foreign = f"{self.namespace}-esx"
        behind_vlans(self.machines[2:])

    def _namespaces(self) -> list[str]:
        return [*super()._namespaces(), self.foreign]

    def _cables(self) -> list[str]:
        foreign_switch(self.foreign, self.namespace, self.machines[2:])
        bridge = ["link add br1 type bridge forward_delay 0", "link set br1 up"]
        return [*taps(self.machines[:2]), *bridge, *stitches(self.machines[2:], "br1")]


def behind_vlans(machines: list[Machine]) -> None:
    """Name the VLAN devices by which the appliance finds machines: VLAN 100 + number."""
    for one in machines:
        one.port = f"eth1.{100 + one.number}"


def foreign_switch(foreign: str, namespace: str, machines: list[Machine]) -> None:
    """Make a switch with VLANs in ``foreign``: a port for each machine, and the trunk to the appliance."""
    lines = [
        "link add vsw type bridge forward_delay 0 vlan_filtering 1 vlan_default_pvid 0",
        "link set vsw up",
        f"link add trunk type veth peer name eth1 netns {namespace}",
        "link set trunk master vsw up",
    ]
    access = []
    for one in machines:
        vlan = 100 + one.number
        lines += [
            f"link add vm{vlan} type veth peer name eth0 netns {one.namespace} address {one.mac}",
            f"link set vm{vlan} master vsw up",
        ]
        access += [f"vlan add dev vm{vlan} vid {vlan} pvid untagged", f"vlan add dev trunk vid {vlan}"]
    run("ip", "-n", foreign, "-batch", "-", given="\n".join(lines))
    run("bridge", "-n", foreign, "-batch", "-", given="\n".join(access))


def stitches(machines: list[Machine], bridge: str) -> list[str]:
    """Make VLAN devices of the trunk the ports of a bridge: commands for the appliance."""
    lines = ["link set eth1 up"]
    for one in machines:
        lines += [
            f"link add link eth1 name {one.port} type vlan id {100 + one.number}",
            f"link set {one.port} master {bridge} up",
        ]
    return lines
