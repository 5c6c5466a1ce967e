"""``eastwall cluster publish``: have all hosts that follow put these documents in force."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from appliance.cli.report import print_errors
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.live.publishing import PublishError, publish
from appliance.handoff.document import CredentialsDocument

_WAYS = ("nkey", "creds", "user", "password")


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser("cluster", help="what hosts share: publish policies, rules and inventory")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    out = actions.add_parser("publish", help="send what the appliance file names to all hosts that follow")
    out.add_argument("-c", "--config", metavar="FILE", default="/etc/eastwall/appliance.yaml")
    out.add_argument("--nkey", metavar="FILE", default="", help="be somebody who may publish: a seed")
    out.add_argument("--creds", metavar="FILE", default="", help="the same: JWT and seed")
    out.add_argument("--user", metavar="NAME", default="", help="the same: a user")
    out.add_argument("--password", metavar="FILE", default="", help="and its password")
    out.set_defaults(run=_publish)


def _publish(args: argparse.Namespace) -> int:
    given = {name: getattr(args, name) for name in _WAYS}
    given |= {name: str(Path(given[name]).resolve()) for name in _WAYS if given[name] and name != "user"}
    try:
        credentials = CredentialsDocument(**given) if any(given.values()) else None
        manifest = publish(Path(args.config).resolve(), credentials)
    except ValidationError as error:
        print(f"eastwall: {error.errors()[0]['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        return ERROR
    except PublishError as error:
        print_errors(error.errors)
        return ERROR
    print(f"published: number {manifest.number}, {manifest.size} bytes, SHA-256 {manifest.digest}")
    return CLEAN
