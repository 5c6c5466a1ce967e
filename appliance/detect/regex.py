"""The ``pcre`` keyword, with PCRE2 and limits on the work that one match may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pcre2
from typing_extensions import override

from appliance.detect.context import ABORT, NO
from appliance.detect.steps import Step, follow

if TYPE_CHECKING:
    from appliance.config.settings import DetectSettings
    from appliance.detect.context import Context
    from appliance.rulelang.tree import Pcre

# Values of pcre2.h; the module names only some of them.
_DOLLAR_ENDONLY = 0x10
_OPTIONS = {
    "i": pcre2.IGNORECASE,
    "m": pcre2.MULTILINE,
    "s": pcre2.DOTALL,
    "x": pcre2.VERBOSE,
    "E": _DOLLAR_ENDONLY,
}
_INLINE = {"G": b"(?U)", "U": b"(?U)"}
# Bytes of one capture that are kept.
CAPTURE_LIMIT = 1024


class RegexError(ValueError):
    """An expression that PCRE2 refuses."""


def compile_regex(pattern: bytes, flags: str, settings: DetectSettings) -> Any:
    """Compile with the match and depth limits of the settings built in.

    Raises:
        RegexError: the expression is not valid.
    """
    options = 0
    for flag in flags:
        options |= _OPTIONS.get(flag, 0)
    inline = b"".join(_INLINE[flag] for flag in "G" if flag in flags)
    anchor = b"\\G(?:%b)" % pattern if "A" in flags else pattern
    limits = b"(*LIMIT_MATCH=%d)(*LIMIT_DEPTH=%d)" % (settings.pcre_match_limit, settings.pcre_depth_limit)
    try:
        return pcre2.compile(limits + inline + anchor, options)
    except pcre2.PatternError as error:
        raise RegexError(str(error)) from error


class PcreStep(Step):
    """One ``pcre``; a relative one sees the buffer from the cursor on, and nothing before it."""

    __slots__ = ("captures", "negated", "regex")

    def __init__(self, node: Pcre, settings: DetectSettings) -> None:
        """Compile the expression.

        Raises:
            RegexError: the expression is not valid.
        """
        super().__init__()
        self.relative = node.relative
        self.negated: bool = node.negated
        self.captures: tuple[str, ...] = node.captures
        self.regex: Any = compile_regex(node.pattern, node.flags, settings)

    @override
    def run(self, chain: list[Step], index: int, ctx: Context) -> int:
        """Try each match in turn until the rest of the chain holds."""
        start = ctx.cursor if self.relative else 0
        subject = memoryview(ctx.data)[start:] if start else ctx.data
        failed = NO if self.relative else ABORT
        if self.relative and not subject:
            return failed
        found = self._search(subject, 0, ctx)
        if self.negated:
            return follow(chain, index + 1, ctx) if found is None and ctx.final else failed
        while found:
            kept = len(ctx.captures)
            ctx.cursor = start + found.end()
            self._capture(found, ctx)
            result = follow(chain, index + 1, ctx)
            if result != NO or not self.retry:
                return result
            del ctx.captures[kept:]
            if found.start() >= len(subject):
                break
            found = self._search(subject, found.start() + 1, ctx)
        return failed

    def _search(self, subject: bytes | memoryview, start: int, ctx: Context) -> Any:
        """Give the match, None if there is none, False if finding out costs too much."""
        try:
            return self.regex.search(subject, start)
        except pcre2.LibraryError:
            ctx.count("detect.pcre_limit")
            return False

    def _capture(self, found: Any, ctx: Context) -> None:
        """Keep the groups that the rule names."""
        for group, name in enumerate(self.captures, 1):
            value = found.group(group) if group <= self.regex.groups else None
            if value is not None:
                ctx.captures.append((name, value[:CAPTURE_LIMIT]))
