"""SSH."""

from __future__ import annotations

from appliance.model.app import COMPLETE, START, BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.spec import Pattern, ProtocolSpec
from appliance.protocols.ssh.parser import BANNER, KEX, SshParser, same_version

_BOTH = (TOSERVER, TOCLIENT)
_BANNER = (Pattern(b"SSH-"),)

SPECS = (
    ProtocolSpec(
        "ssh",
        parser=SshParser,
        patterns=(_BANNER, _BANNER),
        frames=frozenset(("record.pdu", "record.hdr", "record.data")),
        states={
            "request_in_progress": (TOSERVER, START),
            "request_banner_wait_eol": (TOSERVER, START),
            "request_banner_done": (TOSERVER, BANNER),
            "request_finished": (TOSERVER, COMPLETE),
            "response_in_progress": (TOCLIENT, START),
            "response_banner_wait_eol": (TOCLIENT, START),
            "response_banner_done": (TOCLIENT, BANNER),
            "response_finished": (TOCLIENT, COMPLETE),
        },
        buffers=(
            BufferSpec("ssh.proto", ("ssh",), _BOTH, BANNER),
            BufferSpec("ssh.software", ("ssh",), _BOTH, BANNER),
            BufferSpec("ssh.hassh", ("ssh",), (TOSERVER,), KEX),
            BufferSpec("ssh.hassh.string", ("ssh",), (TOSERVER,), KEX),
            BufferSpec("ssh.hassh.server", ("ssh",), (TOCLIENT,), KEX),
            BufferSpec("ssh.hassh.server.string", ("ssh",), (TOCLIENT,), KEX),
        ),
        values=(ValueSpec("ssh.protoversion", ("ssh",), _BOTH, BANNER, same_version),),
        log="ssh",
        events=frozenset(("invalid_banner", "invalid_record", "long_banner", "long_kex_record")),
    ),
)
