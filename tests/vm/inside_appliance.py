"""The whole appliance in a guest: ``eastwall run`` on datapath "nft", from its start to a blocked attack.

One appliance has both shapes of docs/deployment.md at once, since starting it takes a minute here: ``br0``
with the taps of machines 1 and 2, ``br1`` with VLANs of a trunk, behind which are machines 3 and 4.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inside_switch import BothShapes, Machine, inside

from appliance.daemon.live.client import ClientError, ask

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0  # seconds for a step of the appliance; the slowest is its start
ALLOWED, DENIED = 7001, 7002
ATTACK = b"GET /attack-marker HTTP/1.1\r\nHost: b\r\n\r\n"
RULE = (
    'drop tcp any any -> any any (msg:"attack"; flow:to_server,established; '
    'content:"attack-marker"; sid:1; rev:1;)\n'
)
POLICIES = f"""
policies:
  - name: base
    default_action: deny
    inspection: {{mode: prevent}}
    firewall:
      infrastructure:
        - {{name: arp, action: allow, frame: arp}}
        - {{name: nd, action: allow, protocol: icmpv6}}
  - name: client
    inherits: [base]
    firewall:
      application: [{{name: all, action: allow, direction: out}}]
  - name: server
    inherits: [base]
    firewall:
      application:
        - {{name: web, action: allow, direction: in, protocol: tcp, destination_port: {ALLOWED}}}
bindings:
  - {{name: vm1, policy: client}}
  - {{name: vm2, policy: server}}
  - {{name: vm3, policy: client}}
  - {{name: vm4, policy: server}}
unknown: deny
"""


class Appliance:
    """``eastwall run``, with the machines as its inventory; a context manager."""

    def __init__(self, switch: BothShapes, folder: Path) -> None:
        self.switch = switch
        self.folder = folder
        folder.chmod(0o755)  # workers are somebody else
        (folder / "policies.yaml").write_text(POLICIES)
        (folder / "local.rules").write_text(RULE)
        (folder / "vms.yaml").write_text(json.dumps({"vms": [_inventory(one) for one in switch.machines]}))
        (folder / "appliance.yaml").write_text(json.dumps(self._document()))

    def _document(self) -> dict[str, Any]:
        eve = {"type": "eve", "file": str(self.folder / "eve.json"), "types": ["alert", "drop", "eastwall"]}
        return {
            "bridges": [{"name": "br0"}, {"name": "br1"}],
            "policies": ["policies.yaml"],
            "inventory": "vms.yaml",
            "rules": ["local.rules"],
            "outputs": [eve],
            "workers": 1,
            "user": "nobody",
            "state": str(self.folder / "state"),
            "cache": str(self.folder / "cache"),
            "control": {"socket": str(self.folder / "control.sock")},
        }

    def __enter__(self) -> Appliance:
        command = [sys.executable, "-m", "appliance.cli", "run", "-c", str(self.folder / "appliance.yaml")]
        with inside(self.switch.namespace), (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wait(self._protects)
        return self

    def _protects(self) -> bool:
        status = self.status()
        return bool(
            status.get("applied")
            and all(worker["ready"] for worker in status["workers"])
            and len(status["interfaces"]) == len(self.switch.machines)
        )

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def status(self) -> dict[str, Any]:
        """Give its status; empty while it does not answer yet."""
        try:
            return ask(self.folder / "control.sock", {"command": "status"})
        except ClientError:
            return {}

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Give the EVE records of a kind written so far."""
        written = self.folder / "eve.json"
        lines = written.read_text().splitlines() if written.exists() else []
        return [record for record in map(json.loads, lines) if record["event_type"] == kind]

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until something holds; what the appliance said is shown if it does not come to be."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            if found := condition():
                return found
            time.sleep(0.5)
        raise AssertionError(f"{self.status()}\n{(self.folder / 'log').read_text()}")


def _inventory(one: Machine) -> dict[str, Any]:
    """Give a machine as the inventory has it: by its device, or on a trunk by its VLAN."""
    _, _, vlan = one.port.partition(".")
    interface = {"name": "eth0", "mac": one.mac} | ({"vlan": int(vlan)} if vlan else {"port": one.port})
    uuid = f"3b6f2f2e-5b59-4d3f-9c1e-{one.number:012}"
    return {"uuid": uuid, "name": f"vm{one.number}", "interfaces": [interface]}


def serve(machine: Machine, port: int) -> None:
    """Echo what is said to a port of a machine."""
    with inside(machine.namespace):
        server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    threading.Thread(target=_accept, args=(server,), daemon=True).start()


def _accept(server: socket.socket) -> None:
    while True:
        end, _ = server.accept()
        threading.Thread(target=_echo, args=(end,), daemon=True).start()


def _echo(end: socket.socket) -> None:
    with contextlib.suppress(OSError), end:
        while data := end.recv(65536):
            end.sendall(data)


def connect(machine: Machine, address: str, port: int, wait: float = 30.0) -> socket.socket | None:
    """Connect; None if nobody answers."""
    end = machine.socket(family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    end.settimeout(wait)
    try:
        end.connect((address, port))
    except TimeoutError:
        end.close()
        return None
    return end


def says(end: socket.socket, text: bytes, wait: float = 30.0) -> bytes:
    """Say something, and give what is echoed within the time."""
    end.settimeout(wait)
    back = b""
    end.sendall(text)
    with contextlib.suppress(TimeoutError):
        while len(back) < len(text) and (more := end.recv(65536)):
            back += more
    return back


class Pair:
    """A client and a server, with a connection open that is older than the appliance."""

    def __init__(self, client: Machine, server: Machine, address: str) -> None:
        self.client, self.server, self.address = client, server, address
        serve(server, ALLOWED)
        serve(server, DENIED)
        serve(client, ALLOWED)
        self.old = self.connect()
        assert says(self.old, b"before") == b"before"

    def connect(self, port: int = ALLOWED, wait: float = 30.0) -> socket.socket | None:
        """Connect as a client does."""
        return connect(self.client, self.address, port, wait)

    def is_held_to_its_policies(self) -> None:
        """What is allowed goes on and is whole, what is not allowed does not begin."""
        assert says(self.old, b"after") == b"after"
        text = bytes(range(256)) * 1000
        with self.connect() as fresh:
            assert says(fresh, text) == text
        assert self.connect(DENIED, wait=3.0) is None
        back = self.client.address6 if ":" in self.address else self.client.address
        assert connect(self.server, back, ALLOWED, wait=3.0) is None

    def cannot_attack(self, appliance: Appliance) -> None:
        """An attack does not arrive, on a new connection and on the old one, and is told of."""
        with self.connect() as fresh:
            assert says(fresh, ATTACK, wait=3.0) == b""
            appliance.wait(lambda: self._alert(appliance, fresh.getsockname()[1]))
        assert says(self.old, ATTACK, wait=3.0) == b""
        appliance.wait(lambda: self._alert(appliance, self.old.getsockname()[1]))
        with self.connect() as again:
            assert says(again, b"harmless") == b"harmless"

    def _alert(self, appliance: Appliance, port: int) -> bool:
        found = [one for one in appliance.records("alert") if one["src_port"] == port]
        return any(
            one["alert"]["action"] == "blocked" and one["vm"]["dest"]["name"] == f"vm{self.server.number}"
            for one in found
        )


def protects_both_shapes() -> None:
    """From before the start of the appliance until after its end."""
    with tempfile.TemporaryDirectory() as folder, BothShapes() as switch:
        one, two, three, four = switch.machines
        pairs = [Pair(one, two, two.address), Pair(three, four, four.address6)]
        with Appliance(switch, Path(folder)) as appliance:
            status = appliance.status()
            assert status["datapath"] == "nft"
            assert {one["vm"]: one["port"] for one in status["interfaces"]} == {
                f"vm{one.number}": one.port for one in switch.machines
            }
            for pair in pairs:
                pair.is_held_to_its_policies()
            for pair in pairs:
                pair.cannot_attack(appliance)
        for pair in pairs:  # nobody judges, and the kernel lets nothing begin
            assert pair.connect(wait=3.0) is None
