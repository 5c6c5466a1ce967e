"""How long the kernel's state takes for many ports: planned, applied, changed, audited.

    python bench/kernel_state.py [ports]

Needs root. Everything happens in a network namespace that is gone afterwards; devices need not exist.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

from appliance.firewall.bound import BoundPolicies, InterfacePolicy, plain_policy
from appliance.inventory.inventory import Inventory, build
from appliance.inventory.ports import Port
from appliance.kernel.driver import KernelDriver
from appliance.kernel.namespace import run_in_scratch
from appliance.kernel.options import KernelOptions
from appliance.kernel.plan import desired
from appliance.model.identity import Prefix, Vm, VmInterface
from appliance.model.verdict import Verdict


def inventory(count: int) -> Inventory:
    vms = []
    for number in range(count):
        vm = Vm(f"00000000-0000-0000-0000-{number:012d}", f"vm-{number}")
        mac = (0x520000000000 + number).to_bytes(6, "big")
        own = (Prefix(4, 0x0A000001 + number, 0x0A000001 + number), Prefix(6, number, number))
        vms.append((vm, [VmInterface(0, vm, "eth0", mac, "", None, own, frozenset(), f"tap{number}")]))
    return build(vms)


def policies(known: Inventory, epoch: int) -> BoundPolicies:
    plain: InterfacePolicy = replace(plain_policy("p", Verdict.ACCEPT), spoof_protection=True)
    return BoundPolicies(tuple(replace(plain, interface=one) for one in known.interfaces), None, epoch)


def timed(what: str, function: Callable[[], object]) -> None:
    began = time.perf_counter()
    function()
    print(f"{what:40} {(time.perf_counter() - began) * 1000:8.0f} ms")


def measure(count: int) -> None:
    known = inventory(count + 1)
    ports = [Port(one.port, 0, one, bridge="br0") for one in known.interfaces]
    ports.append(Port("uplink", 0, bridge="br0", uplink=True))
    options = KernelOptions()
    first = desired([*ports[:count], ports[-1]], policies(known, 1), options)
    timed(f"plan {count} ports", lambda: desired(ports, policies(known, 1), options))
    driver = KernelDriver()
    timed("apply to an empty kernel", lambda: driver.apply(first))
    more = desired(ports, policies(known, 1), options)
    timed("apply one more port", lambda: driver.apply(more))
    newer = desired(ports, policies(known, 2), options)
    timed("apply a new epoch", lambda: driver.apply(newer))
    timed("first audit (lists everything)", driver.audit)
    timed("audit of what nobody touched", driver.audit)
    timed("read all counters", driver.counters)
    after = KernelDriver()
    timed("adopt and replace", lambda: (after.adopt(), after.apply(newer)))
    timed("sweep", after.sweep)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    run_in_scratch(lambda: measure(wanted))
