"""DCE/RPC over TCP and UDP."""

from __future__ import annotations

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dcerpc.parser import DcerpcParser, probe, probe_datagram
from appliance.protocols.dcerpc.rules import buffers, values
from appliance.protocols.spec import Pattern, Probing, ProtocolSpec

_HEADER = (Pattern(b"\x05\x00", confirm=probe),)

# Types of packets that only one end sends (C706 chapter 12): request, bind, alter context, and their answers.
_SENT_BY = {
    0: TOSERVER,
    11: TOSERVER,
    14: TOSERVER,
    2: TOCLIENT,
    3: TOCLIENT,
    12: TOCLIENT,
    13: TOCLIENT,
    15: TOCLIENT,
}


def _sender(data: bytes) -> int:
    return _SENT_BY.get(data[2], -1) if data[:2] == b"\x05\x00" and len(data) > 2 else -1


SPECS = (
    ProtocolSpec(
        "dcerpc",
        transports=("tcp", "udp"),
        parser=DcerpcParser,
        probings=(
            *(Probing(probe, direction, (), "tcp") for direction in (TOSERVER, TOCLIENT)),
            *(Probing(probe_datagram, direction, (), "udp") for direction in (TOSERVER, TOCLIENT)),
        ),
        buffers=buffers("dcerpc"),
        values=values("dcerpc"),
        log="dcerpc",
        sender=_sender,
        frames=frozenset(("pdu", "hdr", "data")),
        events=frozenset(("malformed_data",)),
    ),
)
