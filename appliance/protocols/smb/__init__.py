"""SMB 1, 2 and 3, with the RPC inside of their pipes."""

from __future__ import annotations

from appliance.model.app import BufferSpec, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.dcerpc import rules
from appliance.protocols.smb.nbss import COMPRESSED, ENCRYPTED, SMB1, SMB2
from appliance.protocols.smb.parser import SmbParser
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORTS = ((139, 139), (445, 445))
_SESSION_KINDS = {0x81: 68, 0x82: 0, 0x83: 1, 0x84: 6}

EVENTS = frozenset(
    (
        "compression_overflow",
        "duplicate_negotiate",
        "file_overlap",
        "malformed_data",
        "malformed_ntlmssp_request",
        "malformed_ntlmssp_response",
        "negotiate_malformed_dialects",
        "negotiate_max_read_size_too_large",
        "negotiate_max_write_size_too_large",
        "read_queue_cnt_exceeded",
        "read_queue_size_exceeded",
        "read_request_too_large",
        "read_response_too_large",
        "record_overflow",
        "request_to_client",
        "response_to_server",
        "too_many_transactions",
        "unusual_ntlmssp_order",
        "write_queue_cnt_exceeded",
        "write_queue_size_exceeded",
        "write_request_too_large",
    )
)


FRAMES = frozenset(
    f"{layer}.{part}" for layer in ("nbss", "smb1", "smb2", "smb3") for part in ("pdu", "hdr", "data")
)


def _session(data: bytes) -> int:
    """A NetBIOS session request or its answer, which come before SMB on port 139 (RFC 1002 4.3)."""
    if len(data) < 4:
        return PROBE_MAYBE if data[:1] and (data[0] in _SESSION_KINDS or data[0] == 0) else PROBE_NO
    length = int.from_bytes(data[1:4], "big")
    return PROBE_YES if _SESSION_KINDS.get(data[0]) == length else PROBE_NO


def version_test(value: str, argument: str) -> bool:
    """Compare ``smb.version:[!]number`` with the numbers that a message goes by."""
    return (argument.lstrip("!") in value.split()) != argument.startswith("!")


def _message(data: bytes) -> int:
    """A session message, whose first byte is 0, with a record of any version."""
    magic = data[4:8]
    if not any(known.startswith(magic) for known in (SMB1, SMB2, ENCRYPTED, COMPRESSED)):
        return PROBE_NO
    return PROBE_YES if len(magic) == 4 else PROBE_MAYBE


def _sender(data: bytes) -> int:
    """Tell requests from answers by the flag that both versions have for it."""
    place, bit = (13, 0x80) if data[4:8] == SMB1 else (20, 1)
    if data[4:8] not in {SMB1, SMB2} or len(data) <= place:
        return -1
    return TOCLIENT if data[place] & bit else TOSERVER


_MAGIC = (Pattern(b"\0", confirm=_message),)

SPECS = (
    ProtocolSpec(
        "smb",
        parser=SmbParser,
        patterns=(_MAGIC, _MAGIC),
        probings=tuple(Probing(_session, direction, _PORTS) for direction in _BOTH),
        buffers=(
            BufferSpec("smb.named_pipe", ("smb",), (TOSERVER,)),
            BufferSpec("smb.share", ("smb",), (TOSERVER,)),
            BufferSpec("smb.ntlmssp_user", ("smb",), (TOSERVER,)),
            BufferSpec("smb.ntlmssp_domain", ("smb",), (TOSERVER,)),
            BufferSpec("file.data", ("smb",), _BOTH, growing=True, multi=True),
            BufferSpec("file.name", ("smb",), _BOTH, growing=True, multi=True),
            *rules.buffers("smb"),
        ),
        values=(ValueSpec("smb.version", ("smb",), _BOTH, test=version_test), *rules.values("smb")),
        log="smb",
        sender=_sender,
        frames=FRAMES,
        aliases=("dcerpc",),
        events=EVENTS,
    ),
)
