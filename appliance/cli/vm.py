"""``eastwall vm``: which machines there are, where they are, their policies, what happened to them."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from appliance.cli.live import add_socket
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.live.client import ClientError, ask

_SECOND = 1_000_000_000


def add_parser(commands: Any) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser("vm", help="which machines there are, and what happened to them")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="all machines of the inventory")
    listed.add_argument("--here", action="store_true", help="only those of this host")
    show = actions.add_parser("show", help="a machine's interfaces, where they are, and their policies")
    history = actions.add_parser("history", help="what happened to a machine, also to one that is gone")
    for action in (show, history):
        action.add_argument("vm", metavar="VM", help="name or UUID")
    for action, function in ((listed, _list), (show, _show), (history, _history)):
        add_socket(action)
        action.add_argument("--json", action="store_true", help="everything, for machines")
        action.set_defaults(run=function)


def _ask(args: argparse.Namespace, **more: Any) -> Any:
    """Ask the appliance; None after having said what is wrong, or written all that came with ``--json``."""
    try:
        found = ask(args.socket, {"command": "vm", "action": args.action, **more})
    except ClientError as error:
        print(f"eastwall: {error}", file=sys.stderr)
        return None
    if args.json:
        print(json.dumps(found, indent=2))
    return found


def _list(args: argparse.Namespace) -> int:
    found = _ask(args, here=args.here)
    if found is None:
        return ERROR
    for one in () if args.json else found["machines"]:
        print("  ".join(filter(None, (one["name"], one["uuid"], _where(one), one.get("power", "")))))
    return CLEAN


def _where(one: dict[str, Any]) -> str:
    if one["ports"]:
        return f"at {', '.join(one['ports'])}"
    return f"on {one['host']}" if one.get("host") else ""


def _show(args: argparse.Namespace) -> int:
    found = _ask(args, vm=args.vm)
    if found is None:
        return ERROR
    if args.json:
        return CLEAN
    print("  ".join(filter(None, (found["name"], found["uuid"], found.get("power", ""), _where(found)))))
    for name in ("os", "tags"):
        if found[name]:
            print(f"  {name}: {found[name] if isinstance(found[name], str) else ', '.join(found[name])}")
    if found["quarantined"]:
        print("  in quarantine")
    for one in found["interfaces"]:
        print(f"  {one['name']}: {_interface(one)}")
    for event in found["history"]:
        print(f"  {_event(event)}")
    return CLEAN


def _interface(one: dict[str, Any]) -> str:
    vlan = f"VLAN {one['vlan']}" if one["vlan"] is not None else ""
    port = f"at {one['port']}" if one["port"] else "at no port of this host"
    policy = f"policy {one['policy']} ({one['binding']})" if one["policy"] else "no policy"
    return ", ".join(filter(None, (one["mac"], one["network"], vlan, *one["addresses"], port, policy)))


def _history(args: argparse.Namespace) -> int:
    found = _ask(args, vm=args.vm)
    if found is None:
        return ERROR
    for event in () if args.json else found["events"]:
        print(_event(event))
    return CLEAN


def _event(event: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(event["at"] / _SECOND, UTC).isoformat(timespec="milliseconds")
    words = [f"{key} {event[key]}" for key in ("power", "source", "host", "provider") if event.get(key)]
    changed = ", ".join(event.get("changed", ()))
    return ", ".join(filter(None, (f"{at}  {event['event']}", changed, *words)))
