"""Modbus over TCP."""

from __future__ import annotations

from appliance.model.app import ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.modbus.parser import ModbusParser, probe
from appliance.protocols.modbus.rules import matches
from appliance.protocols.spec import Probing, ProtocolSpec

_PORTS = ((502, 502),)

SPEC = ProtocolSpec(
    "modbus",
    parser=ModbusParser,
    probings=(Probing(probe, TOSERVER, _PORTS), Probing(probe, TOCLIENT, _PORTS)),
    values=(ValueSpec("modbus", ("modbus",), (TOSERVER,), test=matches),),
    default_enabled=False,
    log="modbus",
    frames=frozenset(("pdu",)),
    events=frozenset(
        (
            "flooded",
            "invalid_exception_code",
            "invalid_function_code",
            "invalid_length",
            "invalid_protocol_id",
            "invalid_value",
            "unsolicited_response",
            "value_mismatch",
        )
    ),
)
