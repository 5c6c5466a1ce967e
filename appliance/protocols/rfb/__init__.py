"""RFB, the protocol of VNC."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.rfb.parser import RfbParser
from appliance.protocols.rfb.transaction import is_result
from appliance.protocols.spec import Pattern, ProtocolSpec

_VERSION = (Pattern(b"RFB 00"),)

SPEC = ProtocolSpec(
    "rfb",
    parser=RfbParser,
    patterns=(_VERSION, _VERSION),
    buffers=(BufferSpec("rfb.name", ("rfb",), (TOCLIENT,)),),
    values=(
        ValueSpec("rfb.sectype", ("rfb",), (TOSERVER,)),
        ValueSpec("rfb.secresult", ("rfb",), (TOCLIENT,), test=is_result),
    ),
    log="rfb",
    frames=frozenset(("pdu",)),
    events=frozenset(
        ("confused_state", "malformed_message", "unimplemented_security_type", "unknown_security_result")
    ),
)
