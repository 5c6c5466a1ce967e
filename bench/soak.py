"""Mixed load for a long time: does memory stay flat, do the counters add up?

``python -m bench.soak --minutes 60`` lets two VMs exchange small datagrams, bulk TCP, HTTP over kept and over
new connections, at a share of what the worker can do, and now and then an attack. Samples are printed; the
end says the slope of the worker's memory over the second half and whether every packet got one verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from appliance.daemon.memory import resident
from bench.inline import subjects
from bench.inline.loads import SERVER
from bench.inline.site import write_site
from tests.netns.lab import Guest, Lab
from tests.netns.running import ROOT, Running

_TICK = os.sysconf("SC_CLK_TCK")
_CALIBRATION = 15
# What a share of 1 is taken for before it was measured, a second: requests, connections, datagrams, bits.
_BASE = {"requests": 900.0, "connections": 250.0, "datagrams": 8000.0, "bits": 300e6}
_ATTACK = f"http://{SERVER}/cgi-bin/status?x=()%20%7B%20:;%7D;%20/bin/bash%20-c%20id"


def limited_site(folder: Path, scale: float) -> Path:
    """Write a server whose two ports answer at most so many requests a second; gives its configuration."""
    config = write_site(folder)
    text = config.read_text()
    zones, servers = "", ""
    for port, kind in ((80, "requests"), (81, "connections")):
        rate = max(1, round(_BASE[kind] * scale))
        zones += f"limit_req_zone $server_port zone=z{port}:1m rate={rate}r/s;\n"
        servers += (
            f"server {{ listen {port} backlog=4096; root {folder}/www; limit_req zone=z{port} burst=500; }}\n"
        )
    start = text.index("server {")
    config.write_text(text[:start] + zones + servers + "}\n")
    return config


class Load:
    """All loads together, at a scale of the base."""

    def __init__(self, lab: Lab, client: Guest, server: Guest, scale: float, seconds: float) -> None:
        """Start them for at most so long."""
        self._lab = lab
        temp = Path(tempfile.mkdtemp(prefix="eastwall-soak-"))
        length = str(int(seconds) + 5)
        bits = str(round(_BASE["bits"] * scale))
        small = str(round(_BASE["datagrams"] * scale * 64 * 8))
        self._parts = [
            lab.spawn(server, "nginx", "-c", str(limited_site(temp, scale))),
            lab.spawn(server, "iperf3", "-s", "-i", "0", "-p", "5201"),
            lab.spawn(server, "iperf3", "-s", "-i", "0", "-p", "5202"),
        ]
        time.sleep(0.5)
        http = ("wrk", "-t1", "-c20", "-d", f"{length}s")
        # Without reports in between: nobody reads them, and who cannot write on stands still.
        flood = ("iperf3", "-c", SERVER, "-i", "0", "-t", length, "-p")
        self._parts += [
            lab.spawn(client, *http, f"http://{SERVER}/1k.html"),
            lab.spawn(client, *http, "-H", "Connection: close", f"http://{SERVER}:81/1k.html"),
            lab.spawn(client, *flood, "5201", "-u", "-l", "64", "-b", small),
            lab.spawn(client, *flood, "5202", "-b", bits),
        ]

    def stop(self) -> None:
        """End all of them."""
        for part in reversed(self._parts):
            self._lab.end(part)


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def calibrate(lab: Lab, client: Guest, server: Guest, pid: int, share: float) -> float:
    """Find the scale at which the worker uses a share of one core."""
    scale = 1.0
    for _ in range(3):
        load = Load(lab, client, server, scale, _CALIBRATION)
        time.sleep(3)
        before, begun = cpu_seconds(pid), time.monotonic()
        time.sleep(_CALIBRATION - 5)
        used = (cpu_seconds(pid) - before) / (time.monotonic() - begun)
        load.stop()
        print(f"scale {scale:.2f}: the worker uses {used:.0%} of a core", flush=True)
        scale *= share / max(used, 0.05)
        if abs(used - share) < 0.05:
            break
    return scale


def sample(running: Running, pid: int, begun: float) -> dict[str, Any]:
    """Take one sample and print it."""
    status = running.status()
    worker = status["workers"][0]
    found = {
        "at": time.monotonic() - begun,
        "rss": resident(pid),
        "flows": worker["flows"],
        "cpu": cpu_seconds(pid),
        **status["packets"],
        "alerts": status["engine"].get("detect.alert", 0),
        "queue_drops": worker["queue"]["queue_drops"],
    }
    print(json.dumps(found), flush=True)
    return found


def slope(samples: list[dict[str, Any]]) -> float:
    """Give the least-squares slope of memory over the second half, in bytes an hour."""
    late = samples[len(samples) // 2 :]
    if len(late) < 2:
        return 0.0
    middle = sum(one["at"] for one in late) / len(late)
    mean = sum(one["rss"] for one in late) / len(late)
    over = sum((one["at"] - middle) * (one["rss"] - mean) for one in late)
    return float(over / sum((one["at"] - middle) ** 2 for one in late) * 3600)


def soak(lab: Lab, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Run it all; gives what was found."""
    client, server = (lab.vm(n, addresses=[f"10.9.0.{i}/24"]) for i, n in ((1, "a"), (2, "b")))
    for guest in (client, server):
        lab.sysctl(guest, {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"})
    more = {"workers": 1, "cache": str(ROOT / "out" / "cache"), "limits": {"new_connections": 0, "burst": 0}}
    outputs = [{"type": "eve", "file": str(folder / "eve.json"), "types": ["alert", "drop"]}]
    with Running(
        lab, folder, [subjects.inspected()], [subjects.et_rules()], outputs=outputs, **more
    ) as running:
        pid = running.workers()[0]
        scale = args.scale or calibrate(lab, client, server, pid, args.share)
        load, begun = Load(lab, client, server, scale, args.minutes * 60), time.monotonic()
        samples = [sample(running, pid, begun)]
        while time.monotonic() - begun < args.minutes * 60:
            time.sleep(args.every)
            lab.run(client, "curl", "-s", "-m", "5", "-o", "/dev/null", _ATTACK, check=False)
            samples.append(sample(running, pid, begun))
        load.stop()
        return verdict(running.fresh_status(), samples)


def verdict(status: dict[str, Any], samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Add everything up."""
    packets, queue = status["packets"], status["workers"][0]["queue"]
    first, last = samples[0], samples[-1]
    return {
        "minutes": round(last["at"] / 60, 1),
        "share_of_core": round((last["cpu"] - first["cpu"]) / max(last["at"] - first["at"], 1), 2),
        "packets": packets,
        "adds_up": packets["in"] == packets["accepted"] + packets["dropped"],
        "verdict_each": queue["received"] == queue["verdicts"] + queue["waiting"],
        "queue": queue,
        "alerts": last["alerts"],
        "rss_mb": [round(one["rss"] / 1e6, 1) for one in samples],
        "slope_mb_an_hour": round(slope(samples) / 1e6, 2),
    }


def main() -> None:
    """Run it and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=0.8, help="of a core, that the worker is to use")
    parser.add_argument("--scale", type=float, default=0.0, help="of the load, rather than finding it")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between samples")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eastwall-soak-") as temp, Lab("soak") as lab:
        print(json.dumps(soak(lab, Path(temp), args), indent=2))


if __name__ == "__main__":
    try:
        main()
    except subprocess.TimeoutExpired as error:
        raise SystemExit(str(error)) from error
