"""``eastwall run``: protect the VMs of this host until told to stop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from appliance.cli.report import print_errors
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.live.main import StartError, protect

_DESCRIPTION = """\
Stand on the bridges that the appliance file names, and hold their VM interfaces to their policies. The file
is described in docs/running.md. Runs in the foreground; SIGHUP or `eastwall reload` reads everything anew,
SIGTERM stops and leaves the kernel holding what it held."""


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "run",
        help="protect the VMs of this host",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", default="/etc/eastwall/appliance.yaml", help="the appliance file"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until stopped."""
    try:
        protect(Path(args.config).resolve())
    except StartError as error:
        print_errors(error.errors)
        print("eastwall: not started; what the kernel holds was not changed", file=sys.stderr)
        return ERROR
    return CLEAN
