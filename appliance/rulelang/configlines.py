"""Files of ``config KIND: ...`` lines, as classifications and references are declared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.rulelang.errors import shown
from appliance.rulelang.tree import Position, RuleError

MAX_LINES = 100_000
_MAX_LINE = 2048


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """What lines of one kind look like, and what is said about one that does not."""

    keyword: str
    pattern: re.Pattern[str]
    what: str
    hint: str


def read_lines(text: str, file: str, kind: ConfigLine) -> tuple[list[re.Match[str]], list[RuleError]]:
    """Match every line that is neither empty nor a comment, up to ``MAX_LINES`` of them.

    Returns:
        The matches in the order of the file, and the lines that are none.
    """
    found: list[re.Match[str]] = []
    errors: list[RuleError] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n")[:MAX_LINES], 1):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        match = kind.pattern.fullmatch(line) if len(line) < _MAX_LINE else None
        if match is None:
            reason = f"{shown(line)} is not a {kind.what}"
            errors.append(RuleError(Position(file, number), kind.keyword, reason, kind.hint))
        else:
            found.append(match)
    return found, errors
