"""Ports as the kernel's rules know them: a number, a mark, a policy."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.firewall.bound import BoundPolicies, Guard, InterfacePolicy, plain_policy
from appliance.inventory.ports import NO_VLAN, Port
from appliance.kernel.state import Place
from appliance.model.identity import VmInterface
from appliance.model.verdict import Verdict

MOST_PORTS = 0xFFFF
ZONES = 1 << 16
NUMBER_SHIFT = 16

# What holds at a port where there are no policies at all: everything passes, and is inspected.
OPEN_POLICY = plain_policy("none", Verdict.ACCEPT)


@dataclass(frozen=True, slots=True)
class Spot:
    """A port with everything that rules are made of. ``policy`` is None for an uplink."""

    port: Port
    number: int
    policy: InterfacePolicy | None

    @property
    def mark(self) -> int:
        """The mark of a frame that came in here, before routing: its port's number and its zone."""
        return self.number << NUMBER_SHIFT | self.port.zone

    @property
    def device(self) -> str:
        """Name of the device."""
        return self.port.name

    @property
    def tagged(self) -> bool:
        """Tell whether the port is one VLAN of a trunk."""
        return self.port.vlan != NO_VLAN

    @property
    def interface(self) -> VmInterface:
        """The interface behind the port; only for ports that are no uplink."""
        assert self.port.interface is not None  # noqa: S101 - by construction, see `spots`
        return self.port.interface

    @property
    def declared(self) -> bool:
        """Tell whether the port is held to the addresses of its interface."""
        return self.policy is not None and self.policy.spoof_protection and bool(self.interface.addresses)

    @property
    def place(self) -> Place:
        """What is told of the port to those who read counters."""
        label = self.port.interface.label if self.port.interface is not None else ""
        return Place(self.port.name, self.port.vlan, self.number, self.port.zone, label)


def spots(ports: Iterable[Port], bound: BoundPolicies) -> tuple[Spot, ...]:
    """Number ports and give each its policy, in the order of their names.

    A port that is no uplink and has no interface, or one without a policy, is left out: frames from there
    are those of a port that nobody knows. Of two ports at one place one is taken, always the same.

    Raises:
        ValueError: a zone or a name cannot be expressed, or there are more ports than numbers.
    """
    chosen: dict[tuple[str, int], tuple[Port, InterfacePolicy | None]] = {}
    for port in sorted(ports, key=_order):
        policy = None if port.uplink else _policy(port, bound)
        if port.uplink or policy is not None:
            _check(port)
            chosen.setdefault((port.name, port.vlan), (port, policy))
    numbers = number(chosen)
    return tuple(Spot(port, numbers[key], policy) for key, (port, policy) in chosen.items())


def _order(port: Port) -> tuple[str, int, bool, str, str, int]:
    one = port.interface
    return port.name, port.vlan, port.uplink, one.vm.uuid if one else "", one.name if one else "", port.zone


def _policy(port: Port, bound: BoundPolicies) -> InterfacePolicy | None:
    if port.interface is None:
        return None
    return OPEN_POLICY if bound.empty else bound.policy_of(port.interface)


def _check(port: Port) -> None:
    if not 0 <= port.zone < ZONES:
        message = f"port {port.name}: zone {port.zone} is not within 0-{ZONES - 1}"
        raise ValueError(message)
    if not 0 < len(port.name) < 16 or any(c in port.name for c in '"\\*/ \t\r\n') or not port.name.isascii():
        message = f"{port.name!r} is not the name of a device"
        raise ValueError(message)


def number(keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Number places from 1 to 65,535 so that most keep theirs when others come and go."""
    taken: dict[int, tuple[str, int]] = {}
    for key in sorted(keys):
        if len(taken) == MOST_PORTS:
            message = f"more than {MOST_PORTS} ports"
            raise ValueError(message)
        candidate = zlib.crc32(f"{key[0]}/{key[1]}".encode()) % MOST_PORTS + 1
        while candidate in taken:
            candidate = candidate % MOST_PORTS + 1
        taken[candidate] = key
    return {key: at for at, key in taken.items()}


def guard_of(policy: InterfacePolicy) -> Guard:
    """Give the layer 2 guard of a policy; without policies nothing is refused that a VM may have to do."""
    return Guard(dhcp_server=True, router=True) if policy is OPEN_POLICY else policy.guard
