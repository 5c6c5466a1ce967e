"""Two hosts whose uplinks lead into a third namespace, with a guest that can move from one to the other."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from small_guest import SmallGuest, command_line
from typing_extensions import override

from tests.netns.hosts import UPLINK, Hosts
from tests.netns.lab import BRIDGE, Guest, Lab

ALLOWED, DENIED = 7001, 7002
OUTSIDE, INSIDE = "10.9.0.1", "10.9.0.2"
MAC = "02:00:5e:10:00:02"
ICMP, RARP = 0x0800, 0x8035
_RCVBUFFORCE = 33
RULE = (
    'drop tcp any any -> any any (msg:"attack"; flow:to_server,established; '
    'content:"attack-marker"; sid:1; rev:1;)\n'
)
# Without its state a connection is refused; the guest's pings are denied from the first to the last.
POLICIES = {
    "policies": [
        {
            "name": "server",
            "default_action": "deny",
            "stateful": {"strict": True},
            "inspection": {"mode": "prevent"},
            "firewall": {
                "infrastructure": [{"name": "arp", "action": "allow", "frame": "arp"}],
                "application": [
                    {
                        "name": "web",
                        "action": "allow",
                        "direction": "in",
                        "protocol": "tcp",
                        "destination_port": ALLOWED,
                    }
                ],
            },
        }
    ],
    "bindings": [{"name": "b", "policy": "server"}],
    "unknown": "deny",
}


class Fabric(Hosts):
    """Hosts ``one`` and ``two``, and ``edge``: a switch with the clients, to which both uplinks lead."""

    def __init__(self, one: Lab, two: Lab, edge: Lab) -> None:
        """Connect the hosts with the edge, and plug a client in there."""
        self.edge = edge
        super().__init__(one, two)
        self.client = edge.vm("c", addresses=[f"{OUTSIDE}/24"])
        self.machines["b"] = Guest("b", "", MAC, "", 0)

    @override
    def connect(self) -> None:
        for name, lab in (("one", self.one), ("two", self.two)):
            peer = ("type", "veth", "peer", "name", UPLINK, "netns", lab.host)
            self.edge.ip("link", "add", name, *peer)
            self.edge.ip("link", "set", name, "master", BRIDGE, "up")
            lab.ip("link", "set", UPLINK, "master", BRIDGE, "up")

    def guest(self, lab: Lab, folder: Path, port: str, *more: str) -> SmallGuest:
        """Start the guest, or what it moves to, on one of the hosts; it is plugged in."""
        line = command_line(f"{INSIDE}/24", OUTSIDE, (ALLOWED, DENIED))
        made = SmallGuest(lab, folder, port, MAC, line, *more)
        lab.ip("link", "set", port, "address", "fe" + MAC[2:])
        lab.ip("link", "set", port, "master", BRIDGE, "up")
        return made

    @contextlib.contextmanager
    def watch(self, port: str) -> Iterator[Watch]:
        """Look at what the guest sends out of a host, at the edge's port ``one`` or ``two``."""
        with self.edge.inside(self.edge.host):
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with end:
            end.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 16 << 20)
            end.setblocking(False)
            with self.edge.inside(self.edge.host):
                end.bind((port, 3))
            yield Watch(end)


class Watch:
    """Counts frames that came from the guest."""

    def __init__(self, end: socket.socket) -> None:
        """Read from a packet socket."""
        self._end = end
        self.pings = self.announces = self.others = 0

    def read(self) -> Watch:
        """Count all that has come so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._count(self._end.recv(65536))
        return self

    def _count(self, frame: bytes) -> None:
        kind = struct.unpack_from(">H", frame, 12)[0]
        if frame[6:12] != bytes.fromhex(MAC.replace(":", "")):
            return
        if kind == ICMP and frame[23] == socket.IPPROTO_ICMP:
            self.pings += 1
        elif kind == RARP:
            self.announces += 1
        else:
            self.others += 1


@contextlib.contextmanager
def fabric() -> Iterator[Fabric]:
    """Make all three; they are gone afterwards."""
    with Lab("one") as one, Lab("two") as two, Lab("edge", netfilter=False) as edge:
        yield Fabric(one, two, edge)


class Steady:
    """Connections of the client that speak all the time: each says something as soon as it was echoed."""

    def __init__(self, fabric: Fabric, count: int) -> None:
        """Open them."""
        self._process = fabric.edge.spawn(
            fabric.client, sys.executable, "-u", "-c", _STEADY, INSIDE, str(ALLOWED), str(count),
            stdin=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "open"

    def end(self) -> dict[str, list[Any]]:
        """End them; gives for each how often it was answered, and its longest and its last pause."""
        said, _ = self._process.communicate("\n", timeout=120)
        found: dict[str, list[Any]] = json.loads(said)
        return found


_STEADY = """
import json, selectors, socket, sys, time
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ends = [socket.create_connection((address, port), 10) for _ in range(count)]
watch = selectors.DefaultSelector()
watch.register(sys.stdin, selectors.EVENT_READ)
rounds, longest, last, wrong = [0] * count, [0.0] * count, [time.monotonic()] * count, []
for number, end in enumerate(ends):
    watch.register(end, selectors.EVENT_READ, number)
    end.sendall(b"%08d" % 0)
print("open", flush=True)
going = True
def heard(number):
    try:
        data = ends[number].recv(8, socket.MSG_WAITALL)
    except OSError as error:
        data = str(error).encode()
    if data != b"%08d" % rounds[number]:
        wrong.append(f"{number}: {data}")
        watch.unregister(ends[number])
        return
    now = time.monotonic()
    longest[number] = max(longest[number], now - last[number])
    rounds[number], last[number] = rounds[number] + 1, now
    ends[number].sendall(b"%08d" % rounds[number])
while going:
    for key, _ in watch.select():
        if key.data is None:
            going = False
        else:
            heard(key.data)
    time.sleep(0.02)
now = time.monotonic()
silent = [now - one for one in last]
print(json.dumps({"rounds": rounds, "longest": longest, "silent": silent, "wrong": wrong}))
"""
