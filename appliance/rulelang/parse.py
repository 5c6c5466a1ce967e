"""Rule text in, rules and errors out: the entry of this package."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from appliance.rulelang.context import ParseResult, RuleContext, Skipped
from appliance.rulelang.describe import UNKNOWN_CLASS
from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.header import parse_header
from appliance.rulelang.keyword import MUST, NO
from appliance.rulelang.registry import KEYWORDS
from appliance.rulelang.requires import unmet
from appliance.rulelang.source import MAX_RULE, Source, rules_of
from appliance.rulelang.tree import Position, Rule, RuleError
from appliance.rulelang.validate import Conflict, check

MAX_OPTIONS = 1024
MAX_FILE_ERRORS = 100_000

# One option: keyword, argument, offset of the keyword and of the argument.
RawOption = tuple[str, str, int, int]


def parse_file(text: str, file: str, context: RuleContext) -> ParseResult:
    """Read all rules of a file.

    ``text`` comes from :func:`source.decode_rules`, so that contents keep their bytes; ``file`` is for
    messages.
    Of rules with one sid and gid the highest revision stays.
    """
    result = ParseResult()
    for source in rules_of(text, file):
        _file_away(_parse(source, context), result)
    return merge((result,))


def _file_away(outcome: Rule | RuleError | Skipped, result: ParseResult) -> None:
    """Put an outcome where it belongs."""
    if isinstance(outcome, Rule):
        result.rules.append(outcome)
    elif isinstance(outcome, Skipped):
        result.skipped.append(outcome)
    elif len(result.errors) < MAX_FILE_ERRORS:
        result.errors.append(outcome)


def merge(results: Iterable[ParseResult]) -> ParseResult:
    """Join the rules of several files.

    Of rules with the same sid and gid the highest revision stays, in the place of the first; an equal or
    lower revision coming later is an error.
    """
    out = ParseResult()
    at: dict[tuple[int, int], int] = {}
    for result in results:
        out.errors += result.errors
        out.skipped += result.skipped
        for rule in result.rules:
            key = (rule.gid, rule.sid)
            if key not in at:
                at[key] = len(out.rules)
                out.rules.append(rule)
            elif rule.rev > out.rules[at[key]].rev:
                out.rules[at[key]] = rule
            elif rule is not out.rules[at[key]]:
                out.errors.append(_duplicate(rule, out.rules[at[key]]))
    return out


def _duplicate(rule: Rule, first: Rule) -> RuleError:
    """Say that a rule was there before."""
    where = f"{first.position.file}:{first.position.line}"
    return RuleError(
        rule.position,
        "sid",
        f"sid {rule.sid} (gid {rule.gid}) is taken by the rule at {where} with revision {first.rev}",
        "give it another sid, or a higher rev to replace that rule",
        rule.sid,
    )


def parse_rule(text: str, position: Position, context: RuleContext) -> Rule | RuleError | Skipped:
    """Read one rule that begins at ``position``; a rule whose ``requires`` is not met is ``Skipped``."""
    return _parse(Source(text.strip(), position.file, position.line, position.column), context)


def _parse(source: Source, context: RuleContext) -> Rule | RuleError | Skipped:
    """Read one rule; every refusal becomes a value here."""
    at, keyword, sid = 0, "", 0
    try:
        head, raw = _open(source)
        sid = _sid(raw)
        for name, value, offset, _ in raw:
            if name == "requires":
                keyword, at = name, offset
                if reason := unmet(value, context):
                    return Skipped(source.at(0), sid, reason)
        at, keyword = 0, ""
        draft = Draft(source, context, parse_header(head, context))
        for option in raw:
            keyword, at = option[0], option[2]
            _read(draft, option)
        at, keyword = 0, ""
        check(draft)
        return _finish(draft)
    except Conflict as conflict:
        return RuleError(conflict.position, conflict.keyword, conflict.reason, conflict.hint, sid)
    except Refused as refused:
        return RuleError(source.at(max(refused.at, at)), keyword, refused.reason, refused.hint, sid)


def _sid(raw: list[RawOption]) -> int:
    """Find the sid early, so that every message can name it."""
    for name, value, _, _ in reversed(raw):
        if name == "sid" and value.isascii() and value.isdigit() and len(value) < 11:
            return int(value)
    return 0


def _open(source: Source) -> tuple[str, list[RawOption]]:
    """Take a rule apart into its header and its options."""
    text = source.text
    if len(text) > MAX_RULE:
        raise Refused(f"the rule is longer than {MAX_RULE} characters")
    start = text.find("(")
    if start < 0:
        raise Refused("the rule has no options", "write: action protocol … ( options )")
    end = len(text)
    while end > start and (text[end - 1] == ")" or text[end - 1].isspace()):
        end -= 1
    if ")" not in text[end:]:
        raise Refused("the rule does not end with ')'", "put ');' … ')' at its end", at=len(text) - 1)
    return text[:start], _split(text, start + 1, end)


def _split(text: str, start: int, end: int) -> list[RawOption]:
    """Split options at ';' outside backslash escapes."""
    raw: list[RawOption] = []
    while start < end:
        stop = text.find(";", start, end)
        while stop > start and text[stop - 1] == "\\":
            stop = text.find(";", stop + 1, end)
        if stop < 0:
            if text[start:end].strip():
                raise Refused(
                    "the last option does not end with ';'", "put ';' before the ')'", _skip(text, start, end)
                )
            break
        if len(raw) >= MAX_OPTIONS:
            raise Refused(f"more than {MAX_OPTIONS} options", at=start)
        raw.append(_option(text, start, stop))
        start = stop + 1
    return raw


def _skip(text: str, start: int, end: int) -> int:
    """Find the first character that is no blank."""
    while start < end and text[start].isspace():
        start += 1
    return start


def _option(text: str, start: int, stop: int) -> RawOption:
    """Take one option apart."""
    if text[start] == " ":
        start += 1
    if start < stop and text[start].isspace():
        start = _skip(text, start, stop)
    colon = text.find(":", start, stop)
    if colon < 0:
        name = text[start:stop].rstrip()
        if not name:
            raise Refused("an option without a name", "remove the extra ';'", start)
        return name, "", start, stop
    first = colon + 1
    value = text[first:stop]
    stripped = value.strip()
    if len(stripped) != len(value):
        first += len(value) - len(value.lstrip())
    return text[start:colon].rstrip(), stripped, start, first


def _read(draft: Draft, option: RawOption) -> None:
    """Read one option into the draft."""
    name, value, at, value_at = option
    keyword = KEYWORDS.get(name)
    if keyword is None:
        raise _unknown(name)
    if value:
        if keyword.argument == NO:
            raise Refused(f"{name} takes no argument", f"write {name};")
    elif keyword.argument == MUST:
        raise Refused(f"{name} needs an argument", f"write {name}:{keyword.syntax};")
    draft.at = at
    draft.name = name
    try:
        keyword.read(draft, keyword, value)
    except Refused as refused:
        if refused.at < 0:
            raise
        raise Refused(refused.reason, refused.hint, value_at + refused.at) from None
    if keyword.name not in draft.keywords:
        draft.keywords[keyword.name] = at


@lru_cache(maxsize=1024)  # an unknown keyword tends to stand in many rules
def _hint(name: str) -> str:
    """Suggest a keyword."""
    return did_you_mean(name, KEYWORDS) or "docs/rules.md lists all keywords"


def _unknown(name: str) -> Refused:
    """Say that a keyword is unknown, and what may have been meant."""
    if name.lower() in KEYWORDS:
        return Refused(f"unknown keyword {shown(name)}", "keywords are lower case")
    if len(name) > 40 or not name.replace("_", "").replace(".", "").replace("-", "").isalnum():
        return Refused(
            f"{shown(name)} is not a keyword",
            "is there a ';' inside quotes before it? write it as \\; or |3B|",
        )
    return Refused(f"unknown keyword {shown(name)}", _hint(name))


def _finish(draft: Draft) -> Rule:
    """Make the rule."""
    header = draft.header
    category, priority = "", 3
    if draft.classtype:
        category, priority = draft.context.classifications.get(draft.classtype, UNKNOWN_CLASS)
    return Rule(
        draft.source.at(0),
        draft.source.text,
        header.action,
        header.protocol,
        header.source,
        header.source_ports,
        header.direction,
        header.destination,
        header.destination_ports,
        draft.options(),
        header.hook,
        draft.sid,
        draft.gid,
        draft.rev,
        draft.msg,
        draft.classtype,
        category,
        draft.priority or priority,
        tuple(draft.references),
        tuple(draft.metadata),
        draft.noalert,
        draft.bypass,
        draft.prefilter,
        draft.target,
        draft.alert,
    )
