"""Every other kind of option, what it becomes, and what is wrong with bad ones."""

from __future__ import annotations

import pytest

from appliance.rulelang import tree
from appliance.rulelang.context import Skipped
from appliance.rulelang.registry import ALL, KEYWORDS


def node(kind, *args, **kwargs):
    return kind(*args, position=None, **kwargs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flow:established,to_server;", node(tree.FlowOption, "to_server", True)),
        ("flow:from_server,not_established;", node(tree.FlowOption, "to_client", False)),
        ("flow:stateless;", node(tree.FlowOption, stateless=True)),
        ("flow:to_client,only_stream,no_frag;", node(tree.FlowOption, "to_client", None, False, True, False)),
        ("flowbits:set,a.b/c;", node(tree.Bits, "flowbits", "set", ("a.b/c",))),
        ("flowbits:isset,a|b;", node(tree.Bits, "flowbits", "isset", ("a", "b"))),
        ("xbits:set,x,track ip_pair, expire 60;", node(tree.Bits, "xbits", "set", ("x",), "ip_pair", 60)),
        ("hostbits:isset,x,dst;", node(tree.Bits, "hostbits", "isset", ("x",), "dst")),
        ("flowint:n,+,1;", node(tree.FlowInt, "n", "+", 1)),
        ("flowint:n,>=,other;", node(tree.FlowInt, "n", ">=", "other")),
        ("flowint:n,isnotset;", node(tree.FlowInt, "n", "notset")),
        (
            "threshold:type limit, track by_src, seconds 60, count 1;",
            node(tree.Threshold, "limit", "by_src", 1, 60),
        ),
        (
            "threshold:type backoff, track by_flow, count 2, multiplier 10;",
            node(tree.Threshold, "backoff", "by_flow", 2, 0, 10),
        ),
        ("detection_filter:track by_dst,count 4,seconds 20;",
         node(tree.Threshold, "detection_filter", "by_dst", 4, 20)),
        ("tag:session,5,packets;", node(tree.Tag, "session", 5, "packets")),
        ("tag:host,100,seconds,src;", node(tree.Tag, "host", 100, "seconds", "src")),
        ("stream_size:client,>=,10;", node(tree.StreamSize, "client", ">=", 10)),
        ("flags:SF,12;", node(tree.TcpFlags, 3, "", 0xC0)),
        ("tcp.flags:+SA;", node(tree.TcpFlags, 0x12, "+")),
        ("flags:A+;", node(tree.TcpFlags, 0x10, "+")),
        ("flags:!R;", node(tree.TcpFlags, 4, "!")),
        ("flags:0;", node(tree.TcpFlags, 0)),
        ("fragbits:M+;", node(tree.FragBits, 1, "+")),
        ("ip_proto:gre;", node(tree.IpProto, "=", 47)),
        ("ip_proto:!6;", node(tree.IpProto, "!=", 6)),
        ("ipopts:LSRR;", node(tree.Text, "ipopts", "lsrr")),
        ("iprep:src,CnC,>,30;", node(tree.Iprep, "src", "CnC", ">", 30)),
        ("iprep:any,Bad,isnotset;", node(tree.Iprep, "any", "Bad", "isnotset")),
        ("geoip:src,us,CA;", node(tree.GeoIp, ("US", "CA"), "src")),
        ("geoip:!DE;", node(tree.GeoIp, ("DE",), "any", True)),
        ("rpc:100000,*,3;", node(tree.Rpc, 100000, None, 3)),
        ("app-layer-protocol:!ikev2,final;", node(tree.AppProtocol, "ike", True, "final")),
        ("app-layer-protocol:failed;", node(tree.AppProtocol, "failed")),
        ("app-layer-state:<client_hello_done;", node(tree.AppState, "client_hello_done", "<")),
        ("app-layer-event:http.Host_Header_Ambiguous;",
         node(tree.Text, "app-layer-event", "http.host_header_ambiguous")),
        ("decode-event:ipv4.trunc_pkt;", node(tree.Text, "decode-event", "ipv4.trunc_pkt")),
        ("engine-event:ipv4.trunc_pkt;", node(tree.Text, "decode-event", "ipv4.trunc_pkt")),
        ("stream-event:est_syn_resend;", node(tree.Text, "stream-event", "est_syn_resend")),
        ("filestore:both,flow;", node(tree.Filestore, "both", "flow")),
        ("filestore;", node(tree.Filestore)),
        ("filemd5:!list.txt;", node(tree.FileHash, "md5", "list.txt", True)),
        ("modbus:function 8, subfunction 4;", node(tree.Modbus, 8, 4)),
        ("modbus:function !reserved;", node(tree.Modbus, None, None, "reserved", True)),
        ("modbus:access write coils, address 5<>9, value <100;",
         node(tree.Modbus, access="write", access_type="coils", address=("range", 5, 9), value=("<", 100, 0))),  # noqa: E501
        ("modbus:unit 10;", node(tree.Modbus, unit=("=", 10, 0))),
        ("dce_iface:367ABB81-9844-35f1-ad32-98f038001003,<1,any_frag;",
         node(tree.Text, "dcerpc.iface", "367abb81-9844-35f1-ad32-98f038001003,<1,any_frag")),
        ("ssl_version:!tls1.3, tls1.2;", node(tree.Text, "ssl_version", "!tls1.3,tls1.2")),
        ("dnp3_obj:22,01;", node(tree.Text, "dnp3_obj", "22,01")),
        ("rfb.secresult:ok;", node(tree.Text, "rfb.secresult", "ok")),
        ("http2.settings:SETTINGS_HEADER_TABLE_SIZE>1000;",
         node(tree.Text, "http2.settings", "SETTINGS_HEADER_TABLE_SIZE>1000")),
        ("tls.store;", node(tree.Text, "tls.store")),
        ("tcpv4-csum:invalid;", node(tree.Text, "tcpv4-csum", "invalid")),
        ("sameip;", node(tree.Text, "sameip")),
    ],
)  # fmt: skip
def test_nodes(options, text, expected) -> None:
    assert options(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataset:isset,bad,type string,load a.lst;", node(tree.Dataset, "isset", "bad", "string", "a.lst")),
        (
            "dataset:set,seen,type md5,state s.lst,memcap 10mb,hashsize 1024;",
            node(tree.Dataset, "set", "seen", "md5", "s.lst", "s.lst", 10 << 20, 1024),
        ),
        (
            "dataset:isset,b,type ip,load a.json,format ndjson,context_key c,value_key v.w,remove_key;",
            node(tree.Dataset, "isset", "b", "ip", "a.json", format="ndjson", context_key="c", value_key="v.w",  # noqa: E501
                 remove_key=True),
        ),
        (
            "dataset:isset,b,type string,match subdomain,load a.lst;",
            node(tree.Dataset, "isset", "b", "string", "a.lst", match="subdomain"),
        ),
        ("datarep:rep,>,200,load a.rep,type string;", node(tree.Datarep, "rep", ">", 200, "string", "a.rep")),
        ("entropy:value >= 4.5;", node(tree.Entropy, ">=", 4.5)),
        ("entropy:bytes 10, offset 2, value !4-5;", node(tree.Entropy, "!range", 4.0, 5.0, 10, 2)),
        ("absent;", node(tree.Absent)),
        ("absent:or_else;", node(tree.Absent, True)),
        ("bsize:10<>20;", node(tree.IntMatch, "bsize", "range", 10, 20)),
    ],
)  # fmt: skip
def test_nodes_on_a_buffer(options, text, expected) -> None:
    buffer, found = options(f"dns.query; {text}")
    assert buffer.name == "dns.query"
    assert found == expected


@pytest.mark.parametrize(
    ("head", "text", "protocol", "name"),
    [
        ("smtp", "frame:smtp.data;", "smtp", "data"),
        ("tcp", "frame:smb2.hdr;", "smb", "smb2.hdr"),
        ("http", "frame:http1.request;", "http1", "request"),
        ("dns", "frame:pdu;", "dns", "pdu"),
        ("sip", "frame:request.line;", "sip", "request.line"),
    ],
)
def test_frames(options, head, text, protocol, name) -> None:
    frame, _ = options(f'{text} content:"a";', f"alert {head} any any -> any any")
    assert (frame.protocol, frame.name) == (protocol, name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("flow:to_server,to_client;", "contradicts"),
        ("flow:established,established;", "twice"),
        ("flow:established,stateless;", "contradicts"),
        ("flow:to_server; flow:established;", "twice"),
        ("flow:to_sever;", "unknown flow option"),
        ("flowbits:set;", "names no bit"),
        ("flowbits:set,a|b;", "one name"),
        ("flowbits:noalert,a;", "no name"),
        ("xbits:set,a;", "what to track"),
        ("threshold:type limit, track by_src, count 1;", "seconds is missing"),
        ("threshold:type backoff, track by_src, count 1, multiplier 2;", "by_flow"),
        (
            "threshold:type limit,track by_src,count 1,seconds 1; detection_filter:track by_src,count 1,seconds 1;",  # noqa: E501
            "excludes threshold",
        ),
        ("detection_filter:type limit,track by_src,count 1,seconds 1;", "unknown option"),
        ("tag:host,5,packets;", "which end"),
        ("tag:session,5;", "tag takes"),
        ("ip_proto:grep;", "unknown protocol"),
        ("flags:SX;", "unknown flag"),
        ("geoip:src;", "names no country"),
        ("iprep:src,Cat,>,200;", "not between"),
        ("app-layer-protocol:htp;", "unknown application protocol"),
        ("app-layer-event:http;", "names no event"),
        ("dataset:isset,x;", "sticky buffer"),
        ("dns.query; dataset:isset,x,load f,format json;", "value_key"),
        ("dns.query; dataset:set,x,state f,load g;", "state stands for"),
        ("config:logging disable, type tx, scope tx;", "action config"),
        ("modbus:function 1, access read coils;", "too much"),
        ("modbus:access write input;", "unknown access"),
        ("modbus:subfunction 4;", "too much"),
        ("dce_iface:1234;", "not an argument"),
        ("ipopts:foo;", "not an argument"),
        ("http.uri; xor:\"0d0\"; content:\"a\";", "not an argument"),
        ("sameip:yes;", "takes no argument"),
        ("ttl;", "needs an argument"),
        ("frame:data; content:\"a\";", "of which protocol"),
        ("prefilter;", "no option before it"),
        ("TTL:5;", "unknown keyword"),
    ],
)  # fmt: skip
def test_refusals(refusal, text, reason) -> None:
    assert reason in refusal(text).reason


def test_description(read) -> None:
    rule = read(
        r'drop tcp any any -> any any (msg:"a \"b\"\; c"; metadata:created_at 2020_01_01, tag x y, alone;'
        " reference:url,example.org/a; reference:cve,2020-1; classtype:Trojan-Activity; gid:3; rev:4; sid:5;"
        " bypass; noalert; target:dest_ip; dsize:5; prefilter;)"
    )
    assert (rule.msg, rule.gid, rule.sid, rule.rev) == ('a "b"; c', 3, 5, 4)
    assert rule.metadata == (("created_at", "2020_01_01"), ("tag", "x y"), ("alone", ""))
    assert rule.references == (("url", "example.org/a"), ("cve", "2020-1"))
    assert (rule.classtype, rule.category, rule.priority) == (
        "trojan-activity",
        "A Network Trojan was detected",
        1,
    )
    assert (rule.bypass, rule.noalert, rule.target, rule.prefilter) == (True, True, "dest_ip", "dsize")


@pytest.mark.parametrize(
    ("text", "priority", "category"),
    [
        ("", 3, ""),
        ("classtype:web-application-attack;", 1, "Web Application Attack"),
        ("classtype:web-application-attack; priority:7;", 7, "Web Application Attack"),
        ("classtype:nobody-knows;", 3, "Unknown Classtype"),
    ],
)
def test_priority(read, text, priority, category) -> None:
    rule = read(f"alert tcp any any -> any any ({text} sid:1;)")
    assert (rule.priority, rule.category) == (priority, category)


@pytest.mark.parametrize("text", ["flowbits:noalert;", "hostbits:noalert;", "noalert;"])
def test_noalert(read, text) -> None:
    rule = read(f"alert tcp any any -> any any ({text} sid:1;)")
    assert rule.noalert
    assert rule.options == ()


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("version >= 8", True),
        ("version >= 8.0.5", True),
        ("version >= 9.0.0", False),
        ("version > 6.0.0 < 7 | >= 8.0.1", True),
        ("version >= 7 < 8", False),
        ("feature ja4", True),
        ("feature teleport", False),
        ("keyword dataset", True),
        ("keyword lua", False),
        ("keyword telepathy, version >= 8", False),
        ("moonphase full", False),
    ],
)
def test_requires(read, text, met) -> None:
    outcome = read(f"alert tcp any any -> any any (requires:{text}; from_the_future:1; sid:9;)")
    if met:
        assert "from_the_future" in outcome.reason
    else:
        assert isinstance(outcome, Skipped)
        assert outcome.sid == 9


@pytest.mark.parametrize("text", ["version", "version 8", "version => 8", ",", "version >= x"])
def test_malformed_requires(refusal, text) -> None:
    assert refusal(f"requires:{text};").keyword == "requires"


def test_config_rules(read) -> None:
    rule = read("config dns any any -> any any (config:logging disable, type tx, scope tx; sid:1;)")
    assert rule.options == (node(tree.ConfigOption, "logging", "disable", "tx", "tx"),)


def test_every_keyword_has_one_entry_and_a_form() -> None:
    assert len(ALL) == len({keyword.name for keyword in ALL})
    assert len(KEYWORDS) == len(ALL) + sum(len(keyword.aliases) for keyword in ALL)
    for keyword in ALL:
        assert keyword.name == keyword.name.strip()
        assert keyword.argument == 0 or keyword.syntax


@pytest.mark.parametrize(
    "name", sorted(k.name for k in ALL if k.kind == "buffer" and k.name not in {"frame", "pkt_data"})
)
def test_every_buffer_can_be_selected(options, name) -> None:
    buffer, _ = options(f'{name}; content:"a";')
    assert buffer.name == name
