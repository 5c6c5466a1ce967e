"""All other keywords: descriptive ones, modifiers, byte operations, state, and plain texts."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.rulelang import application, byteops, content, dates, describe, files, packet, pcre, state
from appliance.rulelang.keyword import MAY, MUST, NO, Keyword
from appliance.rulelang.modbus import read_modbus

_TLS = ("tls", "dtls")
_FILES = ("http1", "http2", "smtp", "ftp", "ftp-data", "smb", "nfs")

_META = (
    Keyword("msg", "meta", describe.read_msg, '"text"'),
    Keyword("sid", "meta", describe.read_id, "number"),
    Keyword("rev", "meta", describe.read_id, "number"),
    Keyword("gid", "meta", describe.read_gid, "number"),
    Keyword("priority", "meta", describe.read_priority, "1 to 255"),
    Keyword("classtype", "meta", describe.read_classtype, "name"),
    Keyword("reference", "meta", describe.read_reference, "type,value"),
    Keyword("metadata", "meta", describe.read_metadata, "key value[, …]"),
    Keyword("requires", "meta", describe.read_requires, "feature f, version >= v, keyword k"),
    Keyword("target", "meta", describe.read_target, "src_ip|dest_ip"),
    Keyword("noalert", "meta", describe.read_noalert, argument=NO),
    Keyword("alert", "meta", describe.read_noalert, argument=NO),
    Keyword("bypass", "meta", describe.read_bypass, argument=NO),
    Keyword("prefilter", "meta", describe.read_prefilter, argument=NO),
    Keyword("tag", "meta", state.read_tag, "session|host[,count,packets|seconds|bytes[,src|dst]]"),
    Keyword("config", "meta", application.read_config, "logging disable, type tx, scope tx"),
)

_CONTENT = (
    Keyword("content", "match", content.read_content, '[!]"pattern"'),
    Keyword("nocase", "modifier", content.read_flag, argument=NO),
    Keyword("rawbytes", "modifier", content.read_flag, argument=NO),
    Keyword("startswith", "modifier", content.read_flag, argument=NO),
    Keyword("endswith", "modifier", content.read_flag, argument=NO),
    Keyword("depth", "modifier", content.read_place, "number or variable"),
    Keyword("offset", "modifier", content.read_place, "number or variable"),
    Keyword("distance", "modifier", content.read_place, "number or variable"),
    Keyword("within", "modifier", content.read_place, "number or variable"),
    Keyword("fast_pattern", "modifier", content.read_fast_pattern, "[only|offset,length]", MAY),
    Keyword("replace", "modifier", content.read_replace, '"pattern"'),
    Keyword("pcre", "match", pcre.read_pcre, '[!]"/expression/flags[, pkt:name]"'),
    Keyword(
        "byte_test",
        "match",
        byteops.read_byte_test,
        "count,[!]operator,value,offset[,relative,little,string,hex,…]",
    ),
    Keyword("byte_jump", "match", byteops.read_byte_jump, "count,offset[,relative,align,post_offset n,…]"),
    Keyword("byte_extract", "match", byteops.read_byte_extract, "count,offset,name[,relative,little,…]"),
    Keyword(
        "byte_math",
        "match",
        byteops.read_byte_math,
        "bytes n, offset n, oper +, rvalue n, result name[,relative,…]",
    ),
    Keyword("isdataat", "match", byteops.read_isdataat, "[!]offset[,relative]"),
    Keyword("base64_decode", "match", byteops.read_base64_decode, "[bytes n][, offset n][, relative]", MAY),
    Keyword("absent", "match", application.read_absent, "[or_else]", MAY),
    Keyword("entropy", "match", application.read_entropy, "[bytes n,][offset n,]value > 4.2"),
    Keyword("dataset", "match", files.read_dataset, "command,name[,type t][,load f][,save f][,state f]"),
    Keyword("datarep", "match", files.read_datarep, "name,operator,value[,type t][,load f]"),
    Keyword("frame", "buffer", application.read_frame, "[protocol.]name"),
)

_STATE = (
    Keyword("flow", "state", state.read_flow, "to_server,established,…"),
    Keyword("flowbits", "state", state.read_flowbits, "command,name"),
    Keyword("hostbits", "state", state.read_hostbits, "command,name[,src|dst|both]"),
    Keyword("xbits", "state", state.read_xbits, "command,name,track ip_src|ip_dst|ip_pair[,expire seconds]"),
    Keyword("flowint", "state", state.read_flowint, "name,modifier[,value]"),
    Keyword("threshold", "state", state.read_threshold, "type limit, track by_src, count n, seconds n"),
    Keyword("detection_filter", "state", state.read_threshold, "track by_src, count n, seconds n"),
    Keyword("stream_size", "state", state.read_stream_size, "client|server|both|either,operator,size"),
    Keyword(
        "app-layer-protocol",
        "state",
        application.read_app_protocol,
        "[!]name[,final|either|to_server|to_client|original]",
    ),
    Keyword("app-layer-state", "state", application.read_app_state, "[<|>]state"),
    Keyword("app-layer-event", "state", application.read_app_event, "protocol.event"),
)

_PACKET = (
    Keyword("tcp.flags", "match", packet.read_tcp_flags, "[+|*|!]FSRPAUEC[,ignored]", aliases=("flags",)),
    Keyword("fragbits", "match", packet.read_fragbits, "[+|*|!]MDR"),
    Keyword("ip_proto", "match", packet.read_ip_proto, "[!|<|>]name or number"),
    Keyword("iprep", "match", packet.read_iprep, "any|src|dst|both,category,operator,value"),
    Keyword("geoip", "match", packet.read_geoip, "[any|src|dst|both,][!]CC[,CC …]"),
    Keyword("rpc", "match", packet.read_rpc, "program[,version|*[,procedure|*]]"),
    Keyword("sameip", "match", application.read_plain, argument=NO),
    Keyword("ftpbounce", "match", application.read_plain, argument=NO, protocols=("ftp",)),
    Keyword("filestore", "match", files.read_filestore, "[direction[,file|tx|flow]]", MAY, _FILES),
    Keyword("filemd5", "match", files.read_file_hash, "[!]file", MUST, _FILES),
    Keyword("filesha1", "match", files.read_file_hash, "[!]file", MUST, _FILES),
    Keyword("filesha256", "match", files.read_file_hash, "[!]file", MUST, _FILES),
    Keyword(
        "modbus",
        "match",
        read_modbus,
        "function n[,subfunction n] or access read coils[,address n] or unit n",
        MUST,
        ("modbus",),
    ),
)

_IPOPTS = "rr|eol|nop|ts|sec|esec|lsrr|ssrr|satid|any"
_CSUM = "valid|invalid"
_SSL = r"!?(?:ssl(?:v2|v3)|tls1\.[0-3])"
_SSL_STATE = r"!?(?:client_hello|server_hello|client_keyx|server_keyx|unknown)"

# protocols | name [alias ...] | syntax | pattern of the argument; "(?-i)" keeps case
_TEXTS = (
    ("", "ipopts", "rr, eol, nop, ts, sec, esec, lsrr, ssrr, satid, any", _IPOPTS),
    ("", "l3_proto", "ipv4|ipv6", "ipv[46]|ip[46]"),
    ("", "ipv4-csum", _CSUM, _CSUM),
    ("", "tcpv4-csum", _CSUM, _CSUM),
    ("", "tcpv6-csum", _CSUM, _CSUM),
    ("", "udpv4-csum", _CSUM, _CSUM),
    ("", "udpv6-csum", _CSUM, _CSUM),
    ("", "icmpv4-csum", _CSUM, _CSUM),
    ("", "icmpv6-csum", _CSUM, _CSUM),
    ("", "decode-event engine-event", "layer.event", r"[a-z0-9_]+(?:\.[a-z0-9_]+)+"),
    ("", "stream-event", "event", r"(?:stream\.)?[a-z0-9_]+"),
    (
        "",
        "asn1",
        "bitstring_overflow, double_overflow, oversize_length n, relative_offset n",
        r"[a-z0-9_, +-]+",
    ),
    ("", "flow.elephant", "either|toserver|toclient|both", "either|both|toserver|toclient"),
    ("tls", "ssl_version", "[!]sslv3,[!]tls1.2", f"{_SSL}(?:,{_SSL})*"),
    (
        "tls",
        "ssl_state",
        "client_hello|server_hello|client_keyx|server_keyx|unknown",
        rf"{_SSL_STATE}(?:[|,]\s*{_SSL_STATE})*",
    ),
    ("tls dtls", "tls.version", "1.0|1.1|1.2|1.3", r"(?:ssl ?v?[23]|(?:tls ?v?)?1\.[0-3]|0x[0-9a-f]{1,4})"),
    ("ssh", "ssh.protoversion", "number or 2_compat", r"[0-9.]+|2_compat"),
    (
        "http2",
        "http2.settings",
        "NAME[operator number]",
        r"(?-i)[A-Za-z0-9_]+\s*(?:(?:<|>|<=|>=|=|!)?\s*\d+|\d+\s*(?:<>|-)\s*\d+)?",
    ),
    ("ftp-data", "ftpdata_command", "stor|retr", "stor|retr"),
    ("ftp", "ftp.mode", "active|passive", "active|passive"),
    ("ftp", "ftp.reply_received", "yes|no", "yes|no|on|off|true|false|1|0"),
    (
        "dcerpc",
        "dcerpc.iface dce_iface",
        "uuid[,[<|>|=|!]version][,any_frag]",
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:,[<>=!]\s*\d{1,5})?(?:,any_frag)?",
    ),
    ("smb", "smb.version", "1|2", r"!?[123]"),
    ("krb5", "krb5.weak_encryption", "yes|no", "yes|no|true|false"),
    ("ike", "ike.chosen_sa_attribute", "name=number", r"[a-z_]{1,32}\s*(?:=|<|>|<=|>=|!)\s*\d{1,10}"),
    ("mqtt", "mqtt.connect.protocol_version", "number", r"[0-9]{1,3}"),
    ("mqtt", "mqtt.connack.session_present", "yes|no", "yes|no|true|false"),
    ("rfb", "rfb.secresult", "ok|fail|toomany|unknown", r"(?:ok|fail|toomany|unknown)|[0-9]{1,10}"),
    ("dnp3", "dnp3_obj dnp3.obj", "group,variation", r"\d{1,3},\d{1,3}"),
    ("enip", "cip_service", "service[,class[,[!]attribute]]", r"\d{1,3}(?:,\d{1,5}(?:,!?\d{1,5})?)?"),
)

_TLS_PLAIN = (("tls.store", "tls_store"), ("tls_cert_expired", ""), ("tls_cert_valid", ""))
_TLS_DATES = ("tls_cert_notbefore", "tls_cert_notafter")

_QUOTED = r".{1,2048}"
_CODEC = r"(?:max-size\s+\d{1,8}\s*(?:[kKmM][bB])?)?"
_BASE64 = r"(?:(?:bytes\s+\d{1,5}|offset\s+\d{1,5}|mode\s+(?:strict|rfc2045|rfc4648))(?:\s*,\s*|$)){0,3}"
# name | argument | syntax | pattern
_TRANSFORMS = (
    *(
        (name, NO, "", "")
        for name in ("compress_whitespace", "strip_whitespace", "to_md5", "to_sha1", "to_sha256")
    ),
    *((name, NO, "", "") for name in ("dotprefix", "url_decode", "header_lowercase", "strip_pseudo_headers")),
    *((name, NO, "", "") for name in ("to_lowercase", "to_uppercase", "domain", "tld")),
    ("xor", MUST, '"hex"', r"(?:[0-9A-Fa-f]{2}){1,255}"),
    ("pcrexform", MUST, '"expression with one group"', _QUOTED),
    ("from_base64", MAY, "[bytes n][, offset n][, mode strict|rfc2045|rfc4648]", _BASE64),
    ("gunzip", MAY, "[max-size n]", _CODEC),
    ("zlib_deflate", MAY, "[max-size n]", _CODEC),
)

_REFUSED = (
    ("lua", "rules cannot run scripts here: write the test with content, pcre or byte_math"),
    ("luajit", "rules cannot run scripts here: write the test with content, pcre or byte_math"),
    ("luaxform", "rules cannot run scripts here: use one of the built-in transforms"),
)


def option_keywords() -> Iterator[Keyword]:
    """Give every keyword of this table."""
    for group in (_META, _CONTENT, _STATE, _PACKET):
        yield from group
    for protocols, names, syntax, pattern in _TEXTS:
        name, *aliases = names.split()
        yield Keyword(
            name,
            "match",
            application.read_text,
            syntax,
            MUST,
            tuple(protocols.split()),
            tuple(aliases),
            pattern=pattern,
        )
    for name, alias in _TLS_PLAIN:
        also = (alias,) if alias else ()
        yield Keyword(name, "match", application.read_plain, argument=NO, protocols=_TLS, aliases=also)
    for name in _TLS_DATES:
        yield Keyword(name, "match", dates.read_date, "[<|>]date[<>date]", MUST, _TLS)
    for name, argument, syntax, pattern in _TRANSFORMS:
        yield Keyword(name, "transform", application.read_transform, syntax, argument, pattern=pattern)
    for name, hint in _REFUSED:
        yield Keyword(name, "refused", application.read_refused, hint, MAY)
