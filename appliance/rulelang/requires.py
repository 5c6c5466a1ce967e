"""``requires``: is a rule for this release, with these features and keywords?"""

from __future__ import annotations

import re

from appliance.rulelang.context import RuleContext
from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.registry import KEYWORDS

_VERSION = re.compile(r"(>=|<=|>|<)\s*(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?(?:-[A-Za-z0-9.]{1,20})?\s*")


def unmet(value: str, context: RuleContext) -> str:
    """Say why the requirement is not met, "" when it is.

    Raises:
        Refused: it cannot be read.
    """
    for piece in value.split(","):
        kind, _, what = piece.strip().partition(" ")
        what = what.strip()
        if not kind:
            raise Refused("empty requirement", "write requires:version >= 8.0.0, feature ja4")
        if kind == "version":
            if not _version(what, context):
                return f"needs version {what}, this is {'.'.join(map(str, context.version))}"
        elif kind == "feature":
            if what not in context.features:
                return f"needs feature {what[:64]}"
        elif kind == "keyword":
            known = KEYWORDS.get(what)
            if known is None or known.kind == "refused":
                return f"needs keyword {what[:64]}"
        else:  # a requirement of a later release cannot be met
            return f"needs {shown(piece.strip())}"
    return ""


def _version(text: str, context: RuleContext) -> bool:
    """Test alternatives joined by ``|``, each one or more comparisons."""
    held = [_all(alternative.strip(), context) for alternative in text.split("|")]  # so that all are checked
    return any(held)


def _all(text: str, context: RuleContext) -> bool:
    """Test comparisons that have to hold together."""
    at, held = 0, True
    if not text:
        raise Refused("no version to compare with", "write requires:version >= 8.0.0")
    while at < len(text):
        match = _VERSION.match(text, at)
        if match is None:
            raise Refused(f"{shown(text)} is not a version", "write requires:version >= 8.0.0 < 9")
        at = match.end()
        wanted = (int(match[2]), int(match[3] or 0), int(match[4] or 0))
        operator, have = match[1], context.version
        held &= {">=": have >= wanted, "<=": have <= wanted, ">": have > wanted, "<": have < wanted}[operator]
    return held
