"""Kerberos 5."""

from __future__ import annotations

from typing import Any

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols import ber
from appliance.protocols.krb5.message import kind_of
from appliance.protocols.krb5.parser import MAX_MESSAGE, KrbParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((88, 88),)
_LEAST = 10


def probe(data: bytes) -> int:
    """Tell whether a datagram begins like a message: its tag, a length that fits, a sequence."""
    if len(data) < _LEAST or not kind_of(data):
        return PROBE_NO
    outer = ber.size(data)
    header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    fits = 0 < outer <= MAX_MESSAGE and data[header : header + 1] == b"\x30"
    return PROBE_YES if fits else PROBE_NO


def probe_stream(data: bytes) -> int:
    """Tell whether a stream begins with a length and a message of that length."""
    if len(data) < 4 + _LEAST:
        return PROBE_MAYBE if data[:1] in {b"", b"\0"} else PROBE_NO
    length = int.from_bytes(data[:4], "big")
    return probe(data[4:]) if length == ber.size(data, 4) else PROBE_NO


def _truth(value: Any, argument: str) -> bool:
    """Compare with ``yes`` or ``no``."""
    return bool(value) == (argument.strip().lower() in {"yes", "true"})


SPECS = (
    ProtocolSpec(
        "krb5",
        transports=("udp", "tcp"),
        parser=KrbParser,
        probings=tuple(
            Probing(function, direction, _PORTS, transport)
            for function, transport in ((probe, "udp"), (probe_stream, "tcp"))
            for direction in _BOTH
        ),
        buffers=tuple(
            BufferSpec(name, ("krb5",), _BOTH, multi=True) for name in ("krb5.cname", "krb5.sname")
        ),
        values=(
            ValueSpec("krb5_msg_type", ("krb5",), _BOTH),
            ValueSpec("krb5_err_code", ("krb5",), (TOCLIENT,)),
            ValueSpec("krb5.ticket_encryption", ("krb5",), (TOCLIENT,)),
            ValueSpec("krb5.weak_encryption", ("krb5",), _BOTH, test=_truth),
        ),
        log="krb5",
        events=frozenset(("malformed_data", "weak_encryption")),
    ),
)
