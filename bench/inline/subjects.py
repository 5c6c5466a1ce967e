"""What stands in the middle: nothing, the kernel's connection tracking, the appliance, a peer."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.netns.lab import Lab
from tests.netns.running import ROOT, Running

_PEER_START = 120.0


def _xtables(lab: Lab, *argv: str) -> None:
    lab.run(lab.host, "iptables-legacy", *argv)


def _netfilter(lab: Lab, value: str) -> None:
    lab.sysctl(lab.host, {"net.bridge.bridge-nf-call-iptables": value})


@contextlib.contextmanager
def bridge(lab: Lab, folder: Path) -> Iterator[None]:
    """Nothing but the bridge."""
    del folder
    _netfilter(lab, "0")
    yield


@contextlib.contextmanager
def conntrack(lab: Lab, folder: Path) -> Iterator[None]:
    """The bridge, with connections tracked by the kernel."""
    del folder
    _netfilter(lab, "1")
    _xtables(lab, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED,NEW", "-j", "ACCEPT")
    yield
    _xtables(lab, "-F", "FORWARD")


def et_rules() -> Path:
    """Give the folder of the Emerging Threats rules."""
    return Path(os.environ.get("EASTWALL_SHARED", ROOT.parent / "shared")) / "rules" / "et-open-2021"


def policies(rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Give one policy for everybody."""
    policy = {"name": "all", "default_action": "allow", "firewall": {"application": rules}, **more}
    return {"policies": [policy], "default": "all", "unknown": "deny"}


def inspected() -> dict[str, Any]:
    """Everything is allowed and inspected in prevent mode."""
    return policies([], inspection={"mode": "prevent", "on_overload": "drop"})


def bypassed() -> dict[str, Any]:
    """Everything is allowed and nothing inspected."""
    return policies([{"name": "all", "action": "bypass"}], inspection={"enabled": False})


@contextlib.contextmanager
def appliance(lab: Lab, folder: Path, policy: dict[str, Any], workers: int = 1) -> Iterator[None]:
    """The appliance with the ET rules; alerts and drops are recorded, as of the peer."""
    here = folder / "appliance"
    here.mkdir(exist_ok=True)
    outputs = [{"type": "eve", "file": str(here / "eve.json"), "types": ["alert", "drop"]}]
    more = {
        "limits": {"new_connections": 0, "burst": 0},
        "overload": {"less_at": 99, "none_at": 100},  # what passes is inspected, or it is dropped
        "workers": workers,
        "outputs": outputs,
        "cache": str(ROOT / "out" / "cache"),
    }
    with Running(lab, here, [policy], [et_rules()], **more) as running:
        yield
        status = running.fresh_status()
        print(f"  appliance: {status['packets']}, {status['workers'][0]['queue']}", flush=True)
    lab.run(lab.host, sys.executable, "-m", "appliance.cli", "sweep", "-c", str(here / "appliance.yaml"))


@contextlib.contextmanager
def peer(lab: Lab, folder: Path, root: Path) -> Iterator[None]:
    """Suricata over NFQUEUE in its default mode (one queue, workers), in a root folder of its own.

    ``root`` holds an installed Suricata and, at ``/anchor/r1c.rules``, the same rules.
    """
    del folder
    _netfilter(lab, "1")
    _xtables(lab, "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")
    _xtables(
        lab, "-A", "FORWARD", "-m", "physdev", "--physdev-is-bridged", "-j", "NFQUEUE", "--queue-num", "0"
    )
    command = (
        "chroot", str(root), "suricata", "-S", "/anchor/r1c.rules", "-l", "/anchor/logs", "-v",
        "--set", "vars.address-groups.EXTERNAL_NET=any", "--include", "/anchor/lean.yaml",
        "--runmode", "workers", "-q", "0", "--set", "nfq.mode=accept",
    )  # fmt: skip
    process = lab.spawn(lab.host, *command)
    until = time.monotonic() + _PEER_START
    for line in process.stdout or ():
        if "Engine started" in line or time.monotonic() > until:
            break
    yield
    lab.end(process)
    _xtables(lab, "-F", "FORWARD")
    _xtables(lab, "-F", "INPUT")
