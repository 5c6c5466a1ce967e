"""From a hypervisor's event to the policy in force: many machines, many moves.

    python -m bench.inventory [--machines 5000] [--rate 200] [--minutes 10]

Starts a simulated vCenter and an appliance in a network namespace, both as they are, and moves machines of
two interfaces each to the appliance's host and away again: the machine's host changes, and two devices with
its MACs come to a bridge or go. Every tenth time a machine of this host is renamed instead, and gets another
policy by its new name. Needs root, Go and pyvmomi. Prints percentiles of the time from before the first call
to the record ``vm.protected``, written when workers and kernel have it, and how memory grew in the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pyVmomi import vim

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from appliance.daemon.live.client import ClientError
from appliance.daemon.memory import resident
from tests.hypervisor.vcenter import Vcenter, build
from tests.netns.lab import BRIDGE, Lab
from tests.netns.running import Running

HERE = 12  # machines on the host at a time
UUID = "config.instanceUuid"
_NAMED = {"policy": "web", "name": "web-*"}
_PATIENCE = 30.0


class Fabric:
    """A host's bridge, the vCenter that knows it, and the appliance between them."""

    def __init__(self, server: Vcenter, running: Running) -> None:
        self.server, self.running = server, running
        self.hosts = server.objects(vim.HostSystem)
        self.host, *self.others = sorted(self.hosts)
        self.machines = sorted(self.server.machines().items())
        self.here: list[tuple[str, Any, list[str], str]] = []
        self._next = itertools.cycle(self.machines)
        self._read = 0
        self._seen: list[dict[str, Any]] = []

    def _macs(self, machine: Any) -> list[str]:
        devices = self.server.value(machine, "config.hardware.device")
        return [one.macAddress for one in devices if getattr(one, "macAddress", None)]

    def move(self, machine: Any, host: str) -> None:
        """Have the vCenter say that a machine is on another host."""
        self.server.wait(machine.Relocate(vim.vm.RelocateSpec(host=self.hosts[host])))

    def come(self) -> float:
        """Bring a machine here; gives the seconds until both interfaces were under their policy."""
        present = {uuid for *_, uuid in self.here}
        name, machine = next(one for one in self._next if self.server.value(one[1], UUID) not in present)
        macs = self._macs(machine)
        uuid = self.server.value(machine, UUID)
        begun = time.time_ns()
        ports = [f"t{mac.replace(':', '')[-10:]}" for mac in macs]
        ip(
            line
            for port, mac in zip(ports, macs, strict=True)
            for line in (
                f"link add {port} address fe{mac[2:]} type veth peer name g{port}",
                f"link set {port} master {BRIDGE} up",
            )
        )
        self.move(machine, self.host)
        self.here.append((name, machine, ports, uuid))
        return self.wait(uuid, len(macs), begun)

    def leave(self) -> None:
        """Take the machine away that is here for longest."""
        _, machine, ports, _ = self.here.pop(0)
        ip(f"link del {port}" for port in ports)
        self.move(machine, self.others[0])

    def rename(self, number: int) -> float:
        """Give a machine of this host the other kind of name, and so another policy."""
        name, machine, ports, uuid = self.here.pop(0)
        name = f"{'vm' if name.startswith('web') else 'web'}-{number}"
        begun = time.time_ns()
        self.server.wait(machine.Rename_Task(name))
        self.here.append((name, machine, ports, uuid))
        return self.wait(uuid, len(ports), begun)

    def wait(self, uuid: str, interfaces: int, begun: int) -> float:
        """Wait until the policy of so many interfaces is in force; gives the seconds since ``begun``."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            self._take_records()
            found = [one for one in self._seen if one["uuid"] == uuid and one["at"] >= begun]
            if len({one["interface"] for one in found}) >= interfaces:
                return (max(one["at"] for one in found) - begun) / 1e9
            time.sleep(0.02)
        return _PATIENCE

    def _take_records(self) -> None:
        with self.running.eve.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            record = json.loads(line)
            if record["event_type"] == "eastwall" and record["eastwall"]["event"] == "vm.protected":
                at = time_of(record["timestamp"])
                self._seen.append({**record["eastwall"], "at": at})
        del self._seen[:-200]

    def memory(self) -> dict[str, int]:
        """Give resident bytes by process."""
        status = self.running.status()
        process = self.running.process
        pids = {"supervisor": process.pid if process else 0, "worker": status["workers"][0]["pid"]}
        pids["provider"] = status["inventory"]["providers"][0]["pid"]
        return {name: resident(pid) for name, pid in pids.items()}


def ip(lines: Iterable[str]) -> None:
    """Change devices of the namespace that this is called in."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=10)


def time_of(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1e6) * 1000 + 999


def documents() -> dict[str, Any]:
    rules = [{"name": "out", "action": "allow", "direction": "out"}]
    plain = {"default_action": "deny", "firewall": {"application": rules}}
    policies = [{"name": name, **plain} for name in ("standard", "web", "quarantine")]
    return {"policies": policies, "bindings": [_NAMED], "default": "standard"}


def measure(fabric: Fabric, rate: float, minutes: float) -> dict[str, Any]:
    came: list[float] = []
    renamed: list[float] = []
    memory: list[tuple[float, dict[str, int]]] = []
    begun, number, sampled = time.monotonic(), 0, -5.0
    while (now := time.monotonic() - begun) < minutes * 60:
        if now - sampled >= 5:
            sampled = now
            memory.append((now, fabric.memory()))
        if number % 10 == 9 and fabric.here:
            renamed.append(fabric.rename(number))
        elif len(fabric.here) >= HERE:
            fabric.leave()
        else:
            came.append(fabric.come())
        number += 1
        time.sleep(max(0.0, begun + number * 60 / rate - time.monotonic()))
    took = time.monotonic() - begun
    later = memory[len(memory) // 2 :]
    slopes = {name: slope([(at, one[name]) for at, one in later]) for name in later[0][1]}
    return {
        "operations a minute": round(number / took * 60),
        "moves here": shown(came),
        "other policy by another name": shown(renamed),
        "memory, MB": {name: round(size / 1e6, 1) for name, size in memory[-1][1].items()},
        "growth in the second half, MB an hour": {n: round(one * 3600 / 1e6, 1) for n, one in slopes.items()},
        "by the minute, MB": {n: [round(one[n] / 1e6, 1) for _, one in memory[::12]] for n in slopes},
    }


def slope(points: list[tuple[float, int]]) -> float:
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def shown(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds) or [0.0]
    pick = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    last = len(ordered) - 1
    found = {name: round(ordered[min(last, int(len(ordered) * one))], 3) for name, one in pick.items()}
    return {"count": len(seconds), **found}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=200, help="operations a minute")
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Lab("inv") as lab:
        folder = Path(name)
        simulator = build(folder)  # out here, since the module may have to be fetched
        with lab.inside(lab.host):
            show(simulator, folder, lab, args)


def show(simulator: Path, folder: Path, lab: Lab, args: argparse.Namespace) -> None:
    server = Vcenter(simulator, folder, machines=args.machines, hosts=4, cards=2)
    try:
        provider = server.options(host="DC0_C0_H0")
        more = {"hypervisors": [provider], "inventory": "", "workers": 1}
        running = Running(lab, folder, [documents()], **more)
        running.spawn()
        threading.Thread(target=drain, args=(running.process,), daemon=True).start()
        running.wait_for(lambda: known(running) >= args.machines, "inventory", 300.0)
        print(json.dumps(measure(Fabric(server, running), args.rate, args.minutes), indent=2))
        running.stop()
    finally:
        server.close()


def drain(process: subprocess.Popen[str] | None) -> None:
    """Read what the appliance says, which would wait for a pipe that is full."""
    if process is not None and process.stdout is not None:
        for _ in process.stdout:
            pass


def known(running: Running) -> int:
    try:
        status = running.status()
    except ClientError:
        return -1
    ready = all(worker["ready"] for worker in status["workers"]) and status["applied"]
    return int(status["inventory"]["machines"]) if ready else -1


if __name__ == "__main__":
    main()
