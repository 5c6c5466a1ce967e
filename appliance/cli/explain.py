"""``eastwall explain``: one packet through the real engine, with every stage's decision."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from appliance.cli.describe import GRAMMAR, Description, DescriptionError, parse_description
from appliance.cli.frame import build_frame, handshake
from appliance.cli.options import add_policy, add_settings, inputs_of
from appliance.cli.report import print_errors, print_unknown
from appliance.cli.status import BLOCKED, CLEAN, ERROR
from appliance.daemon.assemble import make_engine, read_documents
from appliance.engine.engine import Engine
from appliance.engine.work import Result, Trace
from appliance.inventory.inventory import Inventory
from appliance.model.verdict import Verdict

_ETHERNET = 1
_NOON = 1_790_000_000_000_000_000  # any moment will do, unless --at names one
_STEP = 1_000_000
_LAST = 0xFFFF_FFFF
_SEQ, _ACK = 1000, 2000


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "explain",
        help="what happens to one described packet, stage by stage",
        description="Send one described packet through the engine and show each stage's decision.",
        epilog=f"PACKET: {GRAMMAR}. Exit status: 0 let through, 2 error, 3 blocked.",
    )
    parser.add_argument(
        "packet", metavar="PACKET", help="for instance 'tcp 10.0.0.5:40000 -> vm:web-1:443 flags S'"
    )
    parser.add_argument(
        "--at", metavar="SECONDS", type=_moment, default=0, help="time of the packet, since the epoch"
    )
    add_policy(parser)
    add_settings(parser)
    parser.set_defaults(run=run)


def _moment(text: str) -> int:
    """Read seconds since the epoch, as many as a time stamp in nanoseconds holds."""
    seconds = int(text)
    if not 0 <= seconds <= _LAST:
        raise ValueError(text)
    return seconds


def run(args: argparse.Namespace) -> int:
    """Explain the packet."""
    inputs = inputs_of(args)
    documents = read_documents(inputs)
    if documents.errors:
        print_errors(documents.errors)
        return ERROR
    print_unknown(args.sets, documents.settings.unused if documents.settings is not None else ())
    try:
        described = parse_description(args.packet, documents.inventory or Inventory())
    except DescriptionError as error:
        print(f"eastwall: {error}", file=sys.stderr)
        return ERROR
    trace = Trace()
    result = _send(make_engine(documents, recorded=False), described, args.at * 1_000_000_000 or _NOON, trace)
    _show(args.packet, result, trace)
    return BLOCKED if result.decision.verdict > Verdict.ACCEPT else CLEAN


def _send(engine: Engine, described: Description, now: int, trace: Trace) -> Result:
    """Send the packet, after a silent handshake when it is to be part of a connection."""
    number = 1
    if described.established:
        for frame in handshake(described):
            engine.process(frame, _ETHERNET, now, number)
            number, now = number + 1, now + _STEP
        frame = build_frame(described, _SEQ, _ACK)
    else:
        frame = build_frame(described)
    return engine.process(frame, _ETHERNET, now, number, -1, trace)


def _show(packet: str, result: Result, trace: Trace) -> None:
    table = Table("stage", "decision", "why", title=packet, title_justify="left", header_style="bold")
    for line in trace.lines:
        table.add_row(*line)
    console = Console()
    console.print(table)
    decision = result.decision
    by = f" by {decision.by}" if decision.by else ""
    blocked = decision.verdict > Verdict.ACCEPT
    reason = f" ({decision.reason.value})" if blocked else ""
    console.print(f"[bold]{decision.verdict.name.lower()}[/]{reason}{by}", highlight=False)
