"""Options about application protocols, transforms, and all whose argument is a plain text."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from functools import lru_cache

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, did_you_mean, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.protocols import APP_ALIASES, APP_PROTOCOLS, family
from appliance.rulelang.tree import (
    Absent,
    AppProtocol,
    AppState,
    ConfigOption,
    Entropy,
    Frame,
    Text,
    Transform,
)
from appliance.rulelang.values import bare, integer, items, one_of

_BLANKS = re.compile(r"\s*,\s*")
MAX_TEXT = 4096


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the keyword tables once."""
    return re.compile(pattern)


def read_text(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read an argument that its pattern checks; ``!`` before it negates where the pattern lets it."""
    text = _BLANKS.sub(",", bare(value)) if len(value) <= MAX_TEXT else value
    if not keyword.pattern.startswith("(?-i)"):
        text = text.lower()
    negated = text.startswith("!") and not keyword.pattern.removeprefix("(?-i)").startswith("!?")
    body = text[1:].strip() if negated else text
    if len(value) > MAX_TEXT or not _compiled(keyword.pattern.removeprefix("(?-i)")).fullmatch(body):
        raise Refused(
            f"{shown(value)} is not an argument of {keyword.name}", f"write {keyword.name}:{keyword.syntax}"
        )
    draft.add(Text(keyword.name, body, negated, position=draft.position))


def read_plain(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read a keyword without an argument."""
    draft.add(Text(keyword.name, position=draft.position))


def read_transform(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read a transform; ``pattern`` checks its argument."""
    text = bare(value)
    if keyword.pattern and (len(text) > MAX_TEXT or not _compiled(keyword.pattern).fullmatch(text)):
        raise Refused(
            f"{shown(value)} is not an argument of {keyword.name}", f"write {keyword.name}:{keyword.syntax}"
        )
    draft.transform(Transform(keyword.name, text, position=draft.position))


def read_refused(draft: Draft, keyword: Keyword, value: str) -> None:
    """Say that a keyword is known but not for this engine."""
    raise Refused(f"{keyword.name} is not supported", keyword.syntax)


def _protocol(word: str, extra: tuple[str, ...] = ()) -> str:
    """Read the name of an application protocol."""
    name = APP_ALIASES.get(word.lower(), word.lower())
    if name not in APP_PROTOCOLS and name not in extra:
        raise Refused(
            f"unknown application protocol {shown(word)}", did_you_mean(name, [*APP_PROTOCOLS, *extra])
        )
    return name


_MODES = {"toserver": "to_server", "toclient": "to_client"}


def read_app_protocol(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``app-layer-protocol:[!]name[,mode]``."""
    pieces = items(bare(value))
    mode = ""
    if len(pieces) > 1:
        word = _MODES.get(pieces[1], pieces[1])
        mode = one_of(word, ("final", "either", "to_server", "to_client", "original", "direction"), "mode")
    if len(pieces) > 2:
        raise Refused(f"{keyword.name} takes two arguments at most", "write app-layer-protocol:!tls,final")
    negated = pieces[0].startswith("!")
    name = _protocol(pieces[0].removeprefix("!").strip(), ("failed", "unknown"))
    node = AppProtocol(name, negated, "" if mode == "direction" else mode, position=draft.position)
    if draft.header.app and not mode:
        raise Refused(
            f"a rule for {draft.header.protocol} cannot ask for the protocol again",
            "begin the rule with tcp, udp or ip",
        )
    draft.add(node)


def read_app_event(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``app-layer-event:protocol.event`` or ``applayer_…``."""
    text = bare(value).lower()
    if not re.fullmatch(r"[a-z0-9_.-]{1,128}", text):
        raise Refused(
            f"{shown(value)} is not the name of an event", "write app-layer-event:http.missing_host_header"
        )
    if not text.startswith("applayer_"):
        word, dot, event = text.partition(".")
        name = _protocol(word)
        if not dot or not event:
            raise Refused(f"{shown(value)} names no event", f"write app-layer-event:{name}.event")
        draft.demand(family(name))
        text = f"{name}.{event}"
    draft.add(Text(keyword.name, text, position=draft.position))


def read_app_state(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``app-layer-state:[<>]state``."""
    text = bare(value).lower()
    operator = text[0] if text[:1] in {"<", ">"} else "="
    name = text.lstrip("<>=").strip()
    if not re.fullmatch(r"[a-z0-9_]{1,64}", name):
        raise Refused(f"{shown(value)} is not a state", "write app-layer-state:<client_hello_done")
    draft.add(AppState(name, operator, position=draft.position))


def read_frame(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``frame:[protocol.]name``: a sticky buffer."""
    text = bare(value).lower()
    if not re.fullmatch(r"[a-z0-9_-]{1,32}(\.[a-z0-9_]{1,32}){0,3}", text):
        raise Refused(f"{shown(value)} is not a frame", "write frame:smtp.data")
    first, dot, rest = text.partition(".")
    known = bool(dot) and (
        first in APP_PROTOCOLS or first in APP_ALIASES or first in {"smb1", "smb2", "smb3"}
    )
    if first in {"smb1", "smb2", "smb3"} and known:
        protocol, name = "smb", text
    elif known:
        protocol, name = _protocol(first), rest
    else:
        protocol, name = (draft.header.protocol if draft.header.app else ""), text
    if protocol == "http" and known:
        protocol = "http1"
    if not protocol and text != "stream":
        raise Refused(f"frame {shown(text)} does not say of which protocol", "write frame:smtp.data")
    draft.select(Frame(protocol, name, position=draft.position))
    if known:
        draft.demand(family(protocol))


def read_absent(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``absent[:or_else]``."""
    if not draft.sticky or draft.selection_used:
        raise Refused("absent has to follow a sticky buffer directly", "write it as: http.referer; absent;")
    if value:
        one_of(value, ("or_else",), "word after absent")
    draft.look(Absent(bool(value), position=draft.position))


_ENTROPY = re.compile(r"(<=|>=|!=|<|>|=|!)?\s*(\d{1,3}(?:\.\d{1,9})?)(?:\s*-\s*(\d{1,3}(?:\.\d{1,9})?))?")


def read_entropy(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``entropy:[bytes n,][offset n,]value comparison``."""
    found: dict[str, str] = {}
    for piece in items(value):
        name, _, argument = piece.partition(" ")
        if name not in {"bytes", "offset", "value"} or name in found:
            raise Refused(f"unknown option {shown(piece)}", f"write {keyword.name}:{keyword.syntax}")
        found[name] = argument.strip()
    match = _ENTROPY.fullmatch(found.get("value", ""))
    if match is None:
        raise Refused("entropy has no value to compare with", f"write {keyword.name}:{keyword.syntax}")
    operator = {None: "=", "!": "!="}.get(match[1], match[1])
    if match[3] is not None:
        operator = {"=": "range", "!=": "!range"}.get(operator or "", "")
        if not operator or float(match[2]) >= float(match[3]):
            raise Refused(f"{shown(match[0])} is not a range", "write 4.2-5")
    draft.look(
        Entropy(
            str(operator),
            float(match[2]),
            float(match[3] or 0),
            integer(found.get("bytes", "0"), 0, 65_535, "bytes"),
            integer(found.get("offset", "0"), 0, 65_535, "offset"),
            position=draft.position,
        )
    )


def read_config(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``config:logging disable, type tx, scope tx``."""
    if draft.header.action != "config":
        raise Refused("config is for rules with the action config")
    pieces = items(value.lower())
    pairs = [piece.split() for piece in pieces]
    if (
        any(len(pair) != 2 for pair in pairs)
        or len(pairs) != 3
        or pairs[1][0] != "type"
        or pairs[2][0] != "scope"
    ):
        raise Refused(f"{shown(value)} is not a setting", f"write {keyword.name}:{keyword.syntax}")
    draft.add(
        ConfigOption(
            one_of(pairs[0][0], ("logging", "tracking"), "setting"),
            one_of(pairs[0][1], ("disable", "enable"), "value"),
            one_of(pairs[1][1], ("tx", "flow"), "type"),
            one_of(pairs[2][1], ("tx", "flow", "packet"), "scope"),
            position=draft.position,
        )
    )
