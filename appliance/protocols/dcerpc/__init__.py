"""DCE/RPC over TCP and UDP."""

from __future__ import annotations

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dcerpc.parser import DcerpcParser, probe, probe_datagram
from appliance.protocols.dcerpc.rules import buffers, values
from appliance.protocols.spec import Pattern, Probing, ProtocolSpec

_HEADER = (Pattern(b"\x05\x00", confirm=probe),)

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
        frames=frozenset(("pdu", "hdr", "data")),
        events=frozenset(("malformed_data",)),
    ),
)
