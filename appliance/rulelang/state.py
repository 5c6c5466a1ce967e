"""Options about the flow, what is remembered of it, and how often a rule may alert."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from types import MappingProxyType

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.tree import Bits, FlowInt, FlowOption, StreamSize, Tag, Threshold
from appliance.rulelang.values import bare, integer, items, one_of, try_integer

U32 = (1 << 32) - 1

# word -> (field, value)
_FLOW: MappingProxyType[str, tuple[str, str | bool]] = MappingProxyType(
    {
        "to_server": ("direction", "to_server"),
        "from_client": ("direction", "to_server"),
        "to_client": ("direction", "to_client"),
        "from_server": ("direction", "to_client"),
        "established": ("established", True),
        "not_established": ("established", False),
        "stateless": ("stateless", True),
        "only_stream": ("only_stream", True),
        "no_stream": ("only_stream", False),
        "only_frag": ("only_frag", True),
        "no_frag": ("only_frag", False),
    }
)
_COMMANDS = ("set", "unset", "toggle", "isset", "isnotset", "noalert")
_NAME = re.compile(r"[^\s,|;][^,|;]{0,255}")
_FLOWINT = ("+", "-", "=", "==", "!=", "<", "<=", ">", ">=", "isset", "notset", "isnotset")


def read_flow(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``flow``."""
    found: dict[str, str | bool] = {}
    for word in items(value.lower()):
        if word not in _FLOW:
            raise Refused(
                f"unknown flow option {shown(word)}",
                did_you_mean(word, _FLOW) or f"known: {', '.join(_FLOW)}",
            )
        field, setting = _FLOW[word]
        if field in found:
            same = "stands twice" if found[field] == setting else "contradicts an earlier word"
            raise Refused(f"flow option {word} {same}")
        found[field] = setting
    if "stateless" in found and "established" in found:
        raise Refused("stateless contradicts established and not_established")
    if keyword.name in draft.keywords:
        raise Refused("flow stands twice", "join the two with a comma")
    direction, established = found.get("direction", ""), found.get("established")
    stream, frag = found.get("only_stream"), found.get("only_frag")
    draft.add(
        FlowOption(
            str(direction),
            None if established is None else bool(established),
            "stateless" in found,
            None if stream is None else bool(stream),
            None if frag is None else bool(frag),
            position=draft.position,
        )
    )


def _names(text: str) -> tuple[str, ...]:
    """Read names joined by ``|``."""
    names = tuple(name.strip() for name in text.split("|"))
    for name in names:
        if not _NAME.fullmatch(name):
            raise Refused(f"{shown(name)} cannot be the name of a bit")
    return names


def _bits(draft: Draft, keyword: Keyword, value: str) -> tuple[str, tuple[str, ...], list[str]] | None:
    """Read command and names; None for ``noalert``, which only silences the rule."""
    pieces = items(bare(value))
    command = one_of(pieces[0], _COMMANDS, f"{keyword.name} command")
    if command == "noalert":
        if len(pieces) > 1:
            raise Refused("noalert takes no name")
        draft.noalert = True
        return None
    if len(pieces) < 2 or not pieces[1]:
        raise Refused(f"{keyword.name}:{command} names no bit", f"write {keyword.name}:{command},name")
    names = _names(pieces[1])
    if len(names) > 1 and command not in {"isset", "isnotset"}:
        raise Refused(f"{command} takes one name", "'|' is for isset and isnotset")
    return command, names, pieces[2:]


def read_flowbits(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``flowbits:command,name``."""
    parts = _bits(draft, keyword, value)
    if parts is None:
        return
    command, names, rest = parts
    if rest:
        raise Refused(f"{shown(rest[0])} does not belong to flowbits")
    draft.add(Bits(keyword.name, command, names, position=draft.position))


def read_hostbits(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``hostbits:command,name[,src|dst|both]``."""
    parts = _bits(draft, keyword, value)
    if parts is None:
        return
    command, names, rest = parts
    track = one_of(rest[0], ("src", "dst", "both"), "direction") if rest else "src"
    draft.add(Bits(keyword.name, command, names, track, position=draft.position))


def read_xbits(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``xbits:command,name,track ip_src[,expire seconds]``."""
    parts = _bits(draft, keyword, value)
    if parts is None:
        return
    command, names, rest = parts
    track, expire = "", 30
    for piece in rest:
        name, _, argument = piece.partition(" ")
        if name == "track":
            track = one_of(argument.strip(), ("ip_src", "ip_dst", "ip_pair", "tx"), "track")
        elif name == "expire":
            expire = integer(argument.strip(), 1, U32, "number of seconds")
        else:
            raise Refused(f"unknown option {shown(piece)}", "write xbits:set,name,track ip_src,expire 60")
    if not track:
        raise Refused("xbits does not say what to track", "add: track ip_src, ip_dst or ip_pair")
    draft.add(Bits(keyword.name, command, names, track, expire, position=draft.position))


def read_flowint(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``flowint:name,modifier[,value]``."""
    pieces = items(bare(value))
    if len(pieces) < 2 or not _NAME.fullmatch(pieces[0]):
        raise Refused("flowint needs a name and a modifier", "write flowint:name,+,1")
    modifier = one_of(pieces[1], _FLOWINT, "flowint modifier")
    tests = modifier in {"isset", "notset", "isnotset"}
    if len(pieces) != (2 if tests else 3):
        raise Refused(f"flowint {modifier} takes {'no' if tests else 'one'} value")
    amount: int | str = 0
    if not tests:
        number = try_integer(pieces[2])
        amount = pieces[2] if number is None else integer(pieces[2], 0, U32, "value")
    draft.add(
        FlowInt(pieces[0], "notset" if modifier == "isnotset" else modifier, amount, position=draft.position)
    )


def _pairs(value: str, known: tuple[str, ...]) -> dict[str, str]:
    """Read ``name argument`` pairs in any order."""
    found: dict[str, str] = {}
    for piece in items(value):
        name, _, argument = piece.partition(" ")
        name = name.lower()
        if name not in known:
            raise Refused(f"unknown option {shown(piece)}", f"known: {', '.join(known)}")
        if name in found:
            raise Refused(f"{name} stands twice")
        found[name] = argument.strip()
    return found


_TRACK = ("by_src", "by_dst", "by_rule", "by_both", "by_flow")


def read_threshold(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``threshold`` and ``detection_filter``; a rule has one of them, once."""
    if draft.threshold:
        other = "stands twice" if draft.threshold == keyword.name else f"excludes {draft.threshold}"
        raise Refused(f"{keyword.name} {other}", "a rule has one threshold or one detection_filter")
    draft.threshold = keyword.name
    draft.add(threshold_of(keyword.name, value, draft))


def threshold_of(name: str, value: str, draft: Draft) -> Threshold:
    """Make the node of a ``threshold`` or ``detection_filter`` argument.

    Raises:
        Refused: something is missing or wrong.
    """
    filters = name == "detection_filter"
    found = _pairs(
        value,
        ("track", "count", "seconds") if filters else ("type", "track", "count", "seconds", "multiplier"),
    )
    kind = (
        name if filters else one_of(found.get("type", ""), ("limit", "threshold", "both", "backoff"), "type")
    )
    needed = ("track", "count", "multiplier") if kind == "backoff" else ("track", "count", "seconds")
    missing = [part for part in needed if part not in found]
    if missing:
        raise Refused(
            f"{missing[0]} is missing", f"write {name}:… {', '.join(f'{part} …' for part in needed)}"
        )
    track = one_of(found["track"], _TRACK, "track")
    if kind == "backoff" and track != "by_flow":
        raise Refused("backoff works by_flow only", "write track by_flow")
    return Threshold(
        kind,
        track,
        integer(found["count"], 1, U32, "count"),
        integer(found["seconds"], 1, U32, "number of seconds") if "seconds" in found else 0,
        integer(found["multiplier"], 1, U32, "multiplier") if "multiplier" in found else 0,
        position=draft.position,
    )


def read_tag(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``tag:session|host[,count,metric[,src|dst]]``."""
    pieces = items(value)
    kind = one_of(pieces[0], ("session", "host"), "tag")
    if len(pieces) == 2 or len(pieces) > 4:
        raise Refused("tag takes kind, count, metric and direction", "write tag:session,5,packets")
    count = integer(pieces[1], 0, U32, "count") if len(pieces) > 2 else 0
    metric = one_of(pieces[2], ("packets", "seconds", "bytes"), "metric") if len(pieces) > 2 else ""
    direction = one_of(pieces[3], ("src", "dst"), "direction") if len(pieces) > 3 else ""
    if kind == "session" and direction:
        raise Refused("a direction is for tag:host only")
    if kind == "host" and not direction:
        raise Refused("tag:host does not say which end", "write tag:host,100,packets,src")
    draft.add(Tag(kind, count, metric, direction, position=draft.position))


def read_stream_size(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``stream_size:direction,operator,bytes``."""
    pieces = items(value)
    if len(pieces) != 3:
        raise Refused("stream_size takes three arguments", "write stream_size:client,>,1000")
    direction = one_of(pieces[0], ("client", "server", "both", "either"), "direction")
    operator = one_of(pieces[1], ("<", ">", "=", "!=", "<=", ">="), "operator")
    draft.add(StreamSize(direction, operator, integer(pieces[2], 0, U32, "size"), position=draft.position))
