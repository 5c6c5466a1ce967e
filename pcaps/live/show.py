"""A host of namespaces with VMs on a bridge, the appliance on that bridge, and an attack that fails."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import yaml
from rich.console import Console

from appliance.capture.pcap import PcapSource
from appliance.config.settings import DecodeSettings
from appliance.decode.decoder import Decoder
from appliance.model.packet import PROTO_TCP

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCUMENTS = HERE.parent / "demo"
sys.path.insert(0, str(ROOT))

from appliance.cli.liveview import show_status  # noqa: E402
from tests.netns.lab import Guest, Lab  # noqa: E402 - found from where this file is
from tests.netns.running import Running  # noqa: E402

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
    """Three VMs on a lab's host, with the shipped policies and rules, and the appliance between them."""

    def __init__(self, lab: Lab, folder: Path, console: Console) -> None:
        """Plug the VMs in and write the documents."""
        self.lab = lab
        self.folder = folder
        self.console = console
        self.guests = {
            name: lab.vm(name, mac=_mac(name), addresses=[f"{ip}/24"]) for name, ip in _MACHINES.items()
        }
        (ROOT / "out").mkdir(exist_ok=True)
        self.appliance = Running(
            lab,
            folder,
            [ROOT / "policies", DOCUMENTS / "bindings.yaml"],
            [ROOT / "rules"],
            cache=str(ROOT / "out/cache"),
        )

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


def _mac(name: str) -> str:
    """Give the MAC that the shipped inventory says a machine has."""
    vms = yaml.safe_load((DOCUMENTS / "vms.yaml").read_text())["vms"]
    return str(next(vm["interfaces"][0]["mac"] for vm in vms if vm["name"] == name))


def show(console: Console) -> int:
    """Run the demonstration; 0 when good traffic passed and the attack did not."""
    with tempfile.TemporaryDirectory(prefix="eastwall-") as name, Lab("demo") as lab:
        demo = LiveDemo(lab, Path(name), console)
        console.rule("three VMs on a bridge, and the appliance on that bridge")
        with demo.appliance as appliance:
            good = _good_traffic(demo)
            attacked = _attack(demo)
            console.rule("what the appliance says of it (eastwall status)")
            show_status(appliance.fresh_status(), console)
    console.print(f"\nthe attack was {'NOT blocked' if attacked else 'blocked'}")
    return 0 if good and not attacked else 1


def _good_traffic(demo: LiveDemo) -> bool:
    console, guests = demo.console, demo.guests
    console.rule("ordinary traffic")
    page = [(0, b"GET / HTTP/1.1\r\nHost: web-1\r\n\r\n".hex()),
            (1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".hex())]  # fmt: skip
    web = demo.play(guests["desktop-7"], guests["web-1"], _HTTP, page)
    console.print(f"desktop-7 reads a page of web-1: {'passed' if web else 'FAILED'}")
    share = demo.play(
        guests["desktop-7"], guests["files-1"], _SMB, turns_of(HERE.parent / "srvsvc-benign.pcap")
    )
    console.print(f"desktop-7 lists the shares of files-1: {'passed' if share else 'FAILED'}")
    return web and share


def _attack(demo: LiveDemo) -> bool:
    console, guests = demo.console, demo.guests
    console.rule("desktop-7 attacks files-1 the way Conficker did (MS08-067)")
    heard = demo.play(guests["desktop-7"], guests["files-1"], _SMB, turns_of(HERE.parent / "conficker.pcap"))
    console.print(f"files-1 {'HEARD all of it' if heard else 'did not get to hear it'}")
    record = demo.appliance.wait_record("alert")
    alert = record["alert"]
    console.print(f"{alert['action']}: {alert['signature']} ({alert['gid']}:{alert['signature_id']})")
    ends = (record["vm"]["src"], record["vm"]["dest"])
    console.print(" → ".join(f"{one['name']}/{one['interface']} (policy {one['policy']})" for one in ends))
    return heard
