"""HTTP/2, and DNS over HTTPS inside it."""

from __future__ import annotations

from appliance.model.app import COMPLETE, BufferSpec, ValueSpec
from appliance.protocols.http2 import frames
from appliance.protocols.http2.parser import Http2Parser
from appliance.protocols.http2.rules import test_setting
from appliance.protocols.http2.transaction import FIELDS
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES, Pattern, Probing, ProtocolSpec

_BOTH, _TS, _TC = (0, 1), (0,), (1,)
_PROTOCOLS = ("http2", "doh2")
_FRAMES = frozenset(("pdu", "hdr", "data"))

EVENTS = frozenset(
    (
        "authority_host_mismatch",
        "data_stream_zero",
        "dns_request_too_long",
        "dns_response_too_long",
        "extra_header_data",
        "failed_decompression",
        "header_integer_overflow",
        "invalid_client_magic",
        "invalid_frame_data",
        "invalid_frame_header",
        "invalid_frame_length",
        "invalid_header",
        "invalid_http1_settings",
        "invalid_range",
        "long_frame_data",
        "reassembly_limit_reached",
        "stream_id_reuse",
        "too_many_frames",
        "too_many_streams",
        "userinfo_in_uri",
    )
)

# directions: names, "*" marks a list
_BUFFERS = {
    _TS: "http.uri http.uri.raw http.method http.host http.host.raw http.request_line http.user_agent"
    " http.referer http.accept http.accept_enc http.accept_lang http.request_header*",
    _TC: "http.stat_code http.response_line http.location http.server http.response_header*",
    _BOTH: "http.protocol http.header http.header.raw http.header_names http.cookie http.content_type"
    " http.content_len http.connection http2.header_name*",
}
_GROWING = (
    BufferSpec("http.request_body", _PROTOCOLS, _TS, COMPLETE, growing=True),
    BufferSpec("http.response_body", _PROTOCOLS, _TC, COMPLETE, growing=True),
    BufferSpec("file.data", _PROTOCOLS, _BOTH, COMPLETE, growing=True, multi=True),
    BufferSpec("file.name", _PROTOCOLS, _BOTH, COMPLETE, growing=True, multi=True),
)
_DNS = "query.name queries.rrname answers.rrname answer.name authorities.rrname additionals.rrname"


def _buffers() -> tuple[BufferSpec, ...]:
    fixed = [
        BufferSpec(name.rstrip("*"), _PROTOCOLS, directions, FIELDS, multi=name.endswith("*"))
        for directions, names in _BUFFERS.items()
        for name in names.split()
    ]
    return (*fixed, *_GROWING)


def _dns_buffers() -> tuple[BufferSpec, ...]:
    both = (BufferSpec(f"dns.{name}", ("doh2",), _BOTH, multi=True) for name in _DNS.split())
    one_way = (("query", _TS), ("response.rrname", _TC))
    return (*both, *(BufferSpec(f"dns.{name}", ("doh2",), sides, multi=True) for name, sides in one_way))


_VALUES = (
    *(
        ValueSpec(f"http2.{name}", _PROTOCOLS, _BOTH)
        for name in ("frametype", "errorcode", "priority", "window", "size_update")
    ),
    ValueSpec("http2.settings", _PROTOCOLS, _BOTH, test=test_setting),
    ValueSpec("urilen", _PROTOCOLS, _TS, FIELDS),
)


def _probe_server(data: bytes) -> int:
    """A server opens with SETTINGS."""
    if not frames.looks_like_settings(data[: frames.HEADER_SIZE]):
        return PROBE_NO
    return PROBE_YES if len(data) >= frames.HEADER_SIZE else PROBE_MAYBE


SPECS = (
    ProtocolSpec(
        "http2",
        parser=Http2Parser,
        patterns=((Pattern(b"PRI * HTTP/2.0\r\n"),), ()),
        probings=(Probing(_probe_server, 1),),
        buffers=_buffers(),
        values=_VALUES,
        log="http2",
        frames=_FRAMES,
        aliases=("http",),
        events=EVENTS,
    ),
    ProtocolSpec(
        "doh2",
        parser=Http2Parser,
        follows=True,
        buffers=_dns_buffers(),
        values=tuple(ValueSpec(f"dns.{name}", ("doh2",), _BOTH) for name in ("opcode", "rcode", "rrtype")),
        log="doh2",
        frames=_FRAMES,
        aliases=("http", "http2", "dns"),
        events=EVENTS,
    ),
)

__all__ = ["SPECS", "Http2Parser"]
