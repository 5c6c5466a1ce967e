"""SIP, and the session descriptions that it carries."""

from __future__ import annotations

from appliance.model.app import BufferSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.sip.message import METHODS, probe
from appliance.protocols.sip.parser import FRAMES, SipParser
from appliance.protocols.spec import Pattern, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
# Either end may call the other, so both directions see requests and responses.
_START = (*(Pattern(method + b" ", confirm=probe) for method in METHODS), Pattern(b"SIP/2.0 ", confirm=probe))

_SINGLE = ("method", "uri", "request_line", "protocol", "stat_code", "stat_msg", "response_line")
_HEADERS = ("from", "to", "via", "user_agent", "content_type", "content_length")
_SDP = (
    "session_name",
    "session_info",
    "origin",
    "uri",
    "email",
    "phone_number",
    "connection_data",
    "bandwidth",
    "time",
    "repeat_time",
    "timezone",
    "encryption_key",
    "attribute",
    "media.media",
    "media.media_info",
    "media.connection_data",
    "media.encryption_key",
)

SPEC = ProtocolSpec(
    "sip",
    transports=("udp", "tcp"),
    parser=SipParser,
    patterns=(_START, _START),
    buffers=(
        *(BufferSpec(f"sip.{name}", ("sip",), _BOTH) for name in _SINGLE),
        *(BufferSpec(f"sip.{name}", ("sip",), _BOTH, multi=True) for name in _HEADERS),
        *(BufferSpec(f"sdp.{name}", ("sip",), _BOTH, multi=True) for name in _SDP),
    ),
    log="sip",
    frames=FRAMES,
    events=frozenset(("incomplete_data", "invalid_data")),
)
