"""PostgreSQL."""

from __future__ import annotations

from appliance.model.app import BufferSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.pgsql.parser import PgsqlParser, probe_client, probe_server
from appliance.protocols.spec import Pattern, Probing, ProtocolSpec

_PORTS = ((5432, 5432),)

SPEC = ProtocolSpec(
    "pgsql",
    parser=PgsqlParser,
    # Requests for encryption and startup messages, wherever the server listens.
    patterns=((Pattern(b"\0\0\0\x08\x04\xd2\x16\x2f"), Pattern(b"\0\3\0\0user\0", offset=4)), ()),
    probings=(Probing(probe_client, TOSERVER, _PORTS), Probing(probe_server, TOCLIENT, _PORTS)),
    buffers=(BufferSpec("pgsql.query", ("pgsql",), (TOSERVER,), multi=True),),
    default_enabled=False,
    log="pgsql",
    frames=frozenset(("pdu",)),
    events=frozenset(
        (
            "invalid_length",
            "malformed_request",
            "malformed_response",
            "too_many_transactions",
        )
    ),
)
