"""The ``eastwall`` command: chooses a subcommand and turns its errors into messages."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from appliance.capture.base import CaptureError
from appliance.cli import capture, check, cluster, explain, handoff, hosts, live, replay, rules, run, top, vm
from appliance.cli.status import ERROR, INTERRUPTED
from appliance.sinks.eve import SinkError

Command = Callable[[argparse.Namespace], int]


def _version() -> str:
    try:
        return version("eastwall")
    except PackageNotFoundError:
        return "unpackaged"


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="eastwall",
        description="Firewall and intrusion prevention for virtual machines, from outside them.",
    )
    parser.add_argument("--version", action="version", version=f"eastwall {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (run, live, handoff, vm, hosts, cluster, top, capture, replay, explain, check, rules):
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status (see ``docs/cli.md``)."""
    args = build_parser().parse_args(argv)
    command: Command = args.run
    try:
        return command(args)
    except (CaptureError, SinkError) as error:
        print(f"eastwall: {error}", file=sys.stderr)
        return ERROR
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"eastwall: {where}{error.strerror or error}", file=sys.stderr)
        return ERROR


if __name__ == "__main__":
    sys.exit(main())
