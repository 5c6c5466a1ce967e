"""Number keywords in all their forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.rulelang.errors import Refused
from appliance.rulelang.keyword import MUST
from appliance.rulelang.numbers import comparison
from appliance.rulelang.registry import ALL
from appliance.rulelang.tree import IntMatch, IntSet, Rule


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("5", ("=", 5, 0)),
        ("=5", ("=", 5, 0)),
        ("0x10", ("=", 16, 0)),
        ("!5", ("!=", 5, 0)),
        ("!=5", ("!=", 5, 0)),
        ("<5", ("<", 5, 0)),
        ("<= 5", ("<=", 5, 0)),
        ("> 5", (">", 5, 0)),
        (">=5", (">=", 5, 0)),
        ("5<>10", ("range", 5, 10)),
        ("5 - 10", ("range", 5, 10)),
        ("!5-10", ("!range", 5, 10)),
        ("&0x40", ("&", 0x40, 0)),
        ("!&0x40", ("!&", 0x40, 0)),
        ("&0x60=0x40", ("&=", 0x60, 0x40)),
        ("&0x60!=0x40", ("&!=", 0x60, 0x40)),
        ("2kb", ("=", 2048, 0)),
        (">1MiB", (">", 1 << 20, 0)),
    ],
)
def test_comparisons(text, parsed) -> None:
    assert comparison(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "5<>6",
        "10<>5",
        "<0",
        ">4294967295",
        "4294967296",
        "-1",
        "5 6",
        "&",
        "&1=2",
        "--5",
        "5-",
        "0x",
        "٣",
    ],
)
def test_refused_comparisons(text) -> None:
    with pytest.raises(Refused):
        comparison(text)


@given(st.text(max_size=300))
def test_any_text_compares_or_is_refused(text) -> None:
    try:
        operator, low, high = comparison(text)
    except Refused:
        return
    assert operator
    assert 0 <= low < 1 << 32
    assert 0 <= high < 1 << 32


@pytest.mark.parametrize(
    ("text", "keyword", "operator", "low", "high", "extra"),
    [
        ("mqtt.type:CONNECT;", "mqtt.type", "=", 1, 0, ""),
        ("dns.rrtype:AAAA;", "dns.rrtype", "=", 28, 0, ""),
        ("dns.opcode:!0;", "dns.opcode", "!=", 0, 0, ""),
        ("snmp.pdu_type:trap_v2;", "snmp.pdu_type", "=", 7, 0, ""),
        ("websocket.opcode:!ping;", "websocket.opcode", "!=", 9, 0, ""),
        ("websocket.flags:&0x40=0x40;", "websocket.flags", "&=", 0x40, 0x40, ""),
        ("websocket.flags:fin,!comp;", "websocket.flags", "&=", 0xC0, 0x80, ""),
        ("mqtt.flags:!retain,!dup;", "mqtt.flags", "&=", 3, 0, ""),
        ("mqtt.connect.flags:username,password,clean_session;", "mqtt.connect.flags", "&=", 0xC2, 0xC2, ""),
        ("http2.errorcode:HTTP_1_1_REQUIRED;", "http2.errorcode", "=", 13, 0, ""),
        ("http2.frametype:GOAWAY;", "http2.frametype", "=", 7, 0, ""),
        ("dnp3_func:unsolicited_response;", "dnp3_func", "=", 130, 0, ""),
        ("enip_command:list_identity;", "enip_command", "=", 0x63, 0, ""),
        ("ntp.mode:!server;", "ntp.mode", "!=", 4, 0, ""),
        ("ldap.responses.operation:extended_response,1;", "ldap.responses.operation", "=", 24, 0, "1"),
        ("flags:S; seq:7;", "tcp.seq", "=", 7, 0, ""),
        ("urilen:16, norm;", "urilen", "=", 16, 0, "norm"),
        ("urilen:3<>20;", "urilen", "range", 3, 20, ""),
        ("vlan.id:!500,all;", "vlan.id", "!=", 500, 0, "all"),
        ("vlan.id:0x12C,-1;", "vlan.id", "=", 300, 0, "-1"),
        ("flow.pkts:either,=10;", "flow.pkts", "=", 10, 0, "either"),
        ("flow.bytes_toclient:>3000;", "flow.bytes", ">", 3000, 0, "toclient"),
        ("filesize:<100;", "filesize", "<", 100, 0, ""),
        ("filesize:to_client,<100;", "filesize", "<", 100, 0, "to_client"),
        ("krb5_err_code:-3;", "krb5_err_code", "=", -3, 0, ""),
        ("dsize:10<>20;", "dsize", "range", 10, 20, ""),
        ("itype:<15;", "itype", "<", 15, 0, ""),
        ("dcerpc.opnum:26;", "dcerpc.opnum", "=", 26, 0, ""),
    ],
)
def test_keywords(options, text, keyword, operator, low, high, extra) -> None:
    node = options(text)[-1]
    assert node == IntMatch(keyword, operator, low, high, extra, position=node.position)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("dce_opnum:15,18,20-22;", IntSet("dcerpc.opnum", ((15, 15), (18, 18), (20, 22)), position=None)),
        (
            "krb5.ticket_encryption:weak;",
            IntSet("krb5.ticket_encryption", ((17, 20), (25, 26)), True, position=None),
        ),
        ("krb5.ticket_encryption:rc4-hmac;", IntMatch("krb5.ticket_encryption", "=", 23, position=None)),
        (
            "krb5.ticket_encryption:des-cbc-md5,23;",
            IntSet("krb5.ticket_encryption", ((3, 3), (23, 23)), position=None),
        ),
    ],
)
def test_lists(options, text, node) -> None:
    assert options(text) == (node,)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("mqtt.type:CONECT;", "connect"),
        ("ttl:256;", ""),
        ("vlan.id:5,9;", "layer"),
        ("flow.pkts:10;", "either"),
        ("urilen:5,raww;", "raw"),
        ("mqtt.flags:dupe;", "dup"),
    ],
)
def test_refused(refusal, text, hint) -> None:
    assert hint in refusal(text).hint


@pytest.mark.parametrize("keyword", [k for k in ALL if k.kind == "number"], ids=lambda k: k.name)
def test_every_number_keyword_reads_a_number(read, keyword) -> None:
    assert keyword.argument == MUST
    value = {"flow.pkts": "either,1", "flow.bytes": "either,1", "dnp3_ind": "need_time"}.get(
        keyword.name, "1"
    )
    rule = read(f"alert tcp any any -> any any ({keyword.name}:{value}; sid:1;)")
    assert isinstance(rule, Rule), rule
    assert len(rule.options) == 1
