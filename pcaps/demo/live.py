"""A host of network namespaces with VMs on a bridge, the appliance on that bridge, and an attack that fails."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from appliance.capture.pcap import PcapSource
from appliance.config.settings import DecodeSettings
from appliance.decode.decoder import Decoder
from appliance.model.packet import PROTO_TCP

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from tests.netns.lab import Guest, Lab  # noqa: E402 - found from where this file is

_READY = 120.0
_MACHINES = {"files-1": "10.20.0.11", "desktop-7": "10.20.0.17", "web-1": "10.20.0.10"}
_SMB, _HTTP = 445, 80


def turns_of(capture: Path) -> list[tuple[int, str]]:
    """Read the bytes that both ends of a capture's TCP connection say, in their order."""
    decoder, client, turns = Decoder(DecodeSettings()), b"", []
    for frame in PcapSource([str(capture)]):
        packet = decoder.decode(frame.data, frame.linktype, frame.now, frame.number, frame.wirelen)
        if packet.proto == PROTO_TCP:
            client = client or packet.src
            if packet.payload_len:
                turns.append((0 if packet.src == client else 1, packet.payload().hex()))
    return turns


class LiveDemo:
    """Plays the demonstration in ``folder``, which holds everything the appliance writes."""

    def __init__(self, lab: Lab, folder: Path, console: Console) -> None:
        """Use ``lab`` as the host."""
        self.lab = lab
        self.folder = folder
        self.console = console
        self.guests = {name: lab.vm(name, addresses=[f"{ip}/24"]) for name, ip in _MACHINES.items()}

    def write_documents(self) -> Path:
        """Write the appliance file and an inventory that names the ports of this lab."""
        shipped = yaml.safe_load((HERE / "vms.yaml").read_text())
        vms = [vm for vm in shipped["vms"] if vm["name"] in self.guests]
        for vm in vms:
            guest = self.guests[vm["name"]]
            vm["interfaces"][0] |= {"mac": guest.mac, "port": guest.port}
        (self.folder / "vms.yaml").write_text(yaml.safe_dump({"vms": vms}))
        document = {
            "bridges": [{"name": "br0"}],
            "policies": [str(ROOT / "policies"), str(HERE / "bindings.yaml")],
            "inventory": "vms.yaml",
            "rules": [str(ROOT / "rules")],
            "outputs": [
                {"type": "eve", "file": str(self.folder / "eve.json"), "types": ["alert", "drop", "eastwall"]}
            ],
            "workers": 1,
            "user": "root",
            "state": str(self.folder / "state"),
            "cache": str(ROOT / "out" / "cache"),
            "control": {"socket": str(self.folder / "control.sock")},
        }
        path = self.folder / "appliance.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def start(self) -> subprocess.Popen[str]:
        """Start the appliance on the lab's host, and wait until it protects."""
        command = (sys.executable, "-m", "appliance.cli", "run", "-c", str(self.write_documents()))
        process = self.lab.spawn(self.lab.host, *command)
        until = time.monotonic() + _READY
        while time.monotonic() < until and process.poll() is None:
            if "vm.protected" in self.records("eastwall"):
                return process
            time.sleep(0.1)
        raise SystemExit("the appliance did not come up:\n" + self.lab.end(process))

    def records(self, kind: str) -> str:
        """Give the records of a kind as text."""
        path = self.folder / "eve.json"
        lines = path.read_text().splitlines() if path.exists() else []
        return "\n".join(line for line in lines if f'"event_type":"{kind}"' in line)

    def play(self, client: Guest, server: Guest, port: int, turns: list[tuple[int, str]]) -> bool:
        """Have two VMs speak; tells whether the server heard everything."""
        script = self.folder / "turns.json"
        script.write_text(json.dumps(turns))
        play = (sys.executable, str(HERE / "play.py"))
        waiting = self.lab.spawn(server, *play, "server", str(port), str(script))
        time.sleep(0.5)
        speaking = self.lab.spawn(client, *play, "client", _MACHINES[server.name], str(port), str(script))
        speaking.wait(30)
        waiting.wait(30)
        return waiting.returncode == 0 and speaking.returncode == 0


def show(console: Console) -> int:
    """Run the demonstration; 0 when good traffic passed and the attack did not."""
    (ROOT / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="eastwall-") as name, Lab("demo") as lab:
        demo = LiveDemo(lab, Path(name), console)
        console.rule("three VMs on a bridge, and the appliance on that bridge")
        process = demo.start()
        for line in demo.records("eastwall").splitlines():
            note = json.loads(line)["eastwall"]
            if note["event"] == "vm.protected":
                console.print(f"{note['vm']}/{note['interface']} at {note['port']}: policy {note['policy']}")
        good = _good_traffic(demo)
        attacked = _attack(demo)
        lab.end(process)
    console.print(f"\nthe attack was {'NOT blocked' if attacked else 'blocked'}")
    return 0 if good and not attacked else 1


def _good_traffic(demo: LiveDemo) -> bool:
    console, guests = demo.console, demo.guests
    console.rule("ordinary traffic")
    page = [(0, b"GET / HTTP/1.1\r\nHost: web-1\r\n\r\n".hex()),
            (1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".hex())]  # fmt: skip
    web = demo.play(guests["desktop-7"], guests["web-1"], _HTTP, page)
    console.print(f"desktop-7 reads a page of web-1: {'passed' if web else 'FAILED'}")
    share = demo.play(guests["desktop-7"], guests["files-1"], _SMB, turns_of(HERE.parent / "srvsvc-benign.pcap"))
    console.print(f"desktop-7 lists the shares of files-1: {'passed' if share else 'FAILED'}")
    return web and share


def _attack(demo: LiveDemo) -> bool:
    console, guests = demo.console, demo.guests
    console.rule("desktop-7 attacks files-1 the way Conficker did (MS08-067)")
    heard = demo.play(guests["desktop-7"], guests["files-1"], _SMB, turns_of(HERE.parent / "conficker.pcap"))
    console.print(f"files-1 {'HEARD all of it' if heard else 'did not get to hear it'}")
    for line in demo.records("alert").splitlines():
        record: dict[str, Any] = json.loads(line)
        alert, vm = record["alert"], record.get("vm", {})
        console.print(f"{alert['action']}: {alert['signature']} ({alert['gid']}:{alert['signature_id']}) {vm}")
    return heard
