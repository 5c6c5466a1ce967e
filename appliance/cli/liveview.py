"""How the state of the running appliance is shown to people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDE = 200
_NUMBERS = {"packets in", "packets out", "dropped"}
_LOADS = ("", "busy: inspects less", "overloaded: inspects nothing new")


def view() -> Console:
    """Give a console as wide as the terminal, or wide enough for every table where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def show_status(found: dict[str, Any], console: Console) -> None:
    """Print what ``eastwall status`` answers."""
    rules, packets = found["rules"], found["packets"]
    uptime = timedelta(seconds=found["uptime"])
    console.print(
        f"{found['mode']}, up {uptime}, datapath {found['datapath']}, policies of epoch {found['epoch']}"
    )
    refused = f" ({rules['refused']} refused)" if rules["refused"] else ""
    console.print(f"{rules['loaded']:,} rules{refused}")
    console.print(
        f"packets judged: {packets['in']:,} in = {packets['accepted']:,} accepted"
        f" + {packets['dropped']:,} dropped"
    )
    console.print(worker_table(found["workers"]))
    console.print(interface_table(found["interfaces"]))
    kernel = {name: value["packets"] for name, value in found["kernel"].items()}
    for title, counts in (("Dropped by the engine", found["drops"]), ("Judged in the kernel", kernel)):
        shown = {name: count for name, count in counts.items() if count}
        if shown:
            console.print(count_table(title, shown))
    for title, names in (
        ("ports that belong to nobody (nothing passes): ", found["unbound_ports"]),
        ("interfaces that are on no port here: ", found["absent_interfaces"]),
        ("bridges and uplinks that are not there: ", found["missing_devices"]),
        ("in quarantine: ", found["quarantine"]),
    ):
        if names:
            console.print(title + escape(", ".join(names)))


def worker_table(workers: list[dict[str, Any]]) -> Table:
    """One line for each worker."""
    table = Table(title="Workers", title_justify="left")
    for head in ("worker", "pid", "starts", "state", "frames", "waiting", "lost", "flows", "MB"):
        table.add_column(head, justify="left" if head in {"worker", "state"} else "right")
    for one in workers:
        queue = one["queue"]
        where = one["device"] or "queues " + ", ".join(str(number) for number in one["queues"])
        state = (one["why"] or _LOADS[one["load"]] or "ready") if one["ready"] else one["why"] or "not ready"
        lost = queue.get("queue_drops", 0) + queue.get("user_drops", 0)
        table.add_row(
            f"{one['number']} ({where})", str(one["pid"]), str(one["starts"]), escape(state),
            f"{queue.get('received', 0):,}", f"{queue.get('waiting', 0):,}", f"{lost:,}",
            f"{one['flows']:,}", f"{one['memory'] / 1e6:,.0f}",
        )  # fmt: skip
    return table


def interface_table(interfaces: list[dict[str, Any]]) -> Table:
    """One line for each VM interface."""
    table = Table(title="VM interfaces", title_justify="left")
    for head in ("interface", "port", "policy", "mode", "fails", "packets in", "packets out", "dropped"):
        table.add_column(head, justify="right" if head in _NUMBERS else "left")
    for one in interfaces:
        counts = [one.get("packets_in", 0), one.get("packets_out", 0), sum(one["drops"].values())]
        table.add_row(
            escape(one["name"]),
            one["port"],
            escape(one["policy"]),
            "prevent" if one["prevents"] else "detect",
            one["fails"],
            *(f"{count:,}" for count in counts),
        )
    return table


def count_table(title: str, counts: dict[str, int]) -> Table:
    """Name and number, the largest first."""
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    table.add_column("packets", justify="right")
    for name, value in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(escape(name), f"{value:,}")
    return table


def flow_table(flows: list[dict[str, Any]]) -> Table:
    """One line for each connection."""
    table = Table(title=f"{len(flows)} flows", title_justify="left")
    for head in ("proto", "client", "server", "VM", "application", "state", "verdict", "bytes", "by"):
        table.add_column(head, justify="right" if head == "bytes" else "left")
    for flow in flows:
        ends = " → ".join(one or "–" for one in (flow["client_vm"], flow["server_vm"]))
        settled = f" ({flow['settled']})" if flow["settled"] else ""
        table.add_row(
            str(flow["proto"]),
            escape(f"{flow['client']}:{flow['client_port']}"),
            escape(f"{flow['server']}:{flow['server_port']}"),
            escape(ends),
            escape(flow["app"]),
            flow["state"],
            flow["verdict"] + settled,
            f"{sum(flow['bytes']):,}",
            escape(flow["rule"]),
        )
    return table
