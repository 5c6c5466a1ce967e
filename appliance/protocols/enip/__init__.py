"""EtherNet/IP and the Common Industrial Protocol inside it."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.enip.cip import is_service
from appliance.protocols.enip.parser import EnipParser, probe
from appliance.protocols.spec import Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((44818, 44818),)
_EVERYWHERE = ("enip_command", "enip.status", "enip.protocol_version")
_ASKED = ("enip.cip_class", "enip.cip_instance", "enip.cip_attribute")
_ANSWERED = (
    "enip.cip_status",
    "enip.cip_extendedstatus",
    "enip.capabilities",
    "enip.revision",
    "enip.identity_status",
    "enip.state",
    "enip.serial",
    "enip.product_code",
    "enip.device_type",
    "enip.vendor_id",
)


def _values(names: tuple[str, ...], directions: tuple[int, ...]) -> tuple[ValueSpec, ...]:
    return tuple(ValueSpec(name, ("enip",), directions) for name in names)


SPEC = ProtocolSpec(
    "enip",
    transports=("tcp", "udp"),
    parser=EnipParser,
    probings=(Probing(probe, TOSERVER, _PORTS), Probing(probe, TOCLIENT, _PORTS)),
    buffers=(
        BufferSpec("enip.product_name", ("enip",), (TOCLIENT,)),
        BufferSpec("enip.service_name", ("enip",), (TOCLIENT,)),
    ),
    values=(
        *_values(_EVERYWHERE, _BOTH),
        *_values(_ASKED, (TOSERVER,)),
        *_values(_ANSWERED, (TOCLIENT,)),
        ValueSpec("cip_service", ("enip",), _BOTH, test=is_service),
    ),
    default_enabled=False,
    log="enip",
    frames=frozenset(("pdu", "hdr", "data")),
    events=frozenset(("invalid_pdu",)),
)
