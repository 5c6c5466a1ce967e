"""The part of a rule before the parenthesis: action, protocol, both ends, direction."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.rulelang.context import RuleContext
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.protocols import APP_ALIASES, APP_PROTOCOLS, PACKET_PROTOCOLS, hooks_of
from appliance.rulelang.tree import AddressSet, PortSet

ACTIONS = ("alert", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "pass", "config")
DIRECTIONS = ("->", "<>", "=>")
FIREWALL_ACTIONS = ("accept",)
SCOPED_ACTIONS = (*FIREWALL_ACTIONS, *ACTIONS)  # "accept:flow", "drop:packet"
_FORM = "write: alert tcp $HOME_NET any -> $EXTERNAL_NET 80 (…)"
MAX_HEADERS = 100_000  # headers kept; beyond that each is read anew


@dataclass(frozen=True, slots=True)
class Header:
    """A header with everything resolved. ``app`` tells that the protocol is an application protocol."""

    action: str
    protocol: str
    hook: str
    app: bool
    source: AddressSet
    source_ports: PortSet
    direction: str
    destination: AddressSet
    destination_ports: PortSet


def parse_header(text: str, context: RuleContext) -> Header:
    """Read a header; equal texts are read once for each context.

    Raises:
        Refused: with the offset of the word at fault.
    """
    known = context.headers.get(text)
    if isinstance(known, Header):
        return known
    header = _parse(text, context)
    if len(context.headers) < MAX_HEADERS:
        context.headers[text] = header
    return header


def _words(text: str) -> list[tuple[str, int]]:
    """Split at blanks outside brackets, with the offset of each word."""
    words: list[tuple[str, int]] = []
    depth, start = 0, -1
    for index, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char.isspace() and depth <= 0:
            if start >= 0:
                words.append((text[start:index], start))
            start = -1
        elif start < 0:
            start = index
    if start >= 0:
        words.append((text[start:], start))
    return words


def _parse(text: str, context: RuleContext) -> Header:
    """Read a header that has not been seen before."""
    words = _words(text)
    if words and words[0][0].lower() not in ACTIONS:
        raise _bad_action(*words[0])
    if len(words) < 2:
        raise Refused("the header is not complete", _FORM)
    protocol, hook, app = _protocol(*words[1])
    if len(words) == 2 and app:  # the short form: any to any
        words += [("any", 0), ("any", 0), ("->", 0), ("any", 0), ("any", 0)]
    if len(words) != 7:
        raise Refused(f"the header has {len(words)} parts, not 7", _FORM)
    if words[4][0] not in DIRECTIONS:
        raise Refused(f"{shown(words[4][0])} is not a direction", "use ->, <> or =>", words[4][1])
    if words[4][0] == "=>" and not app:
        raise Refused("=> needs an application protocol", "for packets use ->", words[4][1])
    return Header(
        words[0][0].lower(),
        protocol,
        hook,
        app,
        _addresses(*words[2], context),
        _ports(*words[3], context),
        words[4][0],
        _addresses(*words[5], context),
        _ports(*words[6], context),
    )


def _bad_action(word: str, at: int) -> Refused:
    """Say what is wrong with an action."""
    if word.lower() in FIREWALL_ACTIONS or (":" in word and word.lower().partition(":")[0] in SCOPED_ACTIONS):
        return Refused(
            f"action {shown(word)} belongs to firewall rules",
            "use pass here and allow in the firewall policy",
            at,
        )
    return Refused(
        f"unknown action {shown(word)}", did_you_mean(word, ACTIONS) or f"use {', '.join(ACTIONS)}", at
    )


def _protocol(word: str, at: int) -> tuple[str, str, bool]:
    """Read ``protocol[:hook]`` into its name, the hook and whether it is an application's."""
    name, colon, hook = word.lower().partition(":")
    name = APP_ALIASES.get(name, name)
    app = name in APP_PROTOCOLS
    if not app and name not in PACKET_PROTOCOLS:
        known = [*PACKET_PROTOCOLS, *APP_PROTOCOLS]
        raise Refused(f"unknown protocol {shown(name)}", did_you_mean(name, known), at)
    hooks = hooks_of(name)
    if colon and hook not in hooks:
        hint = did_you_mean(hook, hooks) or (
            f"{name} has: {', '.join(hooks)}" if hooks else f"{name} has no hooks"
        )
        raise Refused(f"{name} has no hook {shown(hook)}", hint, at + len(name) + 1)
    return (name if app else PACKET_PROTOCOLS[name]), hook, app


def _addresses(word: str, at: int, context: RuleContext) -> AddressSet:
    """Resolve one end's addresses."""
    try:
        return context.addresses(word)
    except Refused as refused:
        raise Refused(refused.reason, refused.hint, at) from None


def _ports(word: str, at: int, context: RuleContext) -> PortSet:
    """Resolve one end's ports."""
    try:
        return context.ports(word)
    except Refused as refused:
        raise Refused(refused.reason, refused.hint, at) from None
