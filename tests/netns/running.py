"""The appliance running on a lab's host, with documents written for the lab's guests."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import yaml

from appliance.daemon.live.client import ClientError, ask
from tests.netns.lab import BRIDGE, Guest, Lab

ROOT = Path(__file__).resolve().parents[2]
_READY = 120.0
_RECORDED = ("alert", "drop", "flow", "anomaly", "http", "eastwall")
_SPACE = uuid.UUID("3b6f2f2e-5b59-4d3f-9c1e-000000000000")


def uuid_of(name: str) -> str:
    """Give the UUID that a guest of this name has in every test."""
    return str(uuid.uuid5(_SPACE, name))


class Running:
    """Starts ``eastwall run`` on the host of a lab. ``folder`` holds its documents and all it writes.

    ``documents`` are policies or paths of them, ``rules`` is text or paths, ``more`` goes into the file.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        documents: list[dict[str, Any] | Path],
        rules: str | list[Path] = "",
        **more: Any,
    ) -> None:
        """Write the documents for the guests that the lab has now."""
        self.lab = lab
        self.folder = folder
        self.socket = folder / "control.sock"
        self.eve = folder / "eve.json"
        self.config = folder / "appliance.yaml"
        self.process: subprocess.Popen[str] | None = None
        self.addresses: dict[str, list[str]] = {}
        self.os: dict[str, str] = {}
        self.write_rules(rules if isinstance(rules, str) else "")
        self.document = {
            "bridges": [{"name": BRIDGE}],
            "policies": [str(p) for p in documents if isinstance(p, Path)] + [str(folder / "policies.yaml")],
            "inventory": "vms.yaml",
            "rules": ["local.rules"] if isinstance(rules, str) else [str(path) for path in rules],
            "outputs": [{"type": "eve", "file": str(self.eve), "types": list(_RECORDED)}],
            "workers": 1,
            "user": "root",
            "state": str(folder / "state"),
            "cache": str(folder / "cache"),
            "control": {"socket": str(self.socket)},
        } | more
        self.write_policies(*(p for p in documents if isinstance(p, dict)))
        self.write_inventory()
        self.config.write_text(yaml.safe_dump(self.document))

    def write_policies(self, *documents: dict[str, Any]) -> None:
        """Write the policies that are not files of their own."""
        merged: dict[str, Any] = {}
        for document in documents:
            for key, value in document.items():
                merged[key] = merged[key] + value if isinstance(value, list) and key in merged else value
        (self.folder / "policies.yaml").write_text(yaml.safe_dump(merged))

    def write_rules(self, text: str) -> None:
        """Write the rule file."""
        (self.folder / "local.rules").write_text(text)

    def write_inventory(self, **changes: dict[str, Any]) -> None:
        """Write the lab's guests; ``changes`` are put on interfaces by the guest's name."""
        vms = []
        for guest in self.lab.guests.values():
            interface = {"name": "eth0", "mac": guest.mac, "port": guest.port} | changes.get(guest.name, {})
            if guest.name in self.addresses:
                interface["addresses"] = self.addresses[guest.name]
            vms.append({"uuid": uuid_of(guest.name), "name": guest.name, "interfaces": [interface]})
            if guest.name in self.os:
                vms[-1]["os"] = self.os[guest.name]
        (self.folder / "vms.yaml").write_text(yaml.safe_dump({"vms": vms}))

    def __enter__(self) -> Running:
        """Start, and wait until every guest that is plugged in is protected."""
        self.spawn()
        self.wait_for(lambda: self.placed() >= len(self.lab.guests), "protection", _READY)
        return self

    def __exit__(self, *what: object) -> None:
        """Stop."""
        self.stop()

    def spawn(self) -> None:
        """Start the process."""
        command = (sys.executable, "-m", "appliance.cli", "run", "-c", str(self.config))
        self.process = self.lab.spawn(self.lab.host, *command)

    def ready(self) -> bool:
        """Tell whether all workers judge."""
        try:
            return all(worker["ready"] for worker in self.status()["workers"])
        except ClientError:
            return False

    def placed(self) -> int:
        """Tell how many interfaces are under protection."""
        try:
            status = self.status()
        except ClientError:
            return -1
        ready = all(worker["ready"] for worker in status["workers"])
        return len(status["interfaces"]) if ready and status["applied"] else -1

    def wait_for(self, condition: Any, what: str, patience: float = 20.0) -> Any:
        """Wait until something holds; what the appliance said is shown if it does not come to be."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.05)
        said = self.lab.end(self.process) if self.process is not None else ""
        raise AssertionError(f"no {what} within {patience} s; the appliance said:\n{said}")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Ask the appliance over its control socket."""
        return ask(self.socket, {"command": command, **arguments})

    def status(self) -> dict[str, Any]:
        """Give its status."""
        found: dict[str, Any] = self.ask("status")
        return found

    def fresh_status(self) -> dict[str, Any]:
        """Give its status after every worker and the kernel have told their counters once more."""
        self.status()  # the kernel's are read more often while somebody asks
        time.sleep(2.2)
        return self.status()

    def workers(self) -> list[int]:
        """Give the pids of the workers."""
        return [worker["pid"] for worker in self.status()["workers"]]

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        """Give the records written so far, those of one kind or all."""
        lines = self.eve.read_text().splitlines() if self.eve.exists() else []
        found = [json.loads(line) for line in lines]
        return [record for record in found if kind in {"", record["event_type"]}]

    def notes(self, name: str) -> list[dict[str, Any]]:
        """Give the protection's own records of one name."""
        return [r["eastwall"] for r in self.records("eastwall") if r["eastwall"]["event"] == name]

    def wait_record(self, kind: str, patience: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Wait for a record of a kind; ``fields`` are dotted names with __ for the dot, and their values."""

        def found() -> dict[str, Any] | None:
            return next((r for r in self.records(kind) if _matches(r, fields)), None)

        record: dict[str, Any] = self.wait_for(found, f"{kind} record {fields}", patience)
        return record

    def kill(self) -> None:
        """End the supervisor at once, as a crash does."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> str:
        """Stop and give what it said. Workers that were left alone are ended too."""
        said = self.lab.end(self.process) if self.process is not None else ""
        self.process = None
        for path in (self.folder / "state" / "handover").glob("worker-*.pid"):
            try:
                os.kill(int(path.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                continue
        return said


def _matches(record: dict[str, Any], fields: dict[str, Any]) -> bool:
    for name, wanted in fields.items():
        value: Any = record
        for step in name.split("__"):
            value = value.get(step) if isinstance(value, dict) else None
        if value != wanted:
            return False
    return True


def listen(lab: Lab, guest: Guest, port: int, proto: str = "tcp") -> subprocess.Popen[str]:
    """Start an echo server in a guest."""
    script = _TCP_ECHO if proto == "tcp" else _UDP_ECHO
    process = lab.spawn(guest, sys.executable, "-u", "-c", script, str(port))
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


_TCP_ECHO = """
import socket, sys, threading
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
def talk(c):
    with c:
        try:
            while data := c.recv(65536):
                c.sendall(data)
        except OSError:
            pass
while True:
    c, _ = s.accept()
    threading.Thread(target=talk, args=(c,), daemon=True).start()
"""
_UDP_ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", int(sys.argv[1])))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(65536)
    s.sendto(data, peer)
"""
_TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
s.settimeout(3)
print("connected", flush=True)
for line in sys.stdin:
    try:
        s.sendall(line[1:].encode() if line[0] == "+" else line[1:-1].encode())
        print(s.recv(1000).decode().strip(), flush=True)
    except TimeoutError:
        print("silence", flush=True)
    except OSError:
        print("reset", flush=True)
"""
_SAY = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
kind = socket.SOCK_STREAM if sys.argv[3] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(family, kind)
s.settimeout(float(sys.argv[4]))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    text = bytes.fromhex(sys.stdin.read())
    s.sendall(text) if kind == socket.SOCK_STREAM else s.send(text)
    got = b""
    while len(got) < len(text):
        more = s.recv(65536)
        if not more:
            break
        got += more
    print("echo" if got == text else "cut")
except ConnectionRefusedError:
    print("refused")
except ConnectionResetError:
    print("reset")
except TimeoutError:
    print("silence")
except OSError as error:
    print("error", error.errno)
"""


def say(
    lab: Lab,
    guest: Guest,
    address: str,
    port: int,
    text: bytes = b"hello",
    proto: str = "tcp",
    patience: float = 2.0,
) -> str:
    """Say something to an echo server; gives ``echo``, ``refused``, ``reset``, ``silence`` or ``cut``."""
    script = (sys.executable, "-c", _SAY, address, str(port), proto, str(patience))
    asked = lab.spawn(guest, *script, stdin=subprocess.PIPE)
    answer, _ = asked.communicate(text.hex(), timeout=30)
    return answer.strip()


class Talk:
    """A TCP connection from a guest to an echo server that stays open over what a test does."""

    def __init__(self, lab: Lab, guest: Guest, address: str, port: int) -> None:
        """Connect."""
        script = (sys.executable, "-u", "-c", _TALK, address, str(port))
        self._process = lab.spawn(guest, *script, stdin=subprocess.PIPE)
        assert self._line() == "connected"

    def say(self, text: str) -> str:
        """Say a line; gives what came back, ``silence``, or ``reset``."""
        self._tell("+" + text)
        return self._line()

    def send(self, text: str) -> None:
        """Say something without a line's end, wait until it is echoed, and say no more."""
        self._tell("-" + text)
        assert self._line() == text

    def _tell(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 15)
        assert ready, "no answer of the talking process"
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """Hang up."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(5)
