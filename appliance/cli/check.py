"""``eastwall check``: are policies, inventory, rules and settings right, together?"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from appliance.cli.options import add_policy, add_settings, inputs_of
from appliance.cli.report import print_errors, print_unknown, rule_error_line
from appliance.cli.status import CLEAN, ERROR
from appliance.daemon.assemble import Documents, read_documents


def add_parser(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "check",
        help="validate policies, inventory, rules and settings together",
        description="Read all documents as the appliance would and print every error. Nothing is applied.",
        epilog="Exit status: 0 all is right, 2 something is wrong (a refused rule counts).",
    )
    parser.add_argument("--json", action="store_true", help="result as JSON on standard output")
    add_policy(parser)
    add_settings(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the documents."""
    documents = read_documents(inputs_of(args))
    if args.json:
        print(json.dumps(_as_json(documents), indent=2))
    else:
        print_errors(documents.errors)
        print_unknown(args.sets, _unused(documents))
        for error in documents.rules.refused:
            print(f"eastwall: {rule_error_line(error)}", file=sys.stderr)
        print(_verdict(documents))
    return ERROR if documents.errors or documents.rules.refused else CLEAN


def _unused(documents: Documents) -> tuple[str, ...]:
    return documents.settings.unused if documents.settings is not None else ()


def _verdict(documents: Documents) -> str:
    parts = [f"{documents.rules.loaded} rules"]
    if documents.inventory is not None:
        parts.append(f"{len(documents.inventory.interfaces)} VM interfaces")
    if documents.bound is not None:
        parts.append(f"{len({policy.name for policy in documents.bound.policies})} policies in use")
    problems = len(documents.errors) + len(documents.rules.refused)
    return f"{', '.join(parts)}: " + (f"{problems} problems" if problems else "all is right")


def _as_json(documents: Documents) -> dict[str, Any]:
    return {
        "errors": [
            {
                "file": error.file,
                "line": error.line,
                "column": error.column,
                "field": error.field,
                "message": error.message,
                "hint": error.hint,
            }
            for error in documents.errors
        ],
        "refused_rules": [
            {
                "file": error.position.file,
                "line": error.position.line,
                "column": error.position.column,
                "keyword": error.keyword,
                "sid": error.sid,
                "reason": error.reason,
                "hint": error.hint,
            }
            for error in documents.rules.refused
        ],
        "rules": documents.rules.loaded,
        "unused_settings": list(_unused(documents)),
    }
