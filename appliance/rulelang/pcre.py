"""``pcre``: the expression, its letters, and the buffers and variables it names."""

# Every reader is called in the same way, whether it needs all it is given or not.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from types import MappingProxyType

from appliance.rulelang.draft import Draft
from appliance.rulelang.errors import Refused, shown
from appliance.rulelang.keyword import Keyword
from appliance.rulelang.protocols import family
from appliance.rulelang.source import encode
from appliance.rulelang.tree import Pcre
from appliance.rulelang.values import quoted

MAX_EXPRESSION = 8192

BUFFERS = MappingProxyType(
    {
        "U": "http.uri",
        "I": "http.uri.raw",
        "P": "http.request_body",
        "Q": "http.response_body",
        "H": "http.header",
        "D": "http.header.raw",
        "M": "http.method",
        "C": "http.cookie",
        "S": "http.stat_code",
        "Y": "http.stat_msg",
        "V": "http.user_agent",
        "W": "http.host",
        "Z": "http.host.raw",
    }
)
_SAME = {("http.response_body", "file.data")}  # the body of a response is its file
_PLAIN = frozenset("imsxAEGOB")
_CAPTURES = re.compile(r"\s*(?:(pkt|flow|alert):)?([A-Za-z0-9_]{1,64})\s*")
MAX_CAPTURES = 8
_HTTP = family("http")


def read_pcre(draft: Draft, keyword: Keyword, value: str) -> None:
    """Read ``pcre:"/…/flags"``, with ``, pkt:name`` after it for captures."""
    inside, negated, start = _inside(value)
    expression, letters, captures = _split(inside, start)
    flags, buffer = _letters(letters, start + 1 + len(expression) + 1)
    if "R" in letters:
        flags = flags.replace("R", "")
    node = Pcre(encode(expression), flags, "R" in letters, negated, captures, position=draft.position)
    if buffer and draft.sticky and draft.buffer != buffer and (buffer, draft.buffer) not in _SAME:
        raise Refused(
            f"the pcre names {buffer} while the sticky buffer {draft.buffer or 'frame'} is selected",
            f"use {buffer} as a sticky buffer, or put pkt_data before the pcre",
        )
    item = draft.look(node)
    if buffer and not draft.sticky:
        item.buffer = buffer
        draft.demand(_HTTP)
    draft.variables.update(name.partition(":")[2] for name in captures)
    draft.content = None


def _inside(value: str) -> tuple[str, bool, int]:
    """Take off the quotes, which an expression may lack; as :func:`values.quoted`."""
    if value.endswith('"'):
        return quoted(value, negatable=True)
    body = value.removeprefix("!").lstrip()
    return body, value.startswith("!"), len(value) - len(body)


def _split(inside: str, start: int) -> tuple[str, str, tuple[str, ...]]:
    """Take ``/expression/letters, captures`` apart."""
    if len(inside) > MAX_EXPRESSION:
        raise Refused(f"the expression is longer than {MAX_EXPRESSION} characters")
    if not inside.startswith("/"):
        raise Refused("the expression does not begin with '/'", 'write pcre:"/expression/flags"', start)
    end = inside.rfind("/")
    if end == 0:
        raise Refused(
            "the expression does not end with '/'", 'write pcre:"/expression/flags"', start + len(inside)
        )
    letters, _, names = inside[end + 1 :].partition(",")
    expression = inside[1:end]
    if not expression:
        raise Refused("the expression is empty", at=start)
    return expression, letters.strip(), _captures(names) if names else ()


def _captures(names: str) -> tuple[str, ...]:
    """Read the list of variables that groups are kept in."""
    found: list[str] = []
    for piece in names.split(",")[: MAX_CAPTURES + 1]:
        match = _CAPTURES.fullmatch(piece)
        if match is None:
            raise Refused(f"{shown(piece)} is not a capture", "write pkt:name, flow:name or alert:name")
        found.append(f"{match[1] or 'pkt'}:{match[2]}")
    if len(found) > MAX_CAPTURES:
        raise Refused(f"more than {MAX_CAPTURES} captures")
    return tuple(found)


def _letters(letters: str, at: int) -> tuple[str, str]:
    """Sort letters into PCRE's own and the one that names a buffer."""
    flags, buffer = "", ""
    for index, letter in enumerate(letters):
        if letter in BUFFERS:
            if buffer and buffer != BUFFERS[letter]:
                raise Refused(
                    f"two buffers: {buffer} and {BUFFERS[letter]}", "one pcre looks at one buffer", at + index
                )
            buffer = BUFFERS[letter]
        elif letter in _PLAIN or letter == "R":
            flags += letter if letter not in flags else ""
        else:
            raise Refused(
                f"unknown pcre flag {shown(letter)}",
                "known: imsxAEGROB and the buffers UIPQHDMCSYVWZ",
                at + index,
            )
    return flags, buffer
