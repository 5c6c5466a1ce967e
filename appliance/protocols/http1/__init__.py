"""HTTP/0.9, 1.0 and 1.1: what it looks like, its parser, what it offers to rules."""

from __future__ import annotations

from appliance.protocols.http1.events import EVENTS
from appliance.protocols.http1.parser import HttpParser
from appliance.protocols.http1.startline import METHODS
from appliance.protocols.http1.transaction import BUFFERS, HEADERS, LINE, TRAILER, VALUES
from appliance.protocols.spec import Pattern, ProtocolSpec

_REQUESTS = tuple(Pattern(method + gap, nocase=True) for method in sorted(METHODS) for gap in (b" ", b"\t"))
_RESPONSES = tuple(Pattern(b"HTTP/" + version, nocase=True) for version in (b"0.9", b"1.0", b"1.1"))

# While a body is read the progress stays at HEADERS: a rule on the body hook sees all of its updates, one
# on what comes before sees the end of it once.
STATES = {
    f"{word}_{name}": (direction, progress)
    for direction, word in enumerate(("request", "response"))
    for name, progress in (
        ("line", LINE - 1),
        ("headers", HEADERS - 1),
        ("body", HEADERS),
        ("trailer", TRAILER),
    )
}

SPEC = ProtocolSpec(
    "http",
    parser=HttpParser,
    patterns=(_REQUESTS, _RESPONSES),
    buffers=BUFFERS,
    values=VALUES,
    log="http",
    aliases=("http1",),
    events=EVENTS,
    states=STATES,
    frames=frozenset(("request", "response")),
)

__all__ = ["SPEC", "HttpParser"]
