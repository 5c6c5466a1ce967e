"""``eastwall top``: rates of the running appliance, renewed as they change."""

from __future__ import annotations

import argparse
import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from appliance.cli.live import add_socket, answered
from appliance.cli.status import CLEAN, ERROR

_RATES = ("packets_in", "packets_out", "bytes_in", "bytes_out")


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser("top", help="rates of interfaces and workers, as they change")
    parser.add_argument("--interval", metavar="SECONDS", type=float, default=2.0, help="between two looks")
    parser.add_argument("--count", metavar="N", type=int, default=0, help="stop after so many looks")
    add_socket(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show rates until interrupted."""
    before = answered(args, {"command": "status"})
    if before is None:
        return ERROR
    pause, looks = max(0.2, args.interval), 0
    with Live(console=Console(), auto_refresh=False) as live:
        while not args.count or looks < args.count:
            time.sleep(pause)
            now = answered(args, {"command": "status"})
            if now is None:
                return ERROR
            live.update(
                Group(interface_rates(before, now, pause), worker_rates(before, now, pause)), refresh=True
            )
            before, looks = now, looks + 1
    return CLEAN


def interface_rates(before: dict[str, Any], now: dict[str, Any], seconds: float) -> Table:
    """Packets, bits and drops a second of each interface, the busiest first."""
    old = {one["name"]: one for one in before["interfaces"]}
    table = Table(title="VM interfaces", title_justify="left")
    for head in ("interface", "policy", "in/s", "out/s", "Mbit/s in", "Mbit/s out", "dropped/s"):
        table.add_column(head, justify="left" if head in {"interface", "policy"} else "right")
    rows = []
    for one in now["interfaces"]:
        was = old.get(one["name"], {})
        rates = [max(0, one.get(name, 0) - was.get(name, 0)) / seconds for name in _RATES]
        drops = (sum(one["drops"].values()) - sum(was.get("drops", {}).values())) / seconds
        rows.append((rates[0] + rates[1], one, rates, max(0.0, drops)))
    for _, one, rates, drops in sorted(rows, key=lambda row: (-row[0], row[1]["name"])):
        table.add_row(
            escape(one["name"]), escape(one["policy"]), f"{rates[0]:,.0f}", f"{rates[1]:,.0f}",
            f"{rates[2] * 8 / 1e6:,.1f}", f"{rates[3] * 8 / 1e6:,.1f}", f"{drops:,.0f}",
        )  # fmt: skip
    return table


def worker_rates(before: dict[str, Any], now: dict[str, Any], seconds: float) -> Table:
    """Packets a second and what waits, for each worker."""
    old = {one["number"]: one["queue"] for one in before["workers"]}
    table = Table(title="Workers", title_justify="left")
    for head in ("worker", "packets/s", "waiting", "lost/s", "flows", "MB"):
        table.add_column(head, justify="left" if head == "worker" else "right")
    for one in now["workers"]:
        queue, was = one["queue"], old.get(one["number"], {})
        change = {name: max(0, value - was.get(name, 0)) / seconds for name, value in queue.items()}
        lost = change.get("queue_drops", 0) + change.get("user_drops", 0)
        table.add_row(
            str(one["number"]), f"{change.get('received', 0):,.0f}", f"{queue.get('waiting', 0):,}",
            f"{lost:,.0f}", f"{one['flows']:,}", f"{one['memory'] / 1e6:,.0f}",
        )  # fmt: skip
    return table
