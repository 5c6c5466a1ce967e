"""FTP: its control connection and its data connections."""

from __future__ import annotations

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.ftp import data, transaction
from appliance.protocols.ftp.data import FtpDataParser
from appliance.protocols.ftp.parser import EVENTS, FtpParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_VERBS = (b"USER ", b"PASS ", b"PORT ", b"EPRT ")
_PORTS = ((21, 21),)


def _login(data: bytes) -> int:
    """What clients begin with; asked after protocols of a port, for POP3 logs in with the same words."""
    head = data[:5].upper()
    if head in _VERBS:
        return PROBE_YES
    return PROBE_MAYBE if len(head) < 5 and any(verb.startswith(head) for verb in _VERBS) else PROBE_NO


def _greeting(data: bytes) -> int:
    """A positive reply (RFC 959 section 4.2); it says nothing more, so that it counts on port 21 only."""
    head = data[:4]
    if head[:1] not in {b"", b"2"} or not (head[1:3] or b"0").isdigit() or head[3:4] not in {b"", b" ", b"-"}:
        return PROBE_NO
    return PROBE_YES if len(head) == 4 and b"\n" in data else PROBE_MAYBE


SPECS = (
    ProtocolSpec(
        "ftp",
        parser=FtpParser,
        probings=(
            Probing(_greeting, TOCLIENT, _PORTS),
            Probing(_login, TOSERVER, _PORTS),
            Probing(_login, TOSERVER),
        ),
        buffers=transaction.BUFFERS,
        values=transaction.VALUES,
        log="ftp",
        frames=frozenset(("command_line", "response_line")),
        events=EVENTS,
    ),
    ProtocolSpec(
        "ftp-data",
        parser=FtpDataParser,
        buffers=data.BUFFERS,
        values=data.VALUES,
        log="ftp-data",
        follows=True,
    ),
)

__all__ = ["SPECS", "FtpDataParser", "FtpParser"]
