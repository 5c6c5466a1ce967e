"""``threshold.config``: suppressions, thresholds and rate filters kept apart from the rules."""

# Every kind of entry is read by a call of the same shape.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from appliance.rulelang.addresses import ANY_ADDRESS
from appliance.rulelang.context import RuleContext
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.source import MAX_RULE, Source, rules_of
from appliance.rulelang.tree import AddressSet, Position, RuleError
from appliance.rulelang.values import integer, one_of

U32 = (1 << 32) - 1
_TRACK = ("by_src", "by_dst", "by_rule", "by_both", "by_flow")
_ACTIONS = ("alert", "drop", "pass", "reject", "log", "sdrop")


@dataclass(frozen=True, slots=True)
class Suppress:
    """Do not alert. ``track`` is by_src, by_dst, by_either, or "" (always); ``addresses`` whom it is for."""

    position: Position = field(repr=False, compare=False)
    gid: int  # 0: every generator
    sid: int  # 0: every rule of the generator
    track: str = ""
    addresses: AddressSet = ANY_ADDRESS


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Alert only so often; fields as in :class:`tree.Threshold`, whose place in the rule this takes."""

    position: Position = field(repr=False, compare=False)
    gid: int
    sid: int
    kind: str  # limit, threshold, both, backoff
    track: str
    count: int
    seconds: int
    multiplier: int = 0


@dataclass(frozen=True, slots=True)
class RateFilter:
    """Change a rule's action for ``timeout`` seconds once it matched ``count`` times in ``seconds``."""

    position: Position = field(repr=False, compare=False)
    gid: int
    sid: int
    track: str
    count: int
    seconds: int
    new_action: str  # alert, drop, pass, reject
    timeout: int


@dataclass(slots=True)
class ThresholdConfig:
    """What a threshold file says."""

    suppress: list[Suppress] = field(default_factory=list)
    filters: list[EventFilter] = field(default_factory=list)
    rates: list[RateFilter] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)


Entry = Suppress | EventFilter | RateFilter


def parse_thresholds(text: str, file: str, context: RuleContext) -> ThresholdConfig:
    """Read a threshold file; addresses may use the context's variables. Errors name their line."""
    config = ThresholdConfig()
    for source in rules_of(text, file):
        word = source.text.partition(" ")[0].lower()
        try:
            entry = _entry(word, source, context)
        except Refused as refused:
            config.errors.append(RuleError(source.at(0), word[:64], refused.reason, refused.hint))
            continue
        match entry:
            case Suppress():
                config.suppress.append(entry)
            case EventFilter():
                config.filters.append(entry)
            case RateFilter():
                config.rates.append(entry)
    return config


def _entry(word: str, source: Source, context: RuleContext) -> Entry:
    """Read one line."""
    if len(source.text) > MAX_RULE:
        raise Refused(f"the line is longer than {MAX_RULE} characters")
    read = _READERS.get(word)
    if read is None:
        raise Refused(
            f"unknown entry {shown(word)}", did_you_mean(word, _READERS) or f"use {', '.join(_READERS)}"
        )
    found = _pairs(source.text[len(word) :])
    gid, sid = _number(found, "gen_id", 0), _number(found, "sig_id", 0)
    if sid and not gid:
        raise Refused("sig_id with gen_id 0 is no rule", "write gen_id 1")
    entry = read(source.at(0), gid, sid, found, context)
    if found:
        raise Refused(f"unknown option {shown(next(iter(found)))}", f"{word} does not take it")
    return entry


def _pairs(text: str) -> dict[str, str]:
    """Read ``name argument`` pairs; commas inside brackets belong to an address list."""
    found: dict[str, str] = {}
    depth, piece = 0, ""
    for char in f"{text},":
        depth += (char == "[") - (char == "]")
        if char != "," or depth > 0:
            piece += char
            continue
        name, _, argument = piece.strip().partition(" ")
        if not name or not argument.strip():
            raise Refused(
                f"{shown(piece.strip())} is not a name with a value", "write gen_id 1, sig_id 1000, …"
            )
        if name in found:
            raise Refused(f"{name} stands twice")
        found[name], piece = argument.strip(), ""
    if piece:
        raise Refused("'[' is never closed")
    return found


def _take(found: dict[str, str], name: str) -> str:
    """Take an argument that has to be there."""
    if name not in found:
        raise Refused(f"{name} is missing", f"add {name} and its value")
    return found.pop(name)


def _number(found: dict[str, str], name: str, low: int) -> int:
    """Take a number that has to be there."""
    return integer(_take(found, name), low, U32, name)


def _suppress(
    position: Position, gid: int, sid: int, found: dict[str, str], context: RuleContext
) -> Suppress:
    """Read ``suppress``."""
    if "track" not in found and "ip" not in found:
        return Suppress(position, gid, sid)
    track = one_of(_take(found, "track"), ("by_src", "by_dst", "by_either"), "track")
    return Suppress(position, gid, sid, track, context.addresses(_take(found, "ip")))


def _filter(
    position: Position, gid: int, sid: int, found: dict[str, str], context: RuleContext
) -> EventFilter:
    """Read ``threshold`` and ``event_filter``, which are the same."""
    kind = one_of(_take(found, "type"), ("limit", "threshold", "both", "backoff"), "type")
    track = one_of(_take(found, "track"), _TRACK, "track")
    count = _number(found, "count", 1)
    if kind == "backoff":
        if track != "by_flow":
            raise Refused("backoff works by_flow only", "write track by_flow")
        return EventFilter(position, gid, sid, kind, track, count, 0, _number(found, "multiplier", 1))
    return EventFilter(position, gid, sid, kind, track, count, _number(found, "seconds", 1))


def _rate(position: Position, gid: int, sid: int, found: dict[str, str], context: RuleContext) -> RateFilter:
    """Read ``rate_filter``."""
    track = one_of(_take(found, "track"), _TRACK, "track")
    count, seconds = _number(found, "count", 1), _number(found, "seconds", 1)
    action = one_of(_take(found, "new_action"), _ACTIONS, "new_action")
    timeout = _number(found, "timeout", 0)
    return RateFilter(position, gid, sid, track, count, seconds, _PLAIN.get(action, action), timeout)


_PLAIN = MappingProxyType({"sdrop": "drop", "log": "alert"})
_READERS: MappingProxyType[str, Callable[[Position, int, int, dict[str, str], RuleContext], Entry]] = (
    MappingProxyType(
        {"suppress": _suppress, "threshold": _filter, "event_filter": _filter, "rate_filter": _rate}
    )
)
