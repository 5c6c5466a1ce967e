"""``eastwall rules check``: which rules of a file load, which are refused and why."""

from __future__ import annotations

import argparse
import json
from typing import Any

from appliance.cli.options import add_settings, inputs_of
from appliance.cli.report import print_errors, rule_error_line
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.assemble import read_documents
from appliance.daemon.ruleload import LoadedFile


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser("rules", help="work with rule files", description="Work with rule files.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="load rule files and say what was refused",
        description="Load rule files as the appliance would; say what was loaded, what was refused and why.",
        epilog="Exit status: 0 all rules load, 2 some are refused or a file cannot be read.",
    )
    check.add_argument("rules", nargs="+", metavar="FILE", help="rule file or folder")
    check.add_argument("--json", action="store_true", help="result as JSON on standard output")
    check.add_argument("--cache-dir", metavar="DIR", default="", help="compiled rules are kept here")
    check.add_argument("--no-cache", action="store_true", help="compile rules anew, keep nothing")
    add_settings(check)
    check.set_defaults(run=run, policy=[], inventory="")


def run(args: argparse.Namespace) -> int:
    """Check the rule files."""
    documents = read_documents(inputs_of(args))
    print_errors(documents.errors)
    files = documents.rules.files
    if args.json:
        print(json.dumps({"files": [_as_json(one) for one in files]}, indent=2))
    else:
        for one in files:
            _print(one)
    return ERROR if documents.errors or documents.rules.refused else CLEAN


def _print(one: LoadedFile) -> None:
    skipped = f", {one.skipped} not for this engine" if one.skipped else ""
    print(f"{one.path}: {one.loaded} loaded, {len(one.refused)} refused{skipped}")
    for error in one.refused:
        print(f"  {rule_error_line(error)}")


def _as_json(one: LoadedFile) -> dict[str, Any]:
    refused = [
        {"line": error.position.line, "sid": error.sid, "keyword": error.keyword, "reason": error.reason}
        for error in one.refused
    ]
    return {"path": one.path, "loaded": one.loaded, "skipped": one.skipped, "refused": refused}
