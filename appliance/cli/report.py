"""How errors are shown: where, what, and what to do, one a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from appliance.config.errors import ConfigError
from appliance.rulelang.tree import RuleError


def print_errors(errors: Iterable[ConfigError]) -> None:
    """Write errors to standard error, in the order of files and lines."""
    for error in sorted(errors, key=lambda one: (one.file, one.line, one.column)):
        print(f"eastwall: {error}", file=sys.stderr)


def print_unknown(sets: Iterable[str], unused: Iterable[str]) -> None:
    """Say which names after ``--set`` mean nothing here."""
    given = {text.partition("=")[0].strip() for text in sets}
    for name in unused:
        if name in given:
            print(f"eastwall: --set {name}: nothing here has this name; it changes nothing", file=sys.stderr)


def rule_error_line(error: RuleError) -> str:
    """One refused rule as a line for people."""
    place = f"{error.position.file}:{error.position.line}:{error.position.column}"
    keyword = f" {error.keyword}:" if error.keyword else ""
    sid = f" (sid {error.sid})" if error.sid else ""
    hint = f" ({error.hint})" if error.hint else ""
    return f"{place}:{keyword} {error.reason}{sid}{hint}"


def print_costs(costs: list[dict[str, Any]]) -> None:
    """Print the rules that took most time."""
    if not costs:
        return
    table = Table(title="Costliest rules", title_justify="left")
    for head in ("rule", "message", "checks", "matches", "ms", "share"):
        table.add_column(head, justify="left" if head in {"rule", "message"} else "right")
    for cost in costs:
        table.add_row(
            f"{cost['gid']}:{cost['sid']}",
            escape(cost["msg"]),
            f"{cost['checks']:,}",
            f"{cost['matches']:,}",
            f"{cost['ns'] / 1e6:,.2f}",
            f"{cost['share']:.1%}",
        )
    Console().print(table)
