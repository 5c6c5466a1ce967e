"""``eastwall hosts``: which hosts share machines, and how they are."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.table import Table

from appliance.cli.live import add_socket, answered
from appliance.cli.liveview import view
from appliance.cli.status import CLEAN, ERROR

_COLUMNS = ("host", "heard", "version", "epoch", "interfaces", "passing", "policies")


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser("hosts", help="the hosts that share machines with this one")
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    add_socket(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show them."""
    found = answered(args, {"command": "hosts"})
    if found is None:
        return ERROR
    if args.json:
        print(json.dumps(found, indent=2))
        return CLEAN
    where = f"connected to {found['server']}" if found["connected"] else f"not connected: {found['problem']}"
    view().print(f"{found['name']}: {where}", highlight=False, markup=False)
    table = Table(*_COLUMNS, box=None)
    for one in found["hosts"]:
        heard = f"{one['ago']:.0f} s ago" if one["alive"] else f"gone, {one['ago']:.0f} s ago"
        counts = (str(one[name]) for name in ("epoch", "present", "owned", "bundle"))
        table.add_row(one["host"], heard, one["version"], *counts)
    view().print(table)
    return CLEAN
