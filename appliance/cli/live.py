"""Commands to the running appliance: status, flows, quarantine, release, reload, restart, stop, sweep."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from appliance.cli.liveview import flow_table, show_status, view
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.live.client import DEFAULT_SOCKET, ClientError, ask
from appliance.daemon.live.main import StartError, sweep

_RELOADING = 300.0


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the appliance listens."""
    parser.add_argument(
        "--socket", metavar="FILE", type=Path, default=DEFAULT_SOCKET, help="control socket of the appliance"
    )


def add_parser(commands: Any) -> None:
    """Describe the commands."""
    status = commands.add_parser("status", help="what the running appliance protects, and how it is doing")
    status.add_argument("--json", action="store_true", help="everything, for machines")
    flows = commands.add_parser("flows", help="connections that are being followed")
    flows.add_argument("--vm", metavar="VM", default="", help="only those of a machine (name or UUID)")
    flows.add_argument(
        "--limit", metavar="N", type=int, default=100, help="at most so many, the latest first"
    )
    flows.add_argument("--json", action="store_true", help="as JSON")
    hold = commands.add_parser("quarantine", help="cut a machine off, its live connections too")
    hold.add_argument("vm", metavar="VM", help="name or UUID")
    free = commands.add_parser("release", help="let a machine out of quarantine")
    free.add_argument("vm", metavar="VM", help="name or UUID")
    reload = commands.add_parser("reload", help="read policies, inventory, rules and settings anew")
    reload.add_argument(
        "--accept-refused", action="store_true", help="also when rules do not load that did before"
    )
    restart = commands.add_parser("restart", help="start the program anew, connections and queues kept")
    stop = commands.add_parser("stop", help="stop; the kernel goes on holding what it holds")
    for parser, function in (
        (status, _status), (flows, _flows), (hold, _quarantine), (free, _release), (reload, _reload),
        (restart, _restart), (stop, _stop),
    ):  # fmt: skip
        add_socket(parser)
        parser.set_defaults(run=function)
    away = commands.add_parser(
        "sweep", help="take everything of Eastwall's out of the kernel: nothing is held up any more"
    )
    away.add_argument("-c", "--config", metavar="FILE", default="/etc/eastwall/appliance.yaml")
    away.set_defaults(run=_sweep)


def answered(args: argparse.Namespace, request: dict[str, Any], patience: float = 30.0) -> Any:
    """Ask the appliance; None after having said what is wrong."""
    try:
        return ask(args.socket, request, patience=patience)
    except ClientError as error:
        print(f"eastwall: {error}", file=sys.stderr)
        return None


def _status(args: argparse.Namespace) -> int:
    found = answered(args, {"command": "status"})
    if found is None:
        return ERROR
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        show_status(found, view())
    return CLEAN


def _flows(args: argparse.Namespace) -> int:
    found = answered(args, {"command": "flows", "vm": args.vm, "limit": args.limit})
    if found is None:
        return ERROR
    if args.json:
        print(json.dumps(found["flows"], indent=2))
    else:
        view().print(flow_table(found["flows"]))
    if found["missing_workers"]:
        print(f"eastwall: {found['missing_workers']} workers have not answered", file=sys.stderr)
    return CLEAN


def _change(args: argparse.Namespace, request: dict[str, Any], done: str, patience: float = 30.0) -> int:
    found = answered(args, request, patience)
    if found is None:
        return ERROR
    print(done.format(**found))
    return CLEAN


def _quarantine(args: argparse.Namespace) -> int:
    return _change(args, {"command": "quarantine", "vm": args.vm}, f"{args.vm} is in quarantine", _RELOADING)


def _release(args: argparse.Namespace) -> int:
    return _change(args, {"command": "release", "vm": args.vm}, f"{args.vm} is released", _RELOADING)


def _reload(args: argparse.Namespace) -> int:
    request = {"command": "reload", "accept_refused": args.accept_refused}
    return _change(args, request, "in force: {rules} rules, policies of epoch {epoch}", _RELOADING)


def _restart(args: argparse.Namespace) -> int:
    return _change(args, {"command": "restart"}, "restarting")


def _stop(args: argparse.Namespace) -> int:
    return _change(args, {"command": "stop"}, "stopping")


def _sweep(args: argparse.Namespace) -> int:
    try:
        sweep(Path(args.config).resolve())
    except StartError as error:
        print(f"eastwall: {error}", file=sys.stderr)
        return ERROR
    return CLEAN
