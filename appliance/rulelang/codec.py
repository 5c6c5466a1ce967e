"""Parsed rules as plain tuples and back, so that they can be kept between runs.

Only numbers, text, bytes, None and tuples of them are written, and only the classes listed here are made:
what is read back can be wrong, but it is nothing else than rules.
"""

from __future__ import annotations

import marshal
from dataclasses import fields
from typing import Any

from appliance.rulelang import tree
from appliance.rulelang.context import ParseResult, Skipped
from appliance.rulelang.tree import AddressSet, PortSet, Position, Rule, RuleError

# Raise it when an entry of the same source text would be read differently.
FORM = 1
_MARSHAL = 4

_OPTIONS: tuple[type, ...] = tree.Option.__args__
_NUMBERS = {kind: number for number, kind in enumerate(_OPTIONS)}
_NAMES = tuple(tuple(one.name for one in fields(kind) if one.name != "position") for kind in _OPTIONS)
_RULE = tuple(one.name for one in fields(Rule))
_ENDS = ("source", "source_ports", "destination", "destination_ports")
_PLACES = tuple(_RULE.index(name) for name in _ENDS)
_OPTIONS_PLACE = _RULE.index("options")

# What damage of an entry, or an entry of another release, can lead to.
_DAMAGE = (ValueError, EOFError, TypeError, IndexError, KeyError)


def encode(result: ParseResult) -> bytes:
    """Write what parsing one file gave."""
    shared: dict[AddressSet | PortSet, int] = {}
    body = (
        tuple(_write_rule(rule, shared) for rule in result.rules),
        tuple((_place(one.position), one.keyword, one.reason, one.hint, one.sid) for one in result.errors),
        tuple((_place(one.position), one.sid, one.reason) for one in result.skipped),
        tuple((isinstance(one, AddressSet), one.ranges, one.any) for one in shared),
    )
    return marshal.dumps((FORM, body), _MARSHAL)


def decode(data: bytes, file: str) -> ParseResult | None:
    """Read what :func:`encode` wrote of ``file``; None when it is not that."""
    try:
        form, body = marshal.loads(data)  # noqa: S302 - plain values, from an entry whose hash was checked
        return _read(body, file) if form == FORM else None
    except _DAMAGE:
        return None


def _place(position: Position) -> tuple[int, int]:
    return position.line, position.column


def _write_rule(rule: Rule, shared: dict[AddressSet | PortSet, int]) -> tuple[Any, ...]:
    values = [getattr(rule, name) for name in _RULE]
    values[0] = _place(rule.position)
    for place in _PLACES:
        values[place] = shared.setdefault(values[place], len(shared))
    values[_OPTIONS_PLACE] = tuple(_write_option(option) for option in rule.options)
    return tuple(values)


def _write_option(option: Any) -> tuple[Any, ...]:
    number = _NUMBERS[type(option)]
    values = (getattr(option, name) for name in _NAMES[number])
    return (number, option.position.line, option.position.column, *values)


def _read(body: Any, file: str) -> ParseResult:
    rules, errors, skipped, tables = body
    shared = [AddressSet(ranges, any_) if first else PortSet(ranges, any_) for first, ranges, any_ in tables]
    return ParseResult(
        [_read_rule(one, file, shared) for one in rules],
        [RuleError(Position(file, *place), *rest) for place, *rest in errors],
        [Skipped(Position(file, *place), *rest) for place, *rest in skipped],
    )


def _read_rule(entry: tuple[Any, ...], file: str, shared: list[AddressSet | PortSet]) -> Rule:
    values = list(entry)
    values[0] = Position(file, *entry[0])
    for place in _PLACES:
        values[place] = shared[entry[place]]
    values[_OPTIONS_PLACE] = tuple(
        [_OPTIONS[one[0]](*one[3:], position=Position(file, one[1], one[2])) for one in entry[_OPTIONS_PLACE]]
    )
    return Rule(*values)
