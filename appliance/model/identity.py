"""Who is on the wire: virtual machines and their interfaces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vm:
    """A virtual machine, known by its UUID across hosts."""

    uuid: str
    name: str
    tags: frozenset[str] = frozenset()
    os: str = ""  # host-os-policy name ("linux", "windows", ...); "" when not known


@dataclass(frozen=True, slots=True)
class Prefix:
    """An address range: ``base`` and ``last`` are integers, ``version`` 4 or 6."""

    version: int
    base: int
    last: int


class VmInterface:
    """One network interface of a VM: what a policy binds to. It does not change.

    ``index`` is dense within one inventory, so that per-interface tables are lists. ``port`` names the
    device on the switch that the interface is plugged into, "" where nobody has said so.
    Equality is identity: an inventory makes each interface once.
    """

    __slots__ = ("addresses", "index", "mac", "name", "network", "port", "tags", "vlan", "vm")

    def __init__(
        self,
        index: int,
        vm: Vm,
        name: str,
        mac: bytes,
        network: str = "",
        vlan: int | None = None,
        addresses: tuple[Prefix, ...] = (),
        tags: frozenset[str] = frozenset(),
        port: str = "",
    ) -> None:
        """Describe an interface; see the class for the meaning."""
        self.index: int = index
        self.vm: Vm = vm
        self.name: str = name
        self.mac: bytes = mac
        self.network: str = network
        self.vlan: int | None = vlan
        self.addresses: tuple[Prefix, ...] = addresses
        self.tags: frozenset[str] = tags
        self.port: str = port

    def numbered(self, index: int, vm: Vm) -> VmInterface:
        """Give the same interface in another place, of another machine."""
        one = self
        return VmInterface(
            index, vm, one.name, one.mac, one.network, one.vlan, one.addresses, one.tags, one.port
        )

    @property
    def label(self) -> str:
        """Name for people: ``web-1/eth0``."""
        return f"{self.vm.name}/{self.name}"
