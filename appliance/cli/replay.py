"""``eastwall replay``: what would the appliance have done with this capture?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from appliance.capture.base import Frame
from appliance.capture.loop import pump
from appliance.capture.pcap import PcapSource
from appliance.cli.options import add_policy, add_settings, inputs_of
from appliance.cli.report import print_costs, print_errors, print_unknown
from appliance.cli.status import ALERTED, BLOCKED, CLEAN, ERROR
from appliance.daemon.assemble import make_engine, read_documents
from appliance.daemon.memory import settle
from appliance.daemon.outputs import eve_writers, file_store
from appliance.daemon.state import save_datasets
from appliance.engine.engine import Engine
from appliance.model.event import Event
from appliance.model.verdict import Decision, Verdict
from appliance.sinks.eve import EveWriter
from appliance.sinks.filestore import FileStore
from appliance.sinks.summary import Summary

_REFRESH_FRAMES = 2048
_TOP_RULES = 20
_DESCRIPTION = """\
Run captures through the engine that protects VMs, with your policies, inventory and rules, and report what
it would have let through, blocked and alerted on. Without a policy everything is allowed and inspected."""
_EPILOG = """\
exit status: 0 nothing to report or findings not asked for, 1 rules matched, 2 error, 3 blocked.
Findings (1 and 3) are reported when a policy is given or with --exit-code; otherwise a replay that
worked ends with 0."""


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "replay",
        help="what would the appliance have done with a capture",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "captures", nargs="+", metavar="CAPTURE", help="pcap or pcapng file, folder, or - for stdin"
    )
    parser.add_argument("--eve", metavar="FILE", default="", help="write events as EVE JSON lines")
    parser.add_argument(
        "--bpf", metavar="FILTER", default="", help="only packets that pass this capture filter"
    )
    parser.add_argument("--json", action="store_true", help="summary as JSON on standard output")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress, no summary")
    parser.add_argument(
        "--exit-code", action="store_true", help="exit status tells findings, also without a policy"
    )
    parser.add_argument("--profile-rules", action="store_true", help="show the rules that cost most")
    add_policy(parser)
    add_settings(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay the captures."""
    documents = read_documents(inputs_of(args))
    if documents.errors or documents.settings is None:
        print_errors(documents.errors)
        return ERROR
    print_unknown(args.sets, documents.settings.unused)
    refused = len(documents.rules.refused)
    if refused and args.quiet:  # a summary says it
        print(f"eastwall: {refused:,} rules were not used: see `eastwall check`", file=sys.stderr)
    source = PcapSource(args.captures, args.bpf)
    clock = time.perf_counter_ns if args.profile_rules else None
    engine = make_engine(documents, clock, recorded=bool(args.eve))
    summary = Summary(ignored_rules=refused)
    writers: list[EveWriter | FileStore] = [*eve_writers(documents, args.eve)]
    store = file_store(documents, args.eve, engine)
    if store is not None:
        writers.insert(0, store)
    settle()
    started = time.perf_counter_ns()
    try:
        _replay(engine, source, summary, writers, show=not (args.quiet or args.json))
    finally:
        for writer in writers:
            writer.close()
        print_errors(save_datasets(documents.rules.ruleset, documents.settings.detect))
    costs = engine.rule_costs(_TOP_RULES, time.perf_counter_ns() - started)
    _tell(args, engine, source, summary, documents.settings.unused, costs)
    if any(problem.offset == 0 for problem in source.problems):
        return ERROR  # a file that is no capture at all
    return _status(summary, asked=bool(args.policy) or args.exit_code)


def _replay(
    engine: Engine, source: PcapSource, summary: Summary, writers: list[EveWriter | FileStore], *, show: bool
) -> None:
    def report(frame: Frame | None, decision: Decision | None, events: list[Event]) -> None:
        if frame is not None and decision is not None:
            summary.frame(frame.wirelen, frame.now, decision)
            for writer in writers if events else ():
                writer.context.capture_file = source.path
                writer.context.interface = frame.interface or ""
        for event in events:
            summary.event(event)
            for writer in writers:
                writer.write(event)

    pump(source, engine, report, _with_progress(source, show=show))


def _with_progress(source: PcapSource, *, show: bool) -> Iterator[Frame]:
    """Pass the frames on; on a terminal a bar shows how much of the files has been read."""
    if not show or not sys.stderr.isatty():
        yield from source
        return
    sizes = {path: Path(path).stat().st_size for path in source.paths if path != "-"}
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replay", total=sum(sizes.values()) or None)
        for frame in source:
            if frame.number % _REFRESH_FRAMES == 0:
                progress.update(task, completed=source.position, description=Path(source.path).name)
            yield frame


def _tell(
    args: argparse.Namespace,
    engine: Engine,
    source: PcapSource,
    summary: Summary,
    unused: tuple[str, ...],
    costs: list[dict[str, Any]],
) -> None:
    """Print what came of it: the summary, the costliest rules, what went wrong with captures."""
    for problem in source.problems:
        print(f"eastwall: {problem.path}: at byte {problem.offset}: {problem.what}", file=sys.stderr)
    summary.problems = list(source.problems)
    if args.json:
        body = summary.as_json() | {"unused_settings": list(unused), "counters": engine.counters()}
        print(json.dumps(body | {"rule_costs": costs} if args.profile_rules else body, indent=2))
    elif not args.quiet:
        summary.render(Console())
        print_costs(costs)
        if unused:
            print(f"{len(unused)} settings of that file have no meaning here (--json lists them)")


def _status(summary: Summary, *, asked: bool) -> int:
    if not asked:
        return CLEAN
    if summary.verdicts[Verdict.DROP] or summary.verdicts[Verdict.REJECT]:
        return BLOCKED
    return ALERTED if summary.alerts() else CLEAN
