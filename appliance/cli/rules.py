"""``eastwall rules``: which rules of a file load, and which vulnerabilities they patch virtually."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from appliance.cli.options import add_settings, inputs_of
from appliance.cli.report import print_errors, rule_error_line
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.assemble import read_documents
from appliance.daemon.ruleload import LoadedFile
from appliance.rulelang.patches import document, patches, product

_SHOWN = 5  # costly rules of a file that are printed


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
    _add_patches(actions)


def _add_patches(actions: Any) -> None:
    parser = actions.add_parser(
        "patches",
        help="list the vulnerabilities that rules patch virtually",
        description="List the vulnerabilities whose exploits the rules stop, from the rules' metadata.",
        epilog="Exit status: 0 listed, 2 some rules are refused or a file cannot be read.",
    )
    parser.add_argument("rules", nargs="+", metavar="FILE", help="rule file or folder")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="result as JSON on standard output")
    form.add_argument("--markdown", action="store_true", help="result as a page of documentation")
    add_settings(parser)
    parser.set_defaults(run=list_patches, policy=[], inventory="", cache_dir="", no_cache=True)


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


def list_patches(args: argparse.Namespace) -> int:
    """List the virtual patches."""
    documents = read_documents(inputs_of(args))
    print_errors(documents.errors)
    ruleset = documents.rules.ruleset
    found = patches(one.rule for one in ruleset.signatures) if ruleset is not None else []
    if args.json:
        print(json.dumps({"patches": [asdict(one) for one in found]}, indent=2))
    elif args.markdown:
        print(document(found), end="")
    else:
        for one in found:
            products = ", ".join(product(affected) for affected in one.products)
            print(f"{one.cvss:4.1f}  {', '.join(one.names)}  {products}, fixed in {one.fixed_in}")
    return ERROR if documents.errors or documents.rules.refused else CLEAN


def _print(one: LoadedFile) -> None:
    skipped = f", {one.skipped} not for this engine" if one.skipped else ""
    print(f"{one.path}: {one.loaded} loaded, {len(one.refused)} refused{skipped}")
    for error in one.refused:
        print(f"  {rule_error_line(error)}")
    for costly in one.costly[:_SHOWN]:
        print(f"  costly: line {costly.line}, sid {costly.sid}: {costly.why}")
    if len(one.costly) > _SHOWN:
        print(f"  costly: {len(one.costly) - _SHOWN} more (--json lists them)")


def _as_json(one: LoadedFile) -> dict[str, Any]:
    refused = [
        {"line": error.position.line, "sid": error.sid, "keyword": error.keyword, "reason": error.reason}
        for error in one.refused
    ]
    costly = [{"line": rule.line, "sid": rule.sid, "why": rule.why} for rule in one.costly]
    counts = {"loaded": one.loaded, "skipped": one.skipped}
    return {"path": one.path, **counts, "refused": refused, "costly": costly}
