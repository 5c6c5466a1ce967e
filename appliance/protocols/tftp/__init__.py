"""TFTP: what it looks like and its parser."""

from __future__ import annotations

from appliance.model.packet import TOSERVER
from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec
from appliance.protocols.tftp.parser import TftpParser, read_request


def _probe(data: bytes) -> int:
    return PROBE_YES if read_request(data) else PROBE_NO


SPEC = ProtocolSpec(
    "tftp",
    ("udp",),
    parser=TftpParser,
    probings=(Probing(_probe, TOSERVER, ((69, 69),)),),
    log="tftp",
)

__all__ = ["SPEC", "TftpParser"]
