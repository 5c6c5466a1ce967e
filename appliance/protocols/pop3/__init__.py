"""POP3: what it looks like and its parser."""

from __future__ import annotations

from appliance.model.packet import TOSERVER
from appliance.protocols.pop3.parser import EVENTS, Pop3Parser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

_VERBS = frozenset((b"APOP", b"AUTH", b"CAPA", b"LIST", b"NOOP", b"PASS", b"QUIT", b"STAT", b"STLS", b"USER"))


def _login(data: bytes) -> int:
    """What clients begin with; asked on POP3's own port only, for FTP logs in with the same words."""
    head = data[:4].upper()
    if len(head) < 4:
        return PROBE_MAYBE if any(verb.startswith(head) for verb in _VERBS) else PROBE_NO
    if head not in _VERBS or data[4:5] not in {b"", b" ", b"\r", b"\n"}:
        return PROBE_NO
    return PROBE_YES if len(data) > 4 else PROBE_MAYBE


SPEC = ProtocolSpec(
    "pop3",
    parser=Pop3Parser,
    patterns=((), (Pattern(b"+OK"), Pattern(b"-ERR"))),
    probings=(Probing(_login, TOSERVER, ((110, 110),)),),
    log="pop3",
    events=EVENTS,
)

__all__ = ["SPEC", "Pop3Parser"]
