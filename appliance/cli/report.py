"""How errors are shown: where, what, and what to do, one a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from appliance.config.errors import ConfigError
from appliance.rulelang.tree import RuleError


def print_errors(errors: Iterable[ConfigError]) -> None:
    """Write errors to standard error, in the order of files and lines."""
    for error in sorted(errors, key=lambda one: (one.file, one.line, one.column)):
        print(f"eastwall: {error}", file=sys.stderr)


def rule_error_line(error: RuleError) -> str:
    """One refused rule as a line for people."""
    place = f"{error.position.file}:{error.position.line}:{error.position.column}"
    keyword = f" {error.keyword}:" if error.keyword else ""
    sid = f" (sid {error.sid})" if error.sid else ""
    hint = f" ({error.hint})" if error.hint else ""
    return f"{place}:{keyword} {error.reason}{sid}{hint}"
