"""NFS versions 2, 3 and 4 over TCP and UDP."""

from __future__ import annotations

from appliance.model.app import ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.nfs import rpc
from appliance.protocols.nfs.parser import NfsParser
from appliance.protocols.spec import Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((2049, 2049),)

SPEC = ProtocolSpec(
    "nfs",
    transports=("tcp", "udp"),
    parser=NfsParser,
    # A call names its program, so it is known on any port; a reply has little that is its own.
    probings=(
        Probing(rpc.probe_call, TOSERVER, (), "udp"),
        Probing(rpc.probe_stream_call, TOSERVER, (), "tcp"),
        Probing(rpc.probe_reply, TOCLIENT, _PORTS, "udp"),
        Probing(rpc.probe_stream_reply, TOCLIENT, _PORTS, "tcp"),
    ),
    values=(ValueSpec("nfs_version", ("nfs",), _BOTH), ValueSpec("nfs_procedure", ("nfs",), _BOTH)),
    log="nfs",
    events=frozenset(("malformed_data",)),
)
