"""Telnet: what it looks like and its parser."""

from __future__ import annotations

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec
from appliance.protocols.telnet.parser import EVENTS, FRAMES, TelnetParser

_GREETING = 512  # bytes of what a server says first that are looked at
_PROMPTS = (b"login:", b"username:", b"user name:", b"password:")


def negotiates(data: bytes) -> int:
    """Option negotiation (RFC 854): IAC, WILL to DONT, option; twice, since one may be chance."""
    for place, low, high in ((0, 0xFF, 0xFF), (1, 0xFB, 0xFE), (2, 0, 49), (3, 0xFF, 0xFF), (4, 0xFA, 0xFE)):
        if place >= len(data):
            return PROBE_MAYBE
        if not low <= data[place] <= high:
            return PROBE_NO
    return PROBE_YES


def _commands(data: bytes) -> int:
    """A command of telnet, which is enough on its own port."""
    if data[:1] != b"\xff":
        return PROBE_NO
    if len(data) < 2:
        return PROBE_MAYBE
    return PROBE_YES if 0xF0 <= data[1] <= 0xFE else PROBE_NO


def _greeting(data: bytes) -> int:
    """A server that negotiates, or asks who is there."""
    if data[:1] == b"\xff":
        return _commands(data)
    head = data[:_GREETING].lower()
    if any(prompt in head for prompt in _PROMPTS):
        return PROBE_YES
    return PROBE_MAYBE if len(data) < _GREETING else PROBE_NO


_IAC = (Pattern(b"\xff", confirm=negotiates),)
_PORT = ((23, 23),)

SPEC = ProtocolSpec(
    "telnet",
    parser=TelnetParser,
    patterns=(_IAC, _IAC),
    probings=(Probing(_commands, TOSERVER, _PORT), Probing(_greeting, TOCLIENT, _PORT)),
    log="telnet",
    frames=FRAMES,
    events=EVENTS,
)

__all__ = ["SPEC", "TelnetParser"]
