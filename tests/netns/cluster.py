"""Two virtual hosts that know of each other by NATS, whose servers are behind a network beside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.netns.hosts import Hosts
from tests.netns.lab import Guest, Lab, call
from tests.netns.running import Running, uuid_of

CLIENTS, ROUTES = 4222, 6222
FAST = {
    "expecting": "1s",
    "waiting": "500ms",
    "offering": "5s",
    "conflict": "2s",
    "given": "4s",
    "left": "20s",
}


class Server:
    """One nats-server in a namespace of its own."""

    def __init__(self, cluster: Cluster, number: int, of: int) -> None:
        """Make its namespace and its file."""
        self.cluster, self.number = cluster, number
        self.lab = cluster.hosts.one
        self.space = self.lab.namespace(f"nats{number}")
        self.address = f"10.99.0.{10 + number}"
        cluster.connect(self.space, f"n{number}", self.address)
        self.file = cluster.folder / f"nats{number}.conf"
        routes = ", ".join(f"nats://10.99.0.{10 + other}:{ROUTES}" for other in range(of) if other != number)
        group = (
            f'cluster {{ name: c, listen: "{self.address}:{ROUTES}", routes: [{routes}] }}\n'
            if of > 1
            else ""
        )
        self.file.write_text(
            f'server_name: n{number}\nlisten: "{self.address}:{CLIENTS}"\n{group}'
            f'jetstream {{ store_dir: "{cluster.folder}/nats{number}" }}\n{cluster.extra}'
        )
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        log = str(self.cluster.folder / f"nats{self.number}.log")
        self.process = self.lab.spawn(self.space, "nats-server", "-c", str(self.file), "-l", log)
        until = time.monotonic() + 20
        while str(CLIENTS) not in self.lab.run(self.space, "ss", "-Hltn", f"sport = {CLIENTS}"):
            assert time.monotonic() < until, "nats-server does not listen"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.send(signal.SIGCONT)
            self.lab.end(self.process)
            self.process = None

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.send(signal.SIGKILL)
            self.process.wait(10)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)


class Cluster:
    """Servers, and the two hosts' ways to them. ``extra`` goes into the servers' files."""

    def __init__(self, hosts: Hosts, folder: Path, servers: int = 1, extra: str = "") -> None:
        """Make everything; servers do not run yet."""
        self.hosts, self.folder, self.extra = hosts, folder, extra
        self.space = hosts.one.namespace("mgmt")
        call("ip", "-n", self.space, "link", "add", "mg", "type", "bridge", "forward_delay", "0")
        call("ip", "-n", self.space, "link", "set", "mg", "up")
        self.servers = [Server(self, number, servers) for number in range(servers)]
        for number, lab in enumerate((hosts.one, hosts.two)):
            self.connect(lab.host, f"h{number}", f"10.99.0.{1 + number}")

    def connect(self, space: str, port: str, address: str) -> None:
        """Plug a namespace into the network beside; ``port`` is the device on its switch."""
        peer = ("type", "veth", "peer", "name", "mg0", "netns", space)
        call("ip", "-n", self.space, "link", "add", port, *peer)
        call("ip", "-n", self.space, "link", "set", port, "master", "mg", "up")
        call("ip", "-n", space, "address", "add", f"{address}/24", "dev", "mg0")
        call("ip", "-n", space, "link", "set", "mg0", "up")

    def cut(self, port: str, *, off: bool = True) -> None:
        """Cut a host (``h0``, ``h1``) or a server (``n0`` …) off, or let it back."""
        call("ip", "-n", self.space, "link", "set", port, "down" if off else "up")

    def start(self) -> None:
        """Start all servers."""
        for server in self.servers:
            server.start()

    def stop(self) -> None:
        """Stop all servers."""
        for server in self.servers:
            server.stop()

    def document(self, name: str, **more: Any) -> dict[str, Any]:
        """Give the part ``cluster`` of a host's file."""
        servers = [f"nats://{server.address}:{CLIENTS}" for server in self.servers]
        return {"name": name, "servers": servers, "timers": FAST, "replicas": len(servers), **more}

    def appliance(
        self, lab: Lab, folder: Path, documents: list[Any], rules: str = "", **more: Any
    ) -> Running:
        """Make an appliance for one of the hosts, by the folder's name; it does not run yet."""
        part = self.document(folder.name, **more.pop("cluster", {}))
        return self.hosts.appliance(lab, folder, documents, rules, cluster=part, **more)


@contextlib.contextmanager
def cluster_of(hosts: Hosts, folder: Path, servers: int = 1, extra: str = "") -> Iterator[Cluster]:
    """A cluster whose servers run, and have ended afterwards."""
    cluster = Cluster(hosts, folder, servers, extra)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def move(hosts: Hosts, to: Running, guest: Guest, *, back: bool = False) -> None:
    """Unplug a guest from the first host and plug it in on the second, or ``back``; wait until it passes."""
    source, target = (hosts.two, hosts.one) if back else (hosts.one, hosts.two)
    hosts.unplug(guest, source)
    hosts.plug(guest, target)
    to.wait_for(lambda: passes(to, guest), "protection", 60)


def state_of(appliance: Running, name: str) -> str:
    """Give the state of a guest's interface on a host; "" where the host does not know it."""
    found = appliance.status()["cluster"]["interfaces"]
    return next((one["state"] for one in found if one["uuid"] == uuid_of(name)), "")


def passes(appliance: Running, guest: Guest) -> bool:
    """Tell whether a guest's interface passes on a host."""
    return any(one["vm"] == guest.name for one in appliance.status()["interfaces"])
