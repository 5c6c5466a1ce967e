"""Remote desktop (MS-RDPBCGR)."""

from __future__ import annotations

from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.rdp.negotiation import probe_confirm, probe_request
from appliance.protocols.rdp.parser import RdpParser
from appliance.protocols.spec import Probing, ProtocolSpec

_PORTS = ((3389, 3389),)

SPECS = (
    ProtocolSpec(
        "rdp",
        parser=RdpParser,
        probings=(Probing(probe_request, TOSERVER, _PORTS), Probing(probe_confirm, TOCLIENT, _PORTS)),
        log="rdp",
        first=(TOSERVER,),
    ),
)
