"""Checks that need more than one option: conflicts at a content, protocol against keywords."""

from __future__ import annotations

from appliance.rulelang.draft import ContentDraft, Draft
from appliance.rulelang.errors import Refused
from appliance.rulelang.protocols import APP_PROTOCOLS, family
from appliance.rulelang.registry import DEMANDS
from appliance.rulelang.tree import Buffer, Frame, IntMatch, IntSet, Position, Rule, Text


class Conflict(Refused):
    """A refusal that knows its place and keyword, since no option is being read any more."""

    def __init__(self, position: Position, keyword: str, reason: str, hint: str = "") -> None:
        """Place a refusal."""
        super().__init__(reason, hint)
        self.position = position
        self.keyword = keyword


def check(draft: Draft) -> None:
    """See that the options of a finished rule go together.

    Raises:
        Refused: they do not.
    """
    if not draft.sid:
        raise Conflict(
            draft.source.at(0), "sid", "the rule has no sid", "add sid:number; every rule has its own"
        )
    draft.end_selection()
    fast = 0
    for item in draft.items:
        if isinstance(item.node, ContentDraft):
            _check_content(item.node)
            fast += item.node.fast_pattern
            if fast > 1:
                raise Conflict(
                    item.node.position,
                    "fast_pattern",
                    "two contents are marked fast_pattern",
                    "mark one of them",
                )
    _check_protocols(draft)


def _check_content(content: ContentDraft) -> None:
    """See that the modifiers of one content go together."""
    absolute = content.depth is not None or content.offset is not None
    relative = content.distance is not None or content.within is not None
    if not (absolute or relative or content.startswith):
        if content.fast_pattern_only and content.negated:
            raise Conflict(content.position, "fast_pattern", "a negated content cannot be fast_pattern:only")
        return
    if absolute and relative:
        raise Conflict(
            content.position,
            "content",
            "depth and offset contradict distance and within",
            "count from the start of the buffer (depth, offset) or from the last match (distance, within)",
        )
    if content.startswith and (absolute or relative):
        raise Conflict(
            content.position,
            "startswith",
            "startswith contradicts depth, offset, distance and within",
            "keep one of them",
        )
    _check_room(content)
    if content.fast_pattern and (content.negated or content.fast_pattern_only) and not content.startswith:
        what = "fast_pattern:only" if content.fast_pattern_only else "fast_pattern at a negated content"
        raise Conflict(
            content.position, "fast_pattern", f"{what} excludes depth, offset, distance and within"
        )


def _check_room(content: ContentDraft) -> None:
    """See that the pattern fits into depth and within."""
    for name in ("depth", "within"):
        room = getattr(content, name)
        if isinstance(room, int) and room < len(content.pattern):
            raise Conflict(
                content.position,
                name,
                f"{name} {room} is less than the pattern's {len(content.pattern)} bytes",
                f"raise {name} to {len(content.pattern)} or more",
            )


def _check_protocols(draft: Draft) -> None:
    """See that one application protocol satisfies the header and every keyword."""
    header = draft.header
    possible = family(header.protocol) if header.app else None
    names = [(DEMANDS[name], name, at) for name, at in draft.keywords.items() if name in DEMANDS]
    for wanted, name, at in (*names, *draft.demands):
        left = wanted if possible is None else possible & wanted
        if not left:
            about = header.protocol if header.app else ", ".join(sorted(possible or ()))
            raise Conflict(
                draft.source.at(at),
                name,
                f"{name} is for {', '.join(sorted(wanted))}, the rule is for {about}",
                f"begin the rule with: {header.action} {min(wanted, key=_commonness)}",
            )
        possible = left


def _commonness(name: str) -> tuple[str, str]:
    """Order protocols for a hint: those over TCP are likelier to be meant (TLS, not DTLS or QUIC)."""
    return APP_PROTOCOLS.get(name, ""), name


def implied_protocols(rule: Rule) -> frozenset[str]:
    """Name the application protocols that a flow may have for ``rule`` to match; empty: any or none."""
    possible = family(rule.protocol) if rule.protocol in APP_PROTOCOLS else None
    for node in rule.options:
        match node:
            case Buffer(name=name) | Text(keyword=name) | IntMatch(keyword=name) | IntSet(keyword=name):
                wanted = DEMANDS.get(name)
                if isinstance(node, Text) and name == "app-layer-event" and "." in node.argument:
                    wanted = family(node.argument.partition(".")[0])
            case Frame(protocol=name):
                wanted = family(name) if name else None
            case _:
                wanted = DEMANDS.get(_KEYWORD_OF.get(type(node).__name__, ""))
        if wanted:
            possible = wanted if possible is None else possible & wanted
    if possible and rule.protocol in {"tcp", "udp"}:
        possible = frozenset(name for name in possible if rule.protocol in APP_PROTOCOLS.get(name, ""))
    return possible or frozenset()


_KEYWORD_OF = {"Modbus": "modbus", "Filestore": "filestore", "FileHash": "filemd5"}


def implied_protocol(rule: Rule) -> str:
    """Name the one application protocol (or family: "http", "dns", "dcerpc") a rule is for, "" when open."""
    if rule.protocol in APP_PROTOCOLS:
        return rule.protocol
    possible = implied_protocols(rule)
    if len(possible) == 1:
        return next(iter(possible))
    return next(
        (name for name in ("http", "http2", "dns", "dcerpc") if possible and family(name) == possible), ""
    )
