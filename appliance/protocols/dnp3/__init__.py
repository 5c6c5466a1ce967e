"""DNP3 over TCP."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dnp3.parser import Dnp3Parser, is_object, probe
from appliance.protocols.spec import Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((20000, 20000),)

SPEC = ProtocolSpec(
    "dnp3",
    parser=Dnp3Parser,
    probings=(Probing(probe, TOSERVER, _PORTS), Probing(probe, TOCLIENT, _PORTS)),
    buffers=(BufferSpec("dnp3_data", ("dnp3",), _BOTH),),
    values=(
        ValueSpec("dnp3_func", ("dnp3",), _BOTH),
        ValueSpec("dnp3_ind", ("dnp3",), (TOCLIENT,)),
        ValueSpec("dnp3_obj", ("dnp3",), _BOTH, test=is_object),
    ),
    default_enabled=False,
    log="dnp3",
    events=frozenset(
        (
            "bad_link_crc",
            "bad_transport_crc",
            "flooded",
            "len_too_small",
            "malformed",
            "too_long_reassembly",
            "too_many_objects",
            "too_many_points",
            "unknown_object",
        )
    ),
)
