"""Loads between two VMs, each giving one figure (and for requests the 99th percentile of latency)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.netns.lab import Guest, Lab

SERVER = "10.9.0.2"
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True)
class Figure:
    """One measurement; ``p99`` in µs, 0 where there is none."""

    value: float
    unit: str
    p99: float = 0.0
    error: str = ""


def bulk(lab: Lab, client: Guest, server: Guest, seconds: int, streams: int = 1) -> Figure:
    """One TCP stream as fast as it goes, in Gbit/s."""
    return _iperf(lab, client, server, ["-t", str(seconds), "-P", str(streams), "-O", "1"], "Gbit/s")


def small(lab: Lab, client: Guest, server: Guest, seconds: int) -> Figure:
    """UDP datagrams of 64 bytes as fast as they go; those that arrive, in thousands a second."""
    return _iperf(lab, client, server, ["-t", str(seconds), "-u", "-l", "64", "-b", "0"], "kpps")


def _iperf(lab: Lab, client: Guest, server: Guest, options: list[str], unit: str) -> Figure:
    listener = lab.spawn(server, "iperf3", "-s", "-1")
    time.sleep(0.4)
    output = lab.run(
        client, "iperf3", "-J", "--connect-timeout", "5000", "-c", SERVER, *options, check=False, timeout=120
    )
    lab.end(listener)
    try:
        end = json.loads(output)["end"]
        if unit == "kpps":
            total = end["sum"]
            return Figure((total["packets"] - total["lost_packets"]) / total["seconds"] / 1e3, unit)
        return Figure(end["sum_received"]["bits_per_second"] / 1e9, unit)
    except (ValueError, KeyError):
        return Figure(0.0, unit, error=output[-200:])


def keepalive(lab: Lab, client: Guest, server: Guest, seconds: int) -> Figure:
    """HTTP requests for 1 KB over 50 connections that stay open."""
    del server
    return _wrk(lab, client, seconds, "/1k.html")


def connections(lab: Lab, client: Guest, server: Guest, seconds: int) -> Figure:
    """HTTP requests for 1 KB, each on a connection of its own."""
    del server
    return _wrk(lab, client, seconds, "/1k.html", "-H", "Connection: close")


def text(lab: Lab, client: Guest, server: Guest, seconds: int) -> Figure:
    """HTTP bodies of 360 KB of text over 50 connections."""
    del server
    return _wrk(lab, client, seconds, "/text.html")


def _wrk(lab: Lab, client: Guest, seconds: int, path: str, *options: str) -> Figure:
    command = ("wrk", "-t", "2", "-c", "50", "-d", f"{seconds}s", "--latency", *options)
    output = lab.run(client, *command, f"http://{SERVER}{path}", check=False, timeout=120)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    late = re.search(r"\s99%\s+([\d.]+)(us|ms|s)", output)
    wrong = re.search(r"Socket errors: .*|Non-2xx.*", output)
    return Figure(
        float(rate[1]) if rate else 0.0,
        "req/s",
        float(late[1]) * _UNITS[late[2]] if late else 0.0,
        wrong[0] if wrong else "",
    )


LOADS: dict[str, Callable[[Lab, Guest, Guest, int], Figure]] = {
    "bulk": bulk,
    "text": text,
    "small": small,
    "keepalive": keepalive,
    "connections": connections,
}
