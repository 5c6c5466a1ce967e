"""``eastwall handoff``: move a machine's connections to another host, or look at what moves."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from appliance.cli.live import add_socket
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.live.client import ClientError, ask

_MOVING = 90.0


def add_parser(commands: Any) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser("handoff", help="move a machine's connections between hosts")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    out = actions.add_parser("export", help="close a machine here and write down its connections")
    out.add_argument("vm", metavar="VM", help="name or UUID")
    out.add_argument("--out", metavar="FILE", type=Path, required=True, help="where to; not yet there")
    into = actions.add_parser("import", help="take connections in, now or when the machine is plugged in")
    into.add_argument("file", metavar="FILE", type=Path)
    back = actions.add_parser("open", help="let a machine pass here again that was closed by an export")
    back.add_argument("vm", metavar="VM", help="name or UUID")
    take = actions.add_parser("take", help="take a machine here whose host is dead")
    take.add_argument("vm", metavar="VM[/INTERFACE]", help="name or UUID, and which interface; all without")
    status = actions.add_parser("status", help="what is closed, expected, and was done")
    status.add_argument("--json", action="store_true", help="everything, for machines")
    for action, function in (
        (out, _export),
        (into, _import),
        (back, _open),
        (take, _take),
        (status, _status),
    ):
        add_socket(action)
        action.set_defaults(run=function)


def _ask(args: argparse.Namespace, request: dict[str, Any], fds: tuple[int, ...] = ()) -> Any:
    """Ask the appliance; None after having said what is wrong."""
    try:
        return ask(args.socket, {"command": "handoff", **request}, fds, patience=_MOVING)
    except ClientError as error:
        print(f"eastwall: {error}", file=sys.stderr)
        return None


def _export(args: argparse.Namespace) -> int:
    """Write a file that only its owner can read: it holds pieces of what the machine has received."""
    fd = os.open(args.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        found = _ask(args, {"action": "export", "vm": args.vm}, (fd,))
    finally:
        os.close(fd)
    if found is None:
        args.out.unlink(missing_ok=True)
        return ERROR
    for one in found["interfaces"]:
        print(f"{args.vm}/{one['name']}: {one['entries']} entries written, {one['lost']} did not fit")
    return CLEAN


def _import(args: argparse.Namespace) -> int:
    with args.file.open("rb") as file:
        found = _ask(args, {"action": "import"}, (file.fileno(),))
    if found is None:
        return ERROR
    for one in found["interfaces"]:
        print(f"{one['name']}: {one['entries']} entries to be taken in")
    return CLEAN


def _open(args: argparse.Namespace) -> int:
    found = _ask(args, {"action": "open", "vm": args.vm})
    if found is None:
        return ERROR
    print(f"opened: {', '.join(found['interfaces']) or 'nothing was closed'}")
    return CLEAN


def _take(args: argparse.Namespace) -> int:
    """Only somebody who knows that the other host is dead may say this: nobody asks it any more."""
    vm, _, interface = args.vm.partition("/")
    found = _ask(args, {"action": "take", "vm": vm, "interface": interface})
    if found is None:
        return ERROR
    print(f"being taken: {', '.join(found['interfaces'])}; `eastwall handoff status` shows them")
    return CLEAN


def _status(args: argparse.Namespace) -> int:
    found = _ask(args, {"action": "status"})
    if found is None:
        return ERROR
    if args.json:
        print(json.dumps(found, indent=2))
        return CLEAN
    for name in ("closed", "expected", "adopting"):
        for uuid, interface in found[name]:
            print(f"{name}: {uuid}/{interface}")
    print(", ".join(f"{name} {count}" for name, count in found["counts"].items()))
    for one in (found["cluster"] or {"interfaces": []})["interfaces"]:
        where = f"{one['uuid']}/{one['interface']}"
        print(f"{where}: {one['state']}, of {one['owner'] or 'nobody'}, revision {one['revision']}")
    for one in found["history"]:
        print(json.dumps(one))
    return CLEAN
