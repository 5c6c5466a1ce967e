"""SMTP: what it looks like, its parser, what it offers to rules."""

from __future__ import annotations

from appliance.model.packet import TOCLIENT
from appliance.protocols.smtp.events import EVENTS
from appliance.protocols.smtp.parser import SmtpParser
from appliance.protocols.smtp.transaction import BUFFERS
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

_PORTS = ((25, 25), (465, 465))
_DOMAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")


def _greeting(data: bytes) -> int:
    """``220`` and the server's domain (RFC 5321 section 4.2); nothing else tells it from FTP."""
    if not b"220".startswith(data[:3]) or data[3:4] not in {b"", b" ", b"-"}:
        return PROBE_NO
    rest = data[4:]
    name = rest.split(None, 1)[0] if rest.split(None, 1) else b""
    if any(byte not in _DOMAIN for byte in name[:255]):
        return PROBE_NO
    if b"\n" not in rest:
        return PROBE_MAYBE
    return PROBE_YES if name else PROBE_NO


SPEC = ProtocolSpec(
    "smtp",
    parser=SmtpParser,
    patterns=(
        (Pattern(b"EHLO", nocase=True), Pattern(b"HELO", nocase=True), Pattern(b"QUIT", nocase=True)),
        (),
    ),
    probings=(Probing(_greeting, TOCLIENT, _PORTS),),
    buffers=BUFFERS,
    log="smtp",
    frames=frozenset(("command_line", "data", "response_line")),
    events=EVENTS,
)

__all__ = ["SPEC", "SmtpParser"]
