"""MQTT 3.1, 3.1.1 and 5."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.mqtt.parser import MqttParser, probe, probe_connect
from appliance.protocols.mqtt.transaction import MULTI, OPENED, SINGLE, VALUES
from appliance.protocols.reader import yes_no
from appliance.protocols.spec import Pattern, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((1883, 1883),)


def _number(value: int, argument: str) -> bool:
    return value == int(argument)


_TESTS = {"mqtt.connack.session_present": yes_no, "mqtt.connect.protocol_version": _number}

SPEC = ProtocolSpec(
    "mqtt",
    parser=MqttParser,
    patterns=((Pattern(b"\x10", confirm=probe_connect),), ()),
    probings=(Probing(probe, TOSERVER, _PORTS), Probing(probe, TOCLIENT, _PORTS)),
    buffers=(
        *(BufferSpec(name, ("mqtt",), _BOTH, OPENED) for name in SINGLE),
        *(BufferSpec(name, ("mqtt",), _BOTH, OPENED, multi=True) for name in MULTI),
    ),
    values=tuple(ValueSpec(name, ("mqtt",), _BOTH, test=_TESTS.get(name)) for name in VALUES),
    log="mqtt",
    frames=frozenset(("pdu", "header", "data")),
    events=frozenset(
        (
            "double_connect",
            "invalid_qos_level",
            "malformed_traffic",
            "missing_connect",
            "missing_msg_id",
            "missing_publish",
            "missing_subscribe",
            "missing_unsubscribe",
            "too_many_transactions",
            "unassigned_msg_type",
            "unintroduced_message",
        )
    ),
)
