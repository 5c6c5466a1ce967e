"""SNMP."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols import ber
from appliance.protocols.snmp.parser import SnmpParser
from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((161, 162),)
_SNMP = ("snmp",)


def probe(data: bytes) -> int:
    """Tell whether a datagram is one sequence that begins with a version that exists."""
    outer, end = ber.read(data)
    if outer is None or outer.tag != ber.SEQUENCE or end != len(data):
        return PROBE_NO
    version, at = ber.read(outer.body)
    if version is None or version.tag != ber.INTEGER or ber.integer(version.body) not in {0, 1, 3}:
        return PROBE_NO
    wanted = ber.SEQUENCE if ber.integer(version.body) == 3 else ber.OCTETS
    return PROBE_YES if outer.body[at : at + 1] == bytes((wanted,)) else PROBE_NO


SPECS = (
    ProtocolSpec(
        "snmp",
        transports=("udp",),
        parser=SnmpParser,
        probings=tuple(Probing(probe, direction, _PORTS) for direction in _BOTH),
        buffers=tuple(BufferSpec(name, _SNMP, _BOTH) for name in ("snmp.community", "snmp.usm")),
        values=tuple(ValueSpec(name, _SNMP, _BOTH) for name in ("snmp.version", "snmp.pdu_type")),
        log="snmp",
        events=frozenset(("malformed_data", "unknown_security_model", "version_mismatch")),
    ),
)
